"""Which managers have been silent for so long that they count as hung. Pure."""

from __future__ import annotations

import math

from shared.model import TaskId

SILENCE_SECONDS = 60.0  # a manager beats once a second
_PAUSE_SECONDS = 5.0  # between two looks: the engine takes several a second unless it was stopped itself


class Silence:
    """When each manager was last heard, in seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._heard: dict[TaskId, float] = {}
        self._looked = math.inf

    def heard(self, task: TaskId, now: float) -> None:
        self._heard[task] = now

    def forget(self, task: TaskId) -> None:
        self._heard.pop(task, None)

    def hung(self, now: float) -> frozenset[TaskId]:
        """Those to be killed. After a pause of our own (Ctrl-Z, a machine that was asleep) none: what they said
        meanwhile waits to be read."""
        if now - self._looked > _PAUSE_SECONDS:
            self._heard = dict.fromkeys(self._heard, now)
        self._looked = now
        return frozenset(task for task, at in self._heard.items() if now - at > SILENCE_SECONDS)
