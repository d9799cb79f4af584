"""A run as lines that people read while it goes on, where there is no live board. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.reporting import bills
from orchestrator.reporting.report import counts, word
from orchestrator.reporting.times import duration
from orchestrator.view import RunView

Record = dict[str, Any]

_NAMES = 4  # agents or paths that are named; more are counted
_BETWEEN = ("slot.wanted", "slot.granted", "slot.returned")  # may come between two agents that are skipped


@dataclass(slots=True)
class Lines:
    """Takes events, gives lines; agents that are skipped together make one."""

    _skipped: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # agent and reason, by task

    def of(self, record: Record, view: RunView) -> list[str]:
        """What there is to say now; ``view`` holds ``record`` already."""
        task = record.get("task", "")
        if record["event"] == "agent.skipped":
            self._skipped.setdefault(task, []).append((record["agent"], record["reason"]))
            return []
        found = [] if record["event"] in _BETWEEN else list(self._together(task))
        line = line_for(record, view)
        return [*found, line] if line else found

    def _together(self, task: str) -> Iterator[str]:
        skipped = self._skipped.pop(task, [])
        names, reasons = [name for name, _ in skipped], {reason for _, reason in skipped}
        if len(names) == 1:
            yield f"{task}: skipped {names[0]}: {reasons.pop()}"
        elif names:
            why = reasons.pop() if len(reasons) == 1 else f"why: spinney explain {task}"
            yield f"{task}: skipped {len(names)} agents: {_some(names)} ({why})"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def line_for(record: Record, view: RunView) -> str | None:
    """What an event says by itself; None where that is of no interest to a person."""
    event: str = record["event"]
    if event.startswith("agent."):
        return _agent(event, record, view)
    task = record.get("task", "")
    match event:
        case "run.started":
            count = len(record["tasks"])
            return f"run {record['run']}: {count} task{'s' if count != 1 else ''}, {record['jobs']} at once"
        case "run.resumed":
            return f"run {view.id} goes on: {counts(view)}"
        case "note":
            return f"note: {record['text']}"
        case "slots.sized":
            return slots_changed(view)
        case "task.started":
            return f"{task}: started" + (f", try {record['attempt']}" if record["attempt"] > 1 else "")
        case "phase.committed":
            return f"{task}: [{record['phase']}] committed as {record['oid'][:10]}"
        case "manager.lost":
            return f"{task}: its manager was lost ({record['reason']})"
        case "gate.ended":
            verdict = "passed" if record["passed"] else "failed"
            return f"{task}: gate {verdict} in {duration(record['seconds'])}"
        case "task.settled":
            status = word(view, record["status"])
            return f"{task}: {status}" + (f", {record['reason']}" if record["reason"] else "")
        case "model.held" if view.spending.pause is not None:
            return bills.waits(view.spending.pause)
        case "model.released":
            return "models: going on"
        case "model.refused":
            return f"models: {record['reason']}"
        case "budget.spent":
            return f"{task or 'the run'}: {record['reason']}"
        case "forge.held" if view.forge_pause is not None:
            return bills.waits(view.forge_pause, "GitHub")
        case "forge.released":
            return "GitHub: going on"
        case "pull.opened" if record["url"].startswith("http"):
            return f"{task or 'the batch'}: pull request #{record['number']}, {record['url']}"
        case "into.moved":
            return f"{view.into} moved to {record['oid'][:10]}"
        case _:
            return None


def _agent(event: str, record: Record, view: RunView) -> str | None:
    who = f"{record['task']}: {record['phase']} / {record['agent']}"
    match event:
        case "agent.started" if record["attempt"] > 1:
            return f"{who} runs again, try {record['attempt']}{_higher(record, view)}"
        case "agent.ended":
            state = "done" if record["ok"] else "failed"
            said = f": {record['summary']}" if record["summary"] not in ("", state) else ""
            return f"{who} {state} in {duration(record['seconds'])}{said}"
        case "agent.conflicted":
            answer = f"{record['resolver']} is to resolve it" if record["resolver"] else "nobody resolves it"
            return f"{who} conflicts with other agents in {_some(record['paths'])}; {answer}"
        case _:
            return None


def _higher(record: Record, view: RunView) -> str:
    """That a try has a better model than the one before."""
    tries = [agent.tier for agent in view.tasks[record["task"]].agents if agent.name == record["agent"]]
    return f", with a {tries[-1]} model" if len(set(tries)) > 1 else ""


def slots_changed(view: RunView) -> str | None:
    """That there are fewer slots, or as many again as at first; each step on the way up is of no interest."""
    totals = [pool.total for pool in view.pools]
    if len(totals) < 2 or totals[-1] == totals[-2]:
        return None
    if totals[-1] < totals[-2]:
        return f"fewer slots, {totals[-1]} instead of {totals[-2]}: {view.pools[-1].reason}"
    return f"{totals[-1]} slots again: {view.pools[-1].reason}" if totals[-1] == totals[0] else None
