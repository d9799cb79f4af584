"""What the events of a task's agents and slots do to its picture. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.view.tasks import AgentView, ConflictView, ContextView, SlotView, TaskView

Record = dict[str, Any]


def _slots_of(task: TaskView, agent: str) -> list[SlotView]:
    """Where an agent's wishes are kept: with the agent while it runs, in the task's queue before."""
    running = task.running(agent)
    return running.slots if running is not None else task.queue


def _begins(task: TaskView, at: float) -> float:
    """When the first agent of the present attempt asked for its slot: at ``at``, unless one did before."""
    if task.begun is None:
        task.begun = at
        task.startup += max(0.0, at - task.opened)
    return task.begun


def _slot_wanted(task: TaskView, r: Record) -> None:
    _begins(task, r["time"])
    _slots_of(task, r["agent"]).append(SlotView(r["agent"], r["kind"], r["time"], after=task.latest))


def _slot_granted(task: TaskView, r: Record) -> None:
    wishes = [slot for slot in _slots_of(task, r["agent"]) if slot.agent == r["agent"]]
    for slot in wishes[-1:]:
        slot.granted = r["time"]


def _slot_returned(task: TaskView, r: Record) -> None:
    if (running := task.running(r["agent"])) is not None and running.slots:
        running.slots[-1].returned = r["time"]
    task.queue = [slot for slot in task.queue if slot.agent != r["agent"]]


def _agent_started(task: TaskView, r: Record) -> None:
    agent = AgentView(task.id, r["phase"], r["agent"], r["attempt"], r["time"])
    agent.kind, agent.tier = r.get("kind", agent.kind), r.get("tier", agent.tier)
    agent.slots = [slot for slot in task.queue if slot.agent == agent.name][-1:]
    task.queue = [slot for slot in task.queue if slot.agent != agent.name]
    again = any(other.name == agent.name and other.started >= task.opened for other in task.agents)
    begun = _begins(task, agent.wanted)
    if not agent.parent and not again:
        agent.needed = max(0.0, agent.wanted - begun)
    task.agents.append(agent)


def _agent_ended(task: TaskView, r: Record) -> None:
    agent = task.running(r["agent"])
    if agent is None:  # it failed before it could begin
        agent = AgentView(task.id, r["phase"], r["agent"], r["attempt"], r["started"])
        task.agents.append(agent)
    agent.started, agent.ended = r["started"], r["started"] + r["seconds"]
    agent.seconds, agent.ok, agent.summary = r["seconds"], r["ok"], r["summary"]
    agent.counts, agent.warnings = dict(r.get("counts", {})), tuple(r.get("warnings", ()))
    # Otherwise the gateway has told, call by call; who only reports once more what a manager before heard has no call.
    if not agent.bill.calls and not task.bill.calls:
        agent.input_tokens, agent.output_tokens = r["input_tokens"], r["output_tokens"]
        agent.cost_usd = r["cost_usd"]
    if not agent.parent:
        task.latest = next(i for i, other in enumerate(task.agents) if other is agent)
    elif (parent := task.running(agent.parent)) is not None:
        parent.away.append((min(agent.wanted, agent.started), agent.ended))


def _model_called(task: TaskView, r: Record) -> None:
    task.bill.add(r)
    agent = next(
        (a for a in reversed(task.agents) if a.name == r["agent"] and a.attempt == r["attempt"]), None
    )
    if agent is not None:
        agent.bill.add(r)
        agent.input_tokens, agent.output_tokens = agent.bill.read, agent.bill.written
        agent.cost_usd = agent.bill.usd


def _agent_skipped(task: TaskView, r: Record) -> None:
    if (r["agent"], r["reason"]) not in task.skipped_agents:
        task.skipped_agents.append((r["agent"], r["reason"]))


def _agent_conflicted(task: TaskView, r: Record) -> None:
    task.conflicts.append(ConflictView(r["phase"], r["agent"], tuple(r["paths"]), r["resolver"]))


def _context_given(task: TaskView, r: Record) -> None:
    context = task.contexts.setdefault(r["agent"], ContextView(budget=r["budget"]))
    if r["refused"]:
        context.refused += 1
        return
    context.tokens += r["tokens"]
    context.saved += r["saved"]
    context.compressed += [name for name in r["compressed"] if name not in context.compressed]


HANDLERS: Mapping[str, Callable[[TaskView, Record], None]] = {
    "slot.wanted": _slot_wanted,
    "slot.granted": _slot_granted,
    "slot.returned": _slot_returned,
    "agent.started": _agent_started,
    "agent.ended": _agent_ended,
    "model.called": _model_called,
    "agent.skipped": _agent_skipped,
    "agent.conflicted": _agent_conflicted,
    "context.given": _context_given,
}
