"""Why a task is where it is, in whole sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.reporting import bills
from orchestrator.reporting.times import spelled
from orchestrator.reporting.waiting import integration
from orchestrator.view import INTERRUPTED, LOST, AgentView, ConflictView, ContextView, RunView, TaskView
from shared.model import TaskStatus

_NOTICED = 0.05  # seconds of waiting that are worth a word


def explain(view: RunView, task: TaskView) -> list[str]:
    lines = [f"{task.id}: {task.title}", f"status: {task.status}"]
    if task.reason:
        lines.append(f"why: {task.reason}")
    if task.spent:
        lines.append(f"stopped: {task.spent}")
    if task.bill.calls:
        lines.append(f"models: {bills.bill(task.bill)}")
    lines += _standing(view, task)
    if task.gate_log:
        lines.append(f"the gate's output: {task.gate_log}")
    if task.status is TaskStatus.FAILED and task.worktree:
        lines.append(f"its worktree is kept at {task.worktree}")
    lines += _agents(task)
    lines += _refused(task)
    lines += [_conflict(task, conflict) for conflict in task.conflicts]
    lines += [f"  {name} skipped: {reason}" for name, reason in task.skipped_agents]
    lines += [f"  commit {oid[:10]} [{phase}]" for phase, oid in task.commits]
    return lines + _integration(view, task)


def _standing(view: RunView, task: TaskView) -> list[str]:
    match task.status:
        case TaskStatus.WAITING:
            return [_waiting(view, task)]
        case TaskStatus.RUNNING:
            return _running(view, task)
        case TaskStatus.FINISHED:
            return [f"its work is on {task.branch}; {_merging(view, task)}"]
        case TaskStatus.CONFLICT:
            return [
                f"files in conflict: {', '.join(task.conflict_files)}",
                f"with: {', '.join(task.conflict_with) or view.into or 'the target'}",
                f"its work is kept on {task.branch}",
            ]
        case TaskStatus.MERGED:
            return [f"merged by {task.merged[:10]} into {view.merged_ref.removeprefix('refs/heads/')}"]
        case TaskStatus.UNMERGED | TaskStatus.FAILED | TaskStatus.SKIPPED if task.commits:
            count = f"{len(task.commits)} commits are" if len(task.commits) > 1 else "commit is"
            return [f"its {count} kept on {task.branch}"]
        case _:
            return []


def _waiting(view: RunView, task: TaskView) -> str:
    open_needs = [
        need
        for need in task.needs
        if not view.tasks[need].status.final and view.tasks[need].status is not TaskStatus.FINISHED
    ]
    if open_needs:
        return f"it waits for: {', '.join(f'{need} ({view.tasks[need].status})' for need in open_needs)}"
    if view.status == "interrupted":
        return f"the run was interrupted before it was over; {view.goes_on_by} goes on"
    return "it waits for a place among the open tasks"


def _running(view: RunView, task: TaskView) -> list[str]:
    taken = f"one of the {view.slots} slots, which are all taken"
    if waiting := [f"{slot.agent} ({slot.kind})" for slot in task.queue if slot.granted is None]:
        full = view.slots_used >= view.slots
        return [f"waiting for {taken if full else 'a slot'}: {', '.join(waiting)}"]
    if not task.running_agents and not view.pools and view.slots_used >= view.slots:
        return [f"it waits for {taken}"]  # a journal that does not say who wants a slot
    return []


def _merging(view: RunView, task: TaskView) -> str:
    if view.gating == task.id:
        return "the gate runs on it"
    if task.merging is not None:
        return "it is being merged"
    before = view.order[: view.order.index(task.id)] if task.id in view.order else ()
    earlier = [name for name in before if not view.tasks[name].status.final]
    return f"it is integrated after: {', '.join(earlier) or 'nothing else'}"


def _agents(task: TaskView) -> Iterator[str]:
    """An entry an execution, those that an agent asked for below it."""
    last = {agent.name: agent for agent in task.agents}
    nested = {id(child) for agent in task.agents for child in _children(task, agent)}
    for agent in task.agents:
        if id(agent) in nested:
            continue
        yield f"  {agent.phase} / {_agent(agent)}"
        context = task.contexts.get(agent.name) if last[agent.name] is agent else None
        for detail in _details(agent, context):
            yield f"    {detail}"
        for child in _children(task, agent):
            yield f"    {_agent(child)}"
            for detail in _details(child, None):
                yield f"      {detail}"


def _children(task: TaskView, agent: AgentView) -> list[AgentView]:
    """Those that this execution of ``agent`` asked for."""
    until = float("inf") if agent.ended is None else agent.ended
    return [
        other
        for other in task.agents
        if other.parent == agent.name and agent.started <= other.started <= until
    ]


def _agent(agent: AgentView) -> str:
    state = f"{'ok' if agent.ok else 'failed'}, {spelled(agent.seconds)}"
    tail = f": {agent.summary}" if agent.summary else ""
    if agent.ended is None:
        state, tail = "running", ""
    elif agent.summary in (INTERRUPTED, LOST):
        state, tail = agent.summary, ""
    return f"{agent.name} (try {agent.attempt}{_tier(agent)}): {state}{tail}"


def _tier(agent: AgentView) -> str:
    """Worth a word from the second try on: it may be a tier higher than the one before."""
    return f", {agent.tier}" if agent.attempt > 1 and agent.bill.calls else ""


def _details(agent: AgentView, context: ContextView | None) -> Iterator[str]:
    waits = [(agent.needed, "until its needs were done"), (agent.slot_seconds, "for a slot")]
    if told := [f"{spelled(seconds)} {what}" for seconds, what in waits if seconds >= _NOTICED]:
        yield f"waited {' and '.join(told)}"
    if agent.bill.calls:
        yield f"{agent.tier} model: {bills.bill(agent.bill)}"
    yield from (f"warning: {warning}" for warning in agent.warnings)
    if agent.bill.held >= _NOTICED:
        yield f"waited {spelled(agent.bill.held)} for models that were busy"
    if context is not None:
        yield f"context: {_context(context)}"


def _context(context: ContextView) -> str:
    of = f" of {context.budget}" if context.budget else ""
    parts = [f"{context.tokens}{of} tokens" + (f", {context.saved} saved" if context.saved else "")]
    if context.compressed:
        parts.append(f"compressed: {', '.join(context.compressed)}")
    if context.refused:
        times = f"{context.refused} times" if context.refused > 1 else "once"
        parts.append(f"refused {times}: it would have passed the budget")
    return "; ".join(parts)


def _refused(task: TaskView) -> Iterator[str]:
    """Agents that never began, because what they were to read would have passed a budget."""
    began = {agent.name for agent in task.agents}
    for name, context in task.contexts.items():
        if name not in began:
            yield f"  {name} did not begin; context: {_context(context)}"


def _conflict(task: TaskView, conflict: ConflictView) -> str:
    return (
        f"  {conflict.agent} conflicted with other agents in {', '.join(conflict.paths)}; "
        f"{_answer(task, conflict.resolver)}"
    )


def _answer(task: TaskView, resolver: str) -> str:
    if not resolver:
        return "nobody resolves it"
    runs = [agent for agent in task.agents if agent.name == resolver]
    if not runs:
        return f"{resolver} was asked to resolve it"
    if runs[-1].ended is None:
        return f"{resolver} is resolving it"
    return f"{resolver} {'resolved it' if runs[-1].ok else 'could not resolve it'}"


def _integration(view: RunView, task: TaskView) -> list[str]:
    """What it waited for after its last agent."""
    if task.finished is None or task.settled is None:
        return []
    gate, queue = integration(view, task, task.settled)
    waits = [(gate, "for the gate"), (queue, "to be merged")]
    told = [f"{spelled(seconds)} {what}" for seconds, what in waits if seconds >= _NOTICED]
    return [f"  then waited {' and '.join(told)}"] if told else []
