"""Carrying out a list of commands: batch after batch, each command as a sub-agent with a slot of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from shared.errors import SpinneyError, UserError
from shared.model import Planned, SubAgent
from shared.text import first_sentence
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.commands.batches import MOST_COMMANDS, Batches, Command, in_batches
from workflow_manager.commands.paths import above, is_pattern, strictly_below, widened
from workflow_manager.plans.planning import carried_out
from workflow_manager.recovery.rescue import Rescue
from workflow_manager.untrusted import read_json

_LONGEST = 10_000  # characters of a planned command
_MOST_ENTRIES = 2000  # of a folder that are looked at for links


def carry_out(call: AgentCall) -> AgentReport:
    """Run the agent's commands, its own or planned ones. ``call.timeout`` holds for each command."""
    try:
        commands = planned_commands(call, call.agent.planned) if call.agent.planned else call.agent.commands
        batches = ordered(commands, str(call.worktree))
    except SpinneyError as error:
        return AgentReport(False, reason=error.message)
    report = _Execution(call, batches, len(commands), _fallbacks(call)).through()
    if call.agent.planned and not report.cancelled:
        carried_out(call, commands, ok=report.ok)
    return report


def planned_commands(call: AgentCall, planned: Planned) -> tuple[str, ...]:
    """What the agent ``planned.agent`` left. Raises UserError where that is no list of commands."""
    where = f".tasks/{planned.agent}/output.json"
    output = read_json(call.output_folder.parent / planned.agent / "output.json")
    if not isinstance(output, dict) or planned.part not in output:
        raise UserError(f"{planned.agent} left no {planned.part} in {where}")
    listed = output[planned.part]
    if not isinstance(listed, list) or not listed:
        raise UserError(f"{planned.part} in {where} is not a list with at least one command")
    if len(listed) > MOST_COMMANDS:
        raise UserError(f"{len(listed):,} {planned.part} in {where}: at most {MOST_COMMANDS:,} can be run")
    for number, command in enumerate(listed, 1):
        if not _is_command(command):
            raise UserError(
                f"entry {number} of {planned.part} in {where} is not a command: text of 1 to {_LONGEST:,} characters"
            )
    return tuple(listed)


def _is_command(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST


def _fallbacks(call: AgentCall) -> dict[str, str]:
    """What to run in place of a planned command that fails, by that command's whole text."""
    found: dict[str, str] = {}
    if call.agent.planned is None or call.agent.planned.part != "commands":
        return found  # a check that fails has said what it was asked
    for name in call.agent.needs:
        output = read_json(call.output_folder.parent / name / "output.json")
        mapping = output.get("fallbacks") if isinstance(output, dict) else None
        if isinstance(mapping, dict):
            found |= {key: value for key, value in mapping.items() if _is_command(value) and value != key}
    return found


def ordered(commands: Sequence[str], root: str) -> Batches:
    """``commands`` in batches, with the links in mind that are in their way now. Raises UserError."""
    batches = in_batches(commands, root)
    links = _links(batches.touched, root)
    return in_batches(commands, root, links) if links else batches


def _links(touched: Iterable[str], root: str) -> set[tuple[str, str]]:
    """The symbolic links below ``root`` that lead to ``touched``, each with where it ends."""
    places: set[str] = set()
    for path in touched:
        places.update(folder for folder in above(widened(path)) if strictly_below(folder, root))
        if is_pattern(path):
            places.update(_entries(widened(path)))
    return {(place, os.path.realpath(place)) for place in places if os.path.islink(place)}


def _entries(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in islice(entries, _MOST_ENTRIES)]
    except OSError:
        return []


class _Execution:
    """One list on its way."""

    def __init__(self, call: AgentCall, batches: Batches, length: int, fallbacks: Mapping[str, str]) -> None:
        self._call, self._batches, self._fallbacks = call, batches, fallbacks
        self._length = length  # of the list
        self._warnings: list[str] = []
        # What an agent planned may be helped along; what a user wrote is not changed behind their back, and a check
        # that fails has said what it was asked.
        planned = call.agent.planned
        self._rescue = Rescue(call) if planned and planned.part == "commands" else None

    def through(self) -> AgentReport:
        """Batch after batch; the first one with a failure is the last."""
        count = len(self._batches.batches)
        for number, batch in enumerate(self._batches.batches, 1):
            if self._is_stopping():
                return self._stopped()
            numbers = ", ".join(str(command.number) for command in batch)
            self._say(f"batch {number} of {count}: command{'s' if len(batch) > 1 else ''} {numbers}")
            reports = self._call.spawn([self._sub_agent(command) for command in batch])
            failed = [(c, r) for c, r in zip(batch, reports, strict=True) if not r.ok]
            if any(report.cancelled for _, report in failed):
                return self._stopped()
            failed = [(c, r) for c, r in failed if not self._saved(c, r) and not self._rescued(c, r)]
            if failed:
                return self._stopped() if self._is_stopping() else self._ended(False, _problem(failed))
        return self._ended(True)

    def _is_stopping(self) -> bool:
        return self._call.cancel.is_set

    def _ended(self, ok: bool, reason: str = "") -> AgentReport:
        rescue = self._rescue
        warnings = (*self._warnings, *(rescue.warnings if rescue else ()))
        counts = rescue.counts if rescue else {}
        return AgentReport(ok, self._summary() if ok else "", reason, warnings=warnings, tool_calls=counts)

    def _sub_agent(self, command: Command, instead: str = "", name: str = "") -> SubAgent:
        return SubAgent(
            name or f"c{command.number}",
            run=command.script(instead),
            timeout=self._call.timeout,
            by_model=self._rescue is not None and self._rescue.by_model,
        )

    def _rescued(self, command: Command, report: AgentReport) -> bool:
        """Whether a command that failed has ended well after all, once its cause was dealt with."""
        if self._rescue is None or command.rest or self._call.cancel.is_set:
            return False

        def again(name: str, instead: str) -> AgentReport:
            [second] = self._call.spawn([self._sub_agent(command, instead, name)])
            return second

        return self._rescue.of(f"c{command.number}", _named(command), command.text, report, again)

    def _saved(self, command: Command, report: AgentReport) -> bool:
        """Whether the fallback for a command that failed, if there is one, has ended well in its place."""
        instead = self._fallbacks.get(command.text, "")
        if not instead or command.rest or self._call.cancel.is_set:
            return False
        self._say(f"command {command.number} failed ({report.reason}); its fallback runs in its place")
        [second] = self._call.spawn([self._sub_agent(command, instead, f"c{command.number}-fallback")])
        shown = first_sentence(instead, 60)
        how = "did the work instead" if second.ok else f"failed as well: {second.reason}"
        self._warnings.append(f"{_named(command)} failed: {report.reason}; its fallback `{shown}` {how}")
        return second.ok

    def _summary(self) -> str:
        run = self._length - sum(not command.batch for command in self._batches.commands)
        commands, batches = _counted(run, "command"), _counted(len(self._batches.batches), "batch", "es")
        rescued = f", {_counted(len(self._warnings), 'fallback')} needed" if self._warnings else ""
        recovered = self._rescue.summary if self._rescue else ""
        return f"{commands} in {batches}{rescued}{recovered}"

    def _stopped(self) -> AgentReport:
        return AgentReport(False, reason="stopped", warnings=tuple(self._warnings), cancelled=True)

    def _say(self, line: str) -> None:
        self._call.write(f"{line}\n".encode())


def _named(command: Command) -> str:
    return f"command {command.number} (`{first_sentence(command.text, 60)}`)"


def _problem(failed: Sequence[tuple[Command, AgentReport]]) -> str:
    (command, report), *others = failed
    more = f"; so did {_counted(len(others), 'other')} of its batch" if others else ""
    return f"{_named(command)} failed: {report.reason}{more}"


def _counted(number: int, what: str, plural: str = "s") -> str:
    return f"{number} {what}{plural if number != 1 else ''}"
