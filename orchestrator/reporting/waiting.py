"""What was waited for, by cause. Pure.

Seconds are summed over those who waited: agents for their needs and for slots, tasks for their worktree, the
tasks they need, the gate and the queue of merges. Several wait at once, so the sums exceed the time of the run.

- ``start``: from a task's start until the first of its agents asks for a slot: its worktree is set up.
- ``needs``: from then until an agent asks for its own, and from the run's start until the last task that a task
  needs is over.
- ``slot``: from that wish until it is granted; while a rate limit keeps the pool small it is ``rate_limit``.
- ``rate_limit``: also what the gateway held requests to models back for: limits, and a server that was away.
- ``gate``: from the end of a task's work until it is settled, as long as a gate runs or waits for its slot:
  its own, or that of a task before it in the queue.
- ``merge``: the rest of that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.view import RunView, TaskView
from orchestrator.view.spans import Span, union, within


@dataclass(frozen=True, slots=True)
class Waiting:
    """Seconds by cause."""

    start: float = 0.0
    needs: float = 0.0
    slot: float = 0.0
    gate: float = 0.0
    merge: float = 0.0
    rate_limit: float = 0.0


def waiting(view: RunView, now: float) -> Waiting:
    """Until ``now`` where it still goes on; gaps between sessions do not count."""
    sessions = view.worked(now)
    slots = [span for task in view.tasks.values() for span in slot_waits(task, _end(view, now))]
    limited = _limited(view, _end(view, now))
    in_slot = sum((within(span, sessions) for span in slots), 0.0)
    in_limit = sum((within(span, limited) for span in slots), 0.0)
    gate, merge = _integrations(view, view.tasks.values(), sessions, _end(view, now))
    needs = sum((agent.needed for agent in view.agents), 0.0)
    needs += sum(within(span, sessions) for span in _tasks_needing(view, _end(view, now)))
    start = sum((task.startup for task in view.tasks.values()), 0.0)
    held = view.spending.total.held
    return Waiting(start, needs, in_slot - in_limit, gate, merge, in_limit + held)


def _end(view: RunView, now: float) -> float:
    return now if view.ended is None else view.ended


def slot_waits(task: TaskView, until: float) -> Iterator[Span]:
    """Each wish of the task's agents, from when it was made until it was granted or given up."""
    for agent in task.agents:
        for slot in agent.slots:
            yield slot.waited(until if agent.ended is None else agent.ended)
    for slot in task.queue:
        yield slot.waited(until)


def _limited(view: RunView, until: float) -> list[Span]:
    """When a rate limit kept the pool small."""
    ends = [pool.since for pool in view.pools[1:]] + [until]
    return union((pool.since, end) for pool, end in zip(view.pools, ends, strict=False) if pool.limited)


def _tasks_needing(view: RunView, until: float) -> Iterator[Span]:
    for task in view.tasks.values():
        needs = [view.tasks[need] for need in task.needs]
        if not needs or (task.started is None and task.status.final):
            continue
        over = max(until if need.ended is None else need.ended for need in needs)
        yield view.started, over if task.started is None else min(over, task.started)


def integration(view: RunView, task: TaskView, until: float) -> tuple[float, float]:
    """Seconds from the end of a task's work until it is settled, or ``until``: for the gate, and beside that."""
    return _integrations(view, [task], view.worked(until), until)


def _integrations(
    view: RunView, tasks: Iterable[TaskView], sessions: Sequence[Span], until: float
) -> tuple[float, float]:
    gates = union((g.started - g.waited, until if g.ended is None else g.ended) for g in view.gate_runs)
    gate = whole = 0.0
    for task in tasks:
        if task.finished is not None:
            span = (task.finished, until if task.settled is None else task.settled)
            gate += within(span, gates)
            whole += within(span, sessions)
    return gate, max(0.0, whole - gate)
