"""What a job hands back, from the journal of the run in which it carried out its one task. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.fan_out.result import (
    AgentEntry,
    CallEntry,
    Outcome,
    PhaseEntry,
    Result,
    SkippedEntry,
    entries,
)
from orchestrator.view import AgentView, RunView
from shared.model import Oid, TaskId, TaskStatus
from shared.text import first_sentence

_REASON, _LINE = 1000, 300  # characters
_MANY = 200  # notes
_EVENTS = ("agent.skipped", "model.called")
_AGENT = (
    "phase", "attempt", "kind", "tier", "started", "seconds", "ok", "input_tokens", "output_tokens", "cost_usd",
    "counts",
)  # fmt: skip
_OUTCOMES: dict[TaskStatus, Outcome] = {
    TaskStatus.MERGED: "done",
    TaskStatus.FINISHED: "done",
    TaskStatus.UNMERGED: "done",
    TaskStatus.CONFLICT: "done",
    TaskStatus.NO_CHANGE: "no-change",
    TaskStatus.FAILED: "failed",
    TaskStatus.SKIPPED: "skipped",
}


def result_of(
    view: RunView, records: Iterable[dict[str, Any]], task: TaskId, *, plan: str, base: Oid, tip: Oid
) -> Result:
    """``plan`` is the digest of the plan; ``tip`` is where the task's branch stands, ``base`` where there is none."""
    entry = view.tasks[task]
    told = list(records)
    of = {name: [r for r in told if r["event"] == name and r.get("task") == task] for name in _EVENTS}
    return Result(
        plan=plan,
        task=task,
        outcome=_OUTCOMES.get(entry.status, "interrupted"),
        reason=first_sentence(entry.reason or entry.spent, _REASON),
        base=base,
        tip=tip,
        started=view.started,
        ended=view.ended or max((r["time"] for r in told), default=view.started),
        phases=tuple(
            PhaseEntry(phase=r["phase"], oid=r.get("oid"))
            for r in told
            if r["event"] in ("phase.committed", "phase.unchanged") and r["task"] == task
        ),
        agents=tuple(_agent(agent) for agent in entry.agents if agent.ended is not None),
        skipped=entries(SkippedEntry, of["agent.skipped"]),
        calls=entries(CallEntry, of["model.called"]),
        notes=tuple(first_sentence(note, _LINE) for note in view.notes[:_MANY]),
    )


def _agent(agent: AgentView) -> AgentEntry:
    fields = {name: getattr(agent, name) for name in _AGENT}
    summary = first_sentence(agent.summary, _LINE)
    warnings = tuple(first_sentence(text, _LINE) for text in agent.warnings[:50])
    return AgentEntry(**fields, agent=agent.name, summary=summary, warnings=warnings)
