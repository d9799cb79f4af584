"""Journal events made from what managers report. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, assert_never

from orchestrator import left_out
from orchestrator.integration import Verdict
from shared import messages
from shared.messages import AgentConflicted, AgentEnded, AgentStarted, ContextGiven, ModelCalled
from shared.model import AgentName, Plan, SlotKind, TaskId, TaskResult

GATE = AgentName("@gate")  # who asks for the slot of a gate


def slot(task: TaskId, agent: AgentName, kind: SlotKind) -> dict[str, Any]:
    """Of ``slot.wanted``, ``slot.granted`` and ``slot.returned``."""
    return {"task": task, "agent": agent, "kind": kind}


def slots_sized(total: int, *, model: int, cpu: int, gate: int, reason: str) -> dict[str, Any]:
    """How many slots there are from now on, and why; a ``reason`` that names a rate limit counts as waiting."""
    return {"total": total, "model": model, "cpu": cpu, "gate": gate, "reason": reason}


@dataclass(frozen=True, slots=True)
class Event:
    """A journal event; a durable one is on disk before anything follows from it."""

    name: str
    fields: dict[str, Any]
    durable: bool = False


Told = (
    messages.PhaseStarted
    | messages.AgentStarted
    | AgentConflicted
    | ContextGiven
    | AgentEnded
    | messages.AgentSkipped
    | messages.PhaseEnded
    | ModelCalled
    | messages.WorkedElsewhere
    | messages.Note
)


def told(task: TaskId, message: Told) -> Event:
    """What a manager says that is only to be recorded."""
    match message:
        case messages.PhaseStarted(phase):
            return Event("phase.started", {"task": task, "phase": phase})
        case messages.AgentStarted():
            return Event("agent.started", {"task": task, **agent_started(message)})
        case AgentConflicted():
            return Event("agent.conflicted", {"task": task, **agent_conflicted(message)})
        case ContextGiven():
            return Event("context.given", {"task": task, **context_given(message)})
        case AgentEnded():
            return Event("agent.ended", {"task": task, **agent_ended(message)})
        case messages.AgentSkipped(phase, agent, reason):
            return Event("agent.skipped", {"task": task, "phase": phase, "agent": agent, "reason": reason})
        case messages.PhaseEnded(phase, None):
            return Event("phase.unchanged", {"task": task, "phase": phase})
        case messages.PhaseEnded(phase, oid):
            return Event("phase.committed", {"task": task, "phase": phase, "oid": oid}, durable=True)
        case ModelCalled():
            return Event("model.called", {"task": task, **model_called(message)}, durable=True)
        case messages.WorkedElsewhere(started, ended):
            return Event("task.elsewhere", {"task": task, "started": started, "ended": ended})
        case messages.Note(text):
            return Event("note", {"text": text})
        case _:
            assert_never(message)


def agent_started(message: AgentStarted) -> dict[str, Any]:
    return {
        "phase": message.phase,
        "agent": message.agent,
        "attempt": message.attempt,
        "kind": message.kind,
        "tier": message.tier,
    }


def context_given(message: ContextGiven) -> dict[str, Any]:
    return {
        "agent": message.agent,
        "tokens": message.tokens,
        "saved": message.saved,
        "budget": message.budget,
        "compressed": list(message.compressed),
        "refused": message.refused,
    }


def agent_conflicted(message: AgentConflicted) -> dict[str, Any]:
    return {
        "phase": message.phase,
        "agent": message.agent,
        "paths": list(message.paths),
        "resolver": message.resolver,
    }


def agent_ended(message: AgentEnded) -> dict[str, Any]:
    return {
        "phase": message.phase,
        "agent": message.agent,
        "attempt": message.attempt,
        "ok": message.ok,
        "seconds": round(message.seconds, 4),
        "summary": message.summary,
        "started": round(message.started, 4),
        "input_tokens": message.tokens.input,
        "output_tokens": message.tokens.output,
        "cost_usd": message.cost_usd,
        **({"counts": dict(message.counts)} if message.counts else {}),
        **({"warnings": list(message.warnings)} if message.warnings else {}),
    }


def model_called(message: ModelCalled) -> dict[str, Any]:
    """What the gateway says of its own requests, as far as another run's record tells it."""
    tokens = message.tokens
    reserved = {"reserved_tokens": message.reserved_tokens, "reserved_usd": message.reserved_usd}
    return {
        "phase": message.phase,
        "agent": message.agent,
        "attempt": message.attempt,
        "model": message.model,
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_write_tokens": tokens.cache_write,
        "cache_write_1h_tokens": tokens.cache_write_1h,
        "cache_read_tokens": tokens.cache_read,
        "cost_usd": message.cost_usd,
        "tries": message.tries,
        "held": message.held,
        "source": message.source,
        **(reserved if any(reserved.values()) else {}),
    }


def task_over(result: TaskResult) -> dict[str, Any]:
    return {
        "task": result.task,
        "outcome": str(result.outcome),
        "tip": result.tip,
        "commits": [{"phase": commit.phase, "oid": commit.oid} for commit in result.commits],
        "paths": list(result.paths),
        "reason": result.reason,
    }


def task_settled(verdict: Verdict, ref: str) -> dict[str, Any]:
    """``ref`` is where the merged result is."""
    fields: dict[str, Any] = {"task": verdict.task, "status": str(verdict.status), "reason": verdict.reason}
    if verdict.merged is not None:
        fields |= {"merged": verdict.merged, "ref": ref}
    if verdict.files:
        fields |= {"files": list(verdict.files), "with": list(verdict.others)}
    if verdict.log:
        fields["log"] = verdict.log
    return fields


def plan_fields(plan: Plan) -> dict[str, Any]:
    """What ``run.started`` says of the plan."""
    return {
        "into": plan.settings.into,
        "gate": plan.settings.gate,
        "jobs": plan.settings.jobs,
        "order": list(plan.order),
        "budget": asdict(plan.settings.budget),
        "tasks": [
            {
                "id": task.id,
                "title": task.title,
                "needs": [need.task for need in task.needs],
                "branch": task.branch,
                "workflow": task.workflow.name,
                "change": task.change,
                "budget": task.workflow.budget,
            }
            for task in plan.tasks
        ],
        **({"round": True} if any(task.answers for task in plan.tasks) else {}),
        **({"left_out": left_out.to_data(plan.left_out)} if plan.left_out else {}),
    }
