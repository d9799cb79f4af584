"""How much memory the requests of each task may hold, and those of all. Pure."""

from __future__ import annotations

from collections import Counter

from shared.model import TaskId

_MIB = 1024 * 1024


class Room:
    """Numbers are bytes. What a task holds up to ``least`` it may hold however much others do."""

    def __init__(self, least: int = 4 * _MIB, each: int = 64 * _MIB, everyone: int = 256 * _MIB) -> None:
        self._least, self._each, self._everyone = least, each, everyone
        self._held: Counter[TaskId] = Counter()

    def take(self, task: TaskId, size: int) -> bool:
        """Whether there is room for so much more; it is taken then."""
        held, all_held = self._held[task] + size, self._held.total() + size
        if held > self._each or (held > self._least and all_held > self._everyone):
            return False
        self._held[task] = held
        return True

    def give(self, task: TaskId, size: int) -> None:
        self._held[task] -= size
