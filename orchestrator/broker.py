"""Slots: permission to do one unit of scarce work now, leased per agent call from one pool for all tasks. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from shared.model import AgentName, SlotKind, TaskId

_Entry = tuple[float, int, int]  # longest path first, then the batch's order, then the order of asking


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many slots there are. ``total`` bounds agents of every kind together; gates are counted apart."""

    total: int
    model: int
    cpu: int
    gate: int = 1

    def of(self, kind: SlotKind) -> int:
        return {"model": self.model, "cpu": self.cpu, "gate": self.gate}[kind]


@dataclass(frozen=True, slots=True)
class Lease:
    task: TaskId
    agent: AgentName
    kind: SlotKind = "cpu"


class Broker:
    """Grants leases while there are slots; the longest remaining path first, then the batch's order."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._held: dict[tuple[TaskId, AgentName], Lease] = {}
        self._used: dict[SlotKind, int] = {"model": 0, "cpu": 0, "gate": 0}
        self._wanted: dict[tuple[TaskId, AgentName], tuple[_Entry, Lease]] = {}
        # Taken back wishes stay in the heaps and are passed over: looking for them would cost their length.
        self._queues: dict[SlotKind, list[tuple[_Entry, Lease]]] = {"model": [], "cpu": [], "gate": []}
        self._asked = 0

    @property
    def used(self) -> int:
        """Slots held by agents; gates are not among them."""
        return self._used["model"] + self._used["cpu"]

    @property
    def waiting(self) -> int:
        return len(self._wanted)

    def crowded(self, kind: SlotKind) -> bool:
        """Whether somebody waits for a slot of this kind while all of them are held."""
        full = self._used[kind] >= self.sizes.of(kind) or (kind != "gate" and self.used >= self.sizes.total)
        return full and any(lease.kind == kind for _, lease in self._wanted.values())

    def want(self, lease: Lease, remaining: float, position: int) -> None:
        """Queue a request; ``remaining`` is seconds of work on the longest path from here, by estimate."""
        self._asked += 1
        entry = ((-remaining, position, self._asked), lease)
        self._wanted[lease.task, lease.agent] = entry
        heapq.heappush(self._queues[lease.kind], entry)

    def give_back(self, task: TaskId, agent: AgentName) -> Lease | None:
        """Take back a lease, or the wish for one; returns the lease that was held."""
        self._wanted.pop((task, agent), None)
        lease = self._held.pop((task, agent), None)
        if lease is not None:
            self._used[lease.kind] -= 1
        return lease

    def forget(self, task: TaskId) -> list[Lease]:
        """Take back everything of a task whose manager is gone; returns the leases that it held."""
        names = [key for key in (*self._held, *self._wanted) if key[0] == task]
        return [lease for key in dict.fromkeys(names) if (lease := self.give_back(*key)) is not None]

    def grants(self) -> list[Lease]:
        """Leases that can be given now, best first; they count as held."""
        granted = []
        while (best := self._best()) is not None:
            _, lease = heapq.heappop(self._queues[best])
            del self._wanted[lease.task, lease.agent]
            self._held[lease.task, lease.agent] = lease
            self._used[lease.kind] += 1
            granted.append(lease)
        return granted

    def _best(self) -> SlotKind | None:
        """The kind whose first wish comes first among those with room."""
        heads = [(queue[0][0], kind) for kind in self._queues if (queue := self._open(kind))]
        return min(heads)[1] if heads else None

    def _open(self, kind: SlotKind) -> list[tuple[_Entry, Lease]]:
        """The queue of a kind without taken back wishes at its head; empty where there is no room."""
        if self._used[kind] >= self.sizes.of(kind) or (kind != "gate" and self.used >= self.sizes.total):
            return []
        queue = self._queues[kind]
        while queue and self._wanted.get((queue[0][1].task, queue[0][1].agent)) is not queue[0]:
            heapq.heappop(queue)
        return queue
