"""What ends requests for good, of one task or of the whole run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.gateway.rules.ledger import RUN
from shared.model import TaskId

Kind = Literal["budget", "spend-limit", "key", "replay", "outage", "stopped"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why there will be no more answers; ``task`` is ``RUN`` for all of them."""

    kind: Kind
    reason: str
    task: TaskId = RUN


class Stopped(Exception):
    """A request ends here, and so does every later one."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.reason)
        self.stop = stop


class GivenUp(Exception):
    """A request ends here; later ones may be answered."""


class Stops:
    """The first reason of each task, and of the run, stays."""

    def __init__(self) -> None:
        self._of: dict[TaskId, Stop] = {}

    def of(self, task: TaskId) -> Stop | None:
        return self._of.get(RUN) or self._of.get(task)

    def add(self, stop: Stop) -> bool:
        """Whether that is news."""
        if stop.task in self._of:
            return False
        self._of[stop.task] = stop
        return True
