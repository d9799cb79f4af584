"""Journal events made from what managers report. Pure."""

from __future__ import annotations

from typing import Any

from orchestrator.integration import Verdict
from shared.messages import AgentConflicted, AgentEnded, AgentStarted, ContextGiven
from shared.model import AgentName, Plan, SlotKind, TaskId, TaskResult

GATE = AgentName("@gate")  # who asks for the slot of a gate


def slot(task: TaskId, agent: AgentName, kind: SlotKind) -> dict[str, Any]:
    """Of ``slot.wanted``, ``slot.granted`` and ``slot.returned``."""
    return {"task": task, "agent": agent, "kind": kind}


def slots_sized(total: int, *, model: int, cpu: int, gate: int, reason: str) -> dict[str, Any]:
    """How many slots there are from now on, and why; a ``reason`` that names a rate limit counts as waiting."""
    return {"total": total, "model": model, "cpu": cpu, "gate": gate, "reason": reason}


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
    }
