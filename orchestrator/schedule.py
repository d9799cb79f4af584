"""What the batch does next: a pure step function over the plan.

A task opens when its needs are done and there is room; it is integrated in the plan's order, so that the
result does not depend on who was faster; it is skipped where a need did not make it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from shared.model import Need, Plan, Task, TaskId, TaskOutcome, TaskStatus

MANAGER_TRIES = 2  # a manager that dies is replaced once; its task goes on from the last phase commit

# Events


@dataclass(frozen=True, slots=True)
class Began:
    """The run starts or goes on; what earlier sessions settled is known."""


@dataclass(frozen=True, slots=True)
class TaskOver:
    """A task's manager has reported its end."""

    task: TaskId
    outcome: TaskOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class ManagerLost:
    """A manager ended, or stopped answering, without a report."""

    task: TaskId
    reason: str


@dataclass(frozen=True, slots=True)
class Integrated:
    task: TaskId
    status: TaskStatus  # merged, conflict or unmerged
    reason: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    pass


Event = Began | TaskOver | ManagerLost | Integrated | StopAsked

# Commands


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Give the task a worktree and a manager."""

    task: Task
    attempt: int


@dataclass(frozen=True, slots=True)
class Settle:
    """The task's final status is known without integration."""

    task: TaskId
    status: TaskStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Integrate:
    task: Task


@dataclass(frozen=True, slots=True)
class StopManagers:
    pass


@dataclass(frozen=True, slots=True)
class FinishRun:
    interrupted: bool


Command = OpenTask | Settle | Integrate | StopManagers | FinishRun


class BatchSchedule:
    """State of every task of a plan. ``known`` is what earlier sessions of the run settled or finished."""

    def __init__(
        self,
        plan: Plan,
        known: Mapping[TaskId, TaskStatus] | None = None,
        attempts: Mapping[TaskId, int] | None = None,
    ) -> None:
        self._plan = plan
        self._tasks = {task.id: task for task in plan.tasks}
        self.status: dict[TaskId, TaskStatus] = {task.id: TaskStatus.WAITING for task in plan.tasks}
        self.status.update(known or {})
        self._attempts = dict(attempts or {})
        self._losses: dict[TaskId, int] = {}
        self._unchanged: dict[TaskId, str] = {}  # tasks without a change of their own, and why
        self._integrating: TaskId | None = None
        self._stopping = False
        self._finished = False
        self._waiting = [task_id for task_id in plan.order if self.status[task_id] is TaskStatus.WAITING]

    def step(self, events: Iterable[Event], capacity: int) -> list[Command]:
        """Take events in; ``capacity`` is how many tasks may be open at a time."""
        commands: list[Command] = []
        for event in events:
            self._take(event, commands)
        if not self._finished:
            self._advance(capacity, commands)
        return commands

    def _take(self, event: Event, commands: list[Command]) -> None:
        match event:
            case Began():
                pass
            case TaskOver(task, outcome, reason):
                self._over(task, outcome, reason, commands)
            case ManagerLost(task, reason):
                self._lost(task, reason, commands)
            case Integrated(task, status, _):
                self.status[task] = status
                self._integrating = None
            case StopAsked():
                if not self._stopping:
                    self._stopping = True
                    commands.append(StopManagers())
            case _:
                assert_never(event)

    def _over(self, task: TaskId, outcome: TaskOutcome, reason: str, commands: list[Command]) -> None:
        match outcome:
            case TaskOutcome.DONE:
                self.status[task] = TaskStatus.FINISHED
            case TaskOutcome.NO_CHANGE:
                self.status[task] = TaskStatus.FINISHED
                self._unchanged[task] = reason
            case TaskOutcome.FAILED:
                self._settle(task, TaskStatus.FAILED, reason, commands)
            case TaskOutcome.INTERRUPTED:
                self._reopen(task)
            case _:
                assert_never(outcome)

    def _lost(self, task: TaskId, reason: str, commands: list[Command]) -> None:
        self._losses[task] = self._losses.get(task, 0) + 1
        if self._stopping or self._losses[task] < MANAGER_TRIES:
            self._reopen(task)
        else:
            self._settle(
                task,
                TaskStatus.FAILED,
                f"its manager was lost {self._losses[task]} times: {reason}",
                commands,
            )

    def _reopen(self, task: TaskId) -> None:
        self.status[task] = TaskStatus.WAITING
        self._waiting.insert(0, task)

    def _settle(self, task: TaskId, status: TaskStatus, reason: str, commands: list[Command]) -> None:
        self.status[task] = status
        commands.append(Settle(task, status, reason))

    def _advance(self, capacity: int, commands: list[Command]) -> None:
        self._settle_unchanged(commands)
        if not self._stopping:
            self._skip_hopeless(commands)
            self._open_ready(capacity, commands)
            self._integrate_next(commands)
        running = any(status is TaskStatus.RUNNING for status in self.status.values())
        if self._stopping and not running and self._integrating is None:
            self._finished = True
            commands.append(FinishRun(interrupted=not all(status.final for status in self.status.values())))
        elif not self._stopping and all(status.final for status in self.status.values()):
            self._finished = True
            commands.append(FinishRun(interrupted=False))

    def _skip_hopeless(self, commands: list[Command]) -> None:
        """Skip what waits for, or was built on, a task that did not make it."""
        for task_id in self._plan.order:
            if (
                self.status[task_id] not in (TaskStatus.WAITING, TaskStatus.FINISHED)
                or task_id == self._integrating
            ):
                continue
            for need in self._tasks[task_id].needs:
                status = self.status[need.task]
                if not need.always and status.final and not status.good:
                    self._settle(
                        task_id, TaskStatus.SKIPPED, f"its need {need.task} ended as {status}", commands
                    )
                    break
        self._waiting = [task_id for task_id in self._waiting if self.status[task_id] is TaskStatus.WAITING]

    def _settle_unchanged(self, commands: list[Command]) -> None:
        """A task that changed nothing holds its needs' commits: it is good only once they are."""
        for task_id in self._plan.order:
            if task_id in self._unchanged and self.status[task_id] is TaskStatus.FINISHED:
                needs = self._tasks[task_id].needs
                if all(need.always or self.status[need.task].good for need in needs):
                    self._settle(task_id, TaskStatus.NO_CHANGE, self._unchanged[task_id], commands)

    def _ready(self, need: Need) -> bool:
        status = self.status[need.task]
        if need.always:
            return status.final  # whatever became of it, integration included
        return status is TaskStatus.FINISHED or status.good

    def _open_ready(self, capacity: int, commands: list[Command]) -> None:
        room = capacity - sum(status is TaskStatus.RUNNING for status in self.status.values())
        for task_id in list(self._waiting):
            if room <= 0:
                return
            task = self._tasks[task_id]
            if all(self._ready(need) for need in task.needs):
                self._waiting.remove(task_id)
                self.status[task_id] = TaskStatus.RUNNING
                self._attempts[task_id] = self._attempts.get(task_id, 0) + 1
                commands.append(OpenTask(task, self._attempts[task_id]))
                room -= 1

    def _integrate_next(self, commands: list[Command]) -> None:
        if self._integrating is not None:
            return
        for task_id in self._plan.order:
            status = self.status[task_id]
            if status is TaskStatus.FINISHED:
                self._integrating = task_id
                commands.append(Integrate(self._tasks[task_id]))
                return
            if not status.final:
                return  # its turn comes first

    def waits_for(self, task_id: TaskId) -> tuple[TaskId, ...]:
        """The needs of a waiting task that are not done yet."""
        return tuple(need.task for need in self._tasks[task_id].needs if not self._ready(need))
