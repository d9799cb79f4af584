"""What can arrive in the engine's inbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.executors.port import ManagerGone, ManagerSaid
from orchestrator.integration import Verdict
from orchestrator.preparation import Prepared
from shared.model import TaskId


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that a thread wants in the journal."""

    event: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PrepareFailed:
    task: TaskId
    reason: str


@dataclass(frozen=True, slots=True)
class IntegrationStopped:
    """The run was stopped during a task's gate; it is finished, and integrated when the run goes on."""

    task: TaskId


@dataclass(frozen=True, slots=True)
class Broken:
    """A thread met a bug."""

    error: Exception


Outcome = Prepared | PrepareFailed | Verdict | IntegrationStopped | Broken


@dataclass(frozen=True, slots=True)
class JobDone:
    """A thread has ended its job."""

    outcome: Outcome


class StopRequest:
    """Somebody wants the run to end now."""


Item = ManagerSaid | ManagerGone | Recorded | JobDone | Broken | StopRequest
