"""The port between the engine and whatever runs WorkflowManagers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.messages import FromManager, ToManager
from shared.model import Assignment, TaskId


@dataclass(frozen=True, slots=True)
class ManagerSaid:
    task: TaskId
    attempt: int
    message: FromManager


@dataclass(frozen=True, slots=True)
class ManagerGone:
    """A manager has ended; the engine knows from what it said before whether that was to be expected."""

    task: TaskId
    attempt: int
    status: str  # how, for people


ManagerEvent = ManagerSaid | ManagerGone
Post = Callable[[ManagerEvent], None]  # may be called from any thread


class Executor(Protocol):
    """Starts managers and carries messages. All methods are called from the engine's thread."""

    at_once: int  # agents that it may have at work, whatever else is said; 0: as many as there are slots

    def warm_up(self) -> None:
        """Begin whatever makes the first start quick; returns at once."""

    def prepare_for(self, backends: frozenset[str]) -> None:
        """Begin to load what these backends need, before the first start; returns at once."""

    def ready(self) -> None:
        """Wait until that is done, which may take seconds. Any thread may call this."""

    def start(self, assignment: Assignment, post: Post) -> None:
        """Start a manager; where that fails, its end arrives like every other."""

    def send(self, task: TaskId, message: ToManager) -> None:
        """Hand a message to the task's manager; one that is gone is ignored."""

    def kill(self, task: TaskId) -> None:
        """End a manager that no longer answers, and its agents."""

    def close(self) -> None:
        """End every manager and return when none is left."""
