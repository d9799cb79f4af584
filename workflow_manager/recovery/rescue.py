"""Bringing a list of planned commands past one that failed: what worked before, then the table, then a model."""

from __future__ import annotations

import select
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from shared.model import SubAgent
from shared.text import first_sentence
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.recovery import asking
from workflow_manager.recovery.machine import reaches_out
from workflow_manager.recovery.proposals import Diagnosis, Failure, Proposal
from workflow_manager.recovery.remembered import Recoveries
from workflow_manager.recovery.surroundings import look
from workflow_manager.recovery.table import diagnose

_MOST = 3  # proposals that are tried for one command
_BEAT = 1.0  # seconds between signs of life
BY_PATTERN, FROM_MEMORY, BY_MODEL = "recovery-by-pattern", "recovery-from-memory", "recovery-by-model"
FAILED, ASKED = "recovery-failed", "recovery-model-asked"

Again = Callable[[str, str], AgentReport]  # runs a command's script, or a text in its place, under a name


@dataclass(slots=True)
class _Trouble:
    """A command that failed, as far as we have come with it."""

    name: str
    shown: str
    command: str
    report: AgentReport  # of its last run
    again: Again
    tries: int = 0
    outputs: tuple[str, ...] = ()  # of the runs before

    @property
    def failure(self) -> Failure:
        return Failure(self.command, self.report.reason.partition(":")[0], self.report.output)

    def is_new(self, second: AgentReport) -> bool:
        """Whether the run after a proposal failed with something else, which has a cause of its own."""
        return second.output not in (self.report.output, *self.outputs) and not second.cancelled

    def after(self, proposal: Proposal, second: AgentReport) -> _Trouble:
        """What is left of it: the command as it was changed, and how that failed."""
        command, again = proposal.instead or self.command, self.again
        return replace(
            self,
            command=command,
            report=second,
            again=lambda name, instead: again(name, instead or command),
            outputs=(*self.outputs, self.report.output),
        )


class Rescue:
    """For the commands of one list. What is run first is run once for all of them."""

    def __init__(self, call: AgentCall) -> None:
        self._call = call
        self._recoveries = Recoveries(call.memory, call.recall)
        self._ran: dict[str, bool] = {}  # what was run first, and whether it ended well
        self.by_model = (
            False  # whether a model's words have been run, whose work all later commands may execute
        )
        self.warnings: list[str] = []
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each way helped; every one but the model's is a call of a model that was saved."""
        return dict(self._counts)

    @property
    def summary(self) -> str:
        """How many commands were brought past their failures, for the end of a sentence."""
        by_model = self._counts[BY_MODEL]
        recovered = self._counts[BY_PATTERN] + self._counts[FROM_MEMORY] + by_model
        asked = f" ({by_model} by a model)" if by_model else ""
        return f", {recovered} recovered{asked}" if recovered else ""

    def of(self, name: str, shown: str, command: str, report: AgentReport, again: Again) -> bool:
        """Whether the command called ``name`` has ended well after all. ``shown`` is how it is told to people."""
        return self._past(_Trouble(name, shown, command, report, again))

    def _past(self, trouble: _Trouble) -> bool:
        failure, root = trouble.failure, str(self._call.worktree)
        diagnosis = diagnose(failure, look(self._call))
        known = self._recoveries.known(diagnosis.signature, failure)
        ways = [(FROM_MEMORY, proposal) for proposal in known]
        ways += [(BY_PATTERN, proposal) for proposal in diagnosis.proposals if proposal not in known]
        tried = 0
        for how, proposal in ways:
            if self._call.cancel.is_set:
                return False
            if not self._may_run(proposal) or reaches_out(proposal.before, root):
                self._told(trouble.shown, proposal)
            elif trouble.tries < _MOST:
                tried += 1
                second = self._try(trouble, proposal)
                if second.ok:
                    return self._worked(how, diagnosis, failure, proposal)
                if trouble.is_new(second):
                    return self._past(trouble.after(proposal, second))
        return self._asked(trouble, diagnosis, tried)

    def _try(self, trouble: _Trouble, proposal: Proposal) -> AgentReport:
        """Do what ``proposal`` says and run the command again; its end."""
        trouble.tries += 1
        name, shown = f"{trouble.name}-{trouble.tries}", trouble.shown
        self._say(f"{shown} failed: {proposal.why}; {_doing(proposal)}")
        if proposal.pause and not self._waited(proposal.pause):
            return trouble.report
        self.by_model |= proposal.by_model
        if proposal.before and not self._prepared(f"{name}-first", proposal.before):
            self.warnings.append(
                f"{shown} failed: {proposal.why}; `{_short(proposal.before)}` failed as well"
            )
            return trouble.report
        second = trouble.again(f"{name}-again", proposal.instead)
        if second.ok:
            self.warnings.append(f"{shown} failed: {proposal.why}; it ran well after {_doing(proposal)}")
        return second

    def _may_run(self, proposal: Proposal) -> bool:
        """Whether ``proposal`` may be tried here: what a model made up only in a sandbox, whoever planned the rest."""
        shut_in = bool(self._call.containment.program) or self._call.settings.unsafe_no_sandbox
        return proposal.runnable and (shut_in or not proposal.by_model)

    def _prepared(self, name: str, command: str) -> bool:
        if command not in self._ran:
            sub = SubAgent(name, run=command, timeout=self._call.timeout, by_model=self.by_model)
            [report] = self._call.spawn([sub])
            self._ran[command] = report.ok
        return self._ran[command]

    def _waited(self, seconds: float) -> bool:
        """Let the time pass, unless the run is stopped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._call.cancel.is_set:
            self._call.beat()
            select.select([self._call.cancel], [], [], min(left, _BEAT))
        return not self._call.cancel.is_set

    def _worked(self, how: str, diagnosis: Diagnosis, failure: Failure, proposal: Proposal) -> bool:
        self._counts[how] += 1
        # What a model made of a stranger's text is not to be run for the tasks of others.
        if how != BY_MODEL or not self._call.task.foreign:
            self._recoveries.worked(diagnosis.signature, failure, proposal)
        return True

    def _asked(self, trouble: _Trouble, diagnosis: Diagnosis, tried: int) -> bool:
        """Whether a model, asked as the last resort, knew what to do."""
        call, failure = self._call, trouble.failure
        if call.gateway is not None and call.agent.planned and asking.worth_asking(diagnosis, tried):
            backend = asking.backend_for(call.task, call.agent.planned.agent, call.settings.backend)
            self._counts[ASKED] += 1
            [report] = call.spawn([asking.question(f"{trouble.name}-help", failure, diagnosis, backend)])
            proposal = asking.answered(report, str(call.worktree))
            if proposal is not None and not self._may_run(proposal):
                self._told(trouble.shown, proposal)
            elif proposal is not None and self._try(trouble, proposal).ok:
                return self._worked(BY_MODEL, diagnosis, failure, proposal)
        self._counts[FAILED] += trouble.tries > 0
        return False

    def _told(self, shown: str, proposal: Proposal) -> None:
        self.warnings.append(f"{shown} failed: {proposal}")

    def _say(self, line: str) -> None:
        self._call.write(f"{line}\n".encode())


def _doing(proposal: Proposal) -> str:
    if proposal.before:
        return f"`{_short(proposal.before)}`"
    return (
        f"a pause of {proposal.pause:.0f} s"
        if proposal.pause
        else f"a change to `{_short(proposal.instead)}`"
    )


def _short(command: str) -> str:
    return first_sentence(command.rstrip("\n").rpartition("\n")[2] or command, 60)
