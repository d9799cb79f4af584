"""Serving plans that worked, offering those for similar tasks, checking and keeping new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shared.model import AgentName
from shared.text import printable
from workflow_manager import beneath, insisting
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.plans.content import NoPlan, Plan, plan_of
from workflow_manager.plans.keys import key_for
from workflow_manager.plans.shelf import Kept, Shelf
from workflow_manager.untrusted import read_mapping, read_small

SIMILAR = "similar.md"
SERVED, OFFERED = "plan-from-cache", "plan-offered"  # counted in reports
_SHOWN = 4000  # characters of another task's text


class Serving:
    """For one call of a planning agent, which is to leave the parts ``asked`` for."""

    def __init__(self, call: AgentCall, asked: frozenset[str]) -> None:
        self._call, self._asked = call, asked
        self._shelf = Shelf(call.memory) if call.memory is not None else None
        self._before = Shelf(call.recall) if call.recall is not None else self._shelf
        self._base = call.environment.get("SPINNEY_BASE", "")
        self._key = key_for(call.agent, call.task, call.settings, self._base, self._left_by)

    def _left_by(self, name: AgentName) -> bytes:
        return read_small(self._call.output_folder.parent / name / "output.json") or b""

    def report(self, run: Callable[[AgentCall], AgentReport]) -> AgentReport:
        """The plan from the cache, or what ``run`` makes of the call, checked."""
        kept = self._before.at(self._key) if self._before is not None and self._call.attempt == 1 else None
        if kept is not None and kept.worked:
            return self._served(kept.plan)
        offered = self._offer()
        report = run(self._call)
        counts = {**report.tool_calls, OFFERED: 1} if offered else report.tool_calls
        return self._checked(replace(report, tool_calls=counts))

    def judge(self, ok: bool, part: str, commands: tuple[str, ...]) -> None:
        """``commands`` were carried out; the plan that is kept is trusted if it is the one they come from."""
        kept = self._shelf.at(self._key) if self._shelf is not None else None
        if kept is None or self._shelf is None:
            return
        worked = ok and kept.plan.part(part) == commands
        if worked != kept.worked:
            self._shelf.put(replace(kept, worked=worked))

    def _served(self, plan: Plan) -> AgentReport:
        self._call.write(
            b"the same task was planned before on the same commit: its plan is served, no model is asked\n"
        )
        summary = f"from the cache: {plan.summary or 'a plan that worked before'}"
        return AgentReport(
            True, summary, plan=plan.reported, decisions=plan.decisions, tool_calls={SERVED: 1}
        )

    def _checked(self, report: AgentReport) -> AgentReport:
        """``report``, or a failed one where the plan is none; a good one is kept until it is known to work."""
        if not report.ok:
            return report
        output = {**_mapping(report), **read_mapping(self._call.output_folder / "output.json")}
        decided = read_mapping(self._call.output_folder / "decisions.json")
        decisions = {
            **report.decisions,
            **{key: text for key, text in decided.items() if isinstance(text, str)},
        }
        try:
            plan = plan_of(output, self._asked, decisions)
        except NoPlan as mistake:
            return replace(report, ok=False, reason=str(mistake))
        if self._shelf is not None and self._key:
            self._shelf.put(self._kept(plan))
        return report

    def _kept(self, plan: Plan) -> Kept:
        task, agent = self._call.task, self._call.agent
        names = (self._key, str(agent.name), task.workflow.name)
        return Kept(*names, task.title, task.body, self._base, task.foreign, plan)

    def _offer(self) -> bool:
        """Lay a similar task's plan before the agent; whether there is one."""
        folder = self._call.output_folder
        root = folder.parents[1]  # the task's worktree
        beneath.remove(root, (*folder.relative_to(root).parts, SIMILAR))
        found = self._before.similar(self._kept(Plan())) if self._before is not None else None
        if found is None:
            return False
        insisting.replace(root, folder / SIMILAR, _shown(*found))
        with self._call.prompt_file.open("a") as prompt:
            prompt.write(
                f"\nA plan that worked for a similar task is in `.tasks/{self._call.agent.name}/{SIMILAR}`: "
                "take from it what fits here, and nothing unread.\n"
            )
        self._call.write(f"the plan of a similar task is offered ({found[1]:.0%} alike)\n".encode())
        return True


def _mapping(report: AgentReport) -> Mapping[str, Any]:
    """A report as the agent's output file would have it."""
    pairs = (entry.partition(" => ") for entry in report.plan.get("fallbacks", ()))
    fallbacks = {command.strip(): instead.strip() for command, _, instead in pairs}
    return {**report.plan, "fallbacks": fallbacks, "summary": report.summary}


def _shown(kept: Kept, alike: float) -> str:
    lines = [
        f"# A plan for a similar task: {printable(' '.join(kept.title.split()), limit=200)}",
        "",
        f"The texts are {alike:.0%} alike. It was carried out to its end from the commit {kept.base[:10]}, so it need",
        "not fit here: paths, names and what is there already may differ.",
        "",
        "## That task's text",
        "",
        *(f"> {line}" for line in printable(kept.body, limit=_SHOWN).splitlines()),
    ]
    for title, commands in (("Commands", kept.plan.commands), ("Checks", kept.plan.checks)):
        if commands:
            lines += ["", f"## {title}", "", *(f"{n}. `{command}`" for n, command in enumerate(commands, 1))]
    for command, instead in kept.plan.fallbacks.items():
        lines += ["", f"If `{command}` fails: `{instead}`"]
    return "\n".join(lines) + "\n"
