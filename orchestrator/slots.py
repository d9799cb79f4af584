"""The engine's side of slots: who asks, who gets one, and how many there are; all of it in the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from orchestrator import events
from orchestrator.broker import Broker, Lease, Sizes
from orchestrator.sizing import Load, Range, adjusted
from shared.model import AgentName, SlotKind, TaskId

_LOOK_SECONDS = 2.0  # between looks at what the machine bears


class Record(Protocol):
    def __call__(self, event: str, fields: dict[str, Any]) -> None: ...


class Slots:
    """One pool for all tasks of a run.

    ``paths`` are seconds of the longest path from each agent to the end of its task, ``after`` those of the
    dependents of a task, ``order`` is the batch's.
    """

    def __init__(
        self,
        bounds: Range,
        paths: Mapping[TaskId, Mapping[AgentName, float]],
        after: Mapping[TaskId, float],
        order: Mapping[TaskId, int],
        record: Record,
        measure: Callable[[], Load],
    ) -> None:
        self._bounds, self._paths, self._after, self._order = bounds, paths, after, order
        self._record, self._measure = record, measure
        self._broker = Broker(bounds.first)
        self._looked = 0.0

    def begin(self) -> None:
        """Say in the journal how many there are."""
        self._tell(self._bounds.first, "at the start")

    def want(self, task: TaskId, agent: AgentName, kind: SlotKind) -> None:
        """``agent``, ``PARENT/name`` for a sub-agent, asks for a slot; one that it still held is back with that."""
        self.give_back(task, agent)
        self._record("slot.wanted", events.slot(task, agent, kind))
        self._broker.want(
            Lease(task, agent, kind), self._path(task, agent) + self._after[task], self._order[task]
        )

    def _path(self, task: TaskId, agent: AgentName) -> float:
        """Who is in no path resolves a conflict, and what waits for that may be the rest of the task."""
        paths = self._paths[task]
        found = paths.get(AgentName(agent.partition("/")[0]))
        return max(paths.values(), default=0.0) if found is None else found

    def give_back(self, task: TaskId, agent: AgentName) -> None:
        lease = self._broker.give_back(task, agent)
        if lease is not None:
            self._record("slot.returned", events.slot(task, agent, lease.kind))

    def forget(self, task: TaskId) -> None:
        """The manager of ``task`` is gone, and with it whatever held its slots."""
        for lease in self._broker.forget(task):
            self._record("slot.returned", events.slot(task, lease.agent, lease.kind))

    def grants(self) -> list[Lease]:
        """Leases given now, best first."""
        granted = self._broker.grants()
        for lease in granted:
            self._record("slot.granted", events.slot(lease.task, lease.agent, lease.kind))
        return granted

    def tick(self, now: float) -> None:
        """Look, now and then, whether there should be more slots or fewer; ``now`` is monotonic."""
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        crowded = (self._broker.crowded("model"), self._broker.crowded("cpu"))
        sizes, reason = adjusted(self._broker.sizes, self._bounds, self._measure(), crowded=crowded)
        if reason:
            self._broker.sizes = sizes
            self._tell(sizes, reason)

    def _tell(self, sizes: Sizes, reason: str) -> None:
        fields = events.slots_sized(
            sizes.total, model=sizes.model, cpu=sizes.cpu, gate=sizes.gate, reason=reason
        )
        self._record("slots.sized", fields)
