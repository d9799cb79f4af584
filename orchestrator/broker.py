"""Slots: permission to do one unit of scarce work now, leased per agent call across all tasks. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model import AgentName, TaskId


@dataclass(frozen=True, slots=True)
class Lease:
    task: TaskId
    agent: AgentName


class Broker:
    """Grants at most ``slots`` leases at a time; the longest remaining path first, then the batch's order."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._held: dict[Lease, None] = {}
        self._wanted: dict[Lease, tuple[float, int]] = {}

    @property
    def used(self) -> int:
        return len(self._held)

    @property
    def waiting(self) -> int:
        return len(self._wanted)

    def want(self, lease: Lease, remaining: float, position: int) -> None:
        """Queue a request; ``remaining`` is work on the longest path from here, in any one unit."""
        self._wanted[lease] = (-remaining, position)

    def give_back(self, lease: Lease) -> None:
        self._held.pop(lease, None)
        self._wanted.pop(lease, None)

    def forget(self, task: TaskId) -> None:
        """Take back everything of a task whose manager is gone."""
        for leases in (self._held, self._wanted):
            for lease in [lease for lease in leases if lease.task == task]:
                del leases[lease]

    def grants(self) -> list[Lease]:
        """Leases that can be given now, best first; they count as held."""
        granted = sorted(self._wanted, key=self._wanted.__getitem__)[: max(0, self.slots - len(self._held))]
        for lease in granted:
            del self._wanted[lease]
            self._held[lease] = None
        return granted
