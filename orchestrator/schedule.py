"""What the batch does next: a pure step function over the plan.

A task opens when its needs are done and there is room; it is integrated in the plan's order, so that the
result does not depend on who was faster; it is skipped where a need did not make it.
"""

from __future__ import annotations

import heapq
from collections import Counter
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
    """State of every task of a plan. ``known`` is what earlier sessions of the run settled or finished.

    A step looks only at what its events touched, so that it costs the same in a batch of a thousand tasks.
    """

    def __init__(
        self,
        plan: Plan,
        known: Mapping[TaskId, TaskStatus] | None = None,
        attempts: Mapping[TaskId, int] | None = None,
    ) -> None:
        self._order = plan.order
        self._place = {task_id: place for place, task_id in enumerate(plan.order)}
        self._tasks = {task.id: task for task in plan.tasks}
        self._dependents: dict[TaskId, list[TaskId]] = {task.id: [] for task in plan.tasks}
        for task in plan.tasks:
            for need in task.needs:
                self._dependents[need.task].append(task.id)
        self.status: dict[TaskId, TaskStatus] = {task.id: TaskStatus.WAITING for task in plan.tasks}
        self._count = Counter(self.status.values())
        self._attempts = dict(attempts or {})
        self._losses: dict[TaskId, int] = {}
        self._unchanged: dict[TaskId, str] = {}  # tasks without a change of their own, and why
        self._touched: set[TaskId] = set(self._tasks)  # to be looked at: they or a need of theirs changed
        self._ready: list[tuple[int, TaskId]] = []  # a heap of what may open, by place; again first
        self._paused: set[TaskId] = set()  # not to be opened again in this session
        self._next = 0  # the place up to which all tasks are final
        self._integrating: TaskId | None = None
        self._stopping = False
        self._finished = False
        for task_id, status in (known or {}).items():
            self._set(task_id, status)

    def step(self, events: Iterable[Event], capacity: int) -> list[Command]:
        """Take events in; ``capacity`` is how many tasks may be open at a time."""
        commands: list[Command] = []
        for event in events:
            self._take(event, commands)
        if not self._finished:
            self._advance(capacity, commands)
        return commands

    def _set(self, task: TaskId, status: TaskStatus) -> None:
        self._count[self.status[task]] -= 1
        self._count[status] += 1
        self.status[task] = status
        self._touched.update((task, *self._dependents[task]))

    def _take(self, event: Event, commands: list[Command]) -> None:
        match event:
            case Began():
                pass
            case TaskOver(task, outcome, reason):
                self._over(task, outcome, reason, commands)
            case ManagerLost(task, reason):
                self._lost(task, reason, commands)
            case Integrated(task, status, _):
                self._integrating = None
                self._set(task, status)
            case StopAsked():
                if not self._stopping:
                    self._stopping = True
                    commands.append(StopManagers())
            case _:
                assert_never(event)

    def _over(self, task: TaskId, outcome: TaskOutcome, reason: str, commands: list[Command]) -> None:
        match outcome:
            case TaskOutcome.DONE:
                self._set(task, TaskStatus.FINISHED)
            case TaskOutcome.NO_CHANGE:
                self._unchanged[task] = reason
                self._set(task, TaskStatus.FINISHED)
            case TaskOutcome.FAILED:
                self._settle(task, TaskStatus.FAILED, reason, commands)
            case TaskOutcome.INTERRUPTED:
                # Not because the run stops: its budget is spent. Others go on, and it does when there is more.
                self._paused.update(() if self._stopping else (task,))
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
        self._set(task, TaskStatus.WAITING)

    def _settle(self, task: TaskId, status: TaskStatus, reason: str, commands: list[Command]) -> None:
        self._set(task, status)
        commands.append(Settle(task, status, reason))

    def _advance(self, capacity: int, commands: list[Command]) -> None:
        self._look(commands)
        if not self._stopping:
            self._open_ready(capacity, commands)
            self._integrate_next(commands)
        all_final = all(status.final for status, count in self._count.items() if count)
        running = self._count[TaskStatus.RUNNING]
        over = self._stopping or bool(self._paused)  # then nothing is opened any more, or nothing can be
        if over and not running and self._integrating is None:
            self._finished = True
            commands.append(FinishRun(interrupted=not all_final))
        elif not self._stopping and all_final:
            self._finished = True
            commands.append(FinishRun(interrupted=False))

    def _look(self, commands: list[Command]) -> None:
        """Settle what can be, and queue what may open, among the tasks that something happened to."""
        later: set[TaskId] = set()
        while self._touched:
            touched = sorted(self._touched, key=self._place.__getitem__)
            self._touched = set()
            for task_id in touched:
                if task_id == self._integrating:
                    later.add(task_id)  # what happens to it is the integrator's to say
                elif not self._settled(task_id, commands) and self._may_open(task_id):
                    heapq.heappush(self._ready, (self._turn(task_id), task_id))
        self._touched = later

    def _turn(self, task_id: TaskId) -> int:
        """Tasks that have been open before go first."""
        return self._place[task_id] - (len(self._order) if self._attempts.get(task_id) else 0)

    def _settled(self, task_id: TaskId, commands: list[Command]) -> bool:
        """Settle a task that changed nothing and whose needs are good, or that a need has made hopeless."""
        status = self.status[task_id]
        if status not in (TaskStatus.WAITING, TaskStatus.FINISHED):
            return False
        needs = self._tasks[task_id].needs
        # A task that changed nothing holds its needs' commits: it is good only once they are.
        sound = all(need.always or self.status[need.task].good for need in needs)
        if status is TaskStatus.FINISHED and task_id in self._unchanged and sound:
            self._settle(task_id, TaskStatus.NO_CHANGE, self._unchanged[task_id], commands)
            return True
        for need in () if self._stopping else needs:
            of_need = self.status[need.task]
            if not need.always and of_need.final and not of_need.good:
                reason = f"its need {need.task} ended as {of_need}"
                self._settle(task_id, TaskStatus.SKIPPED, reason, commands)
                return True
        return False

    def _met(self, need: Need) -> bool:
        status = self.status[need.task]
        if need.always:
            return status.final  # whatever became of it, integration included
        return status is TaskStatus.FINISHED or status.good

    def _may_open(self, task_id: TaskId) -> bool:
        waiting = self.status[task_id] is TaskStatus.WAITING and task_id not in self._paused
        return waiting and not self.waits_for(task_id)

    def _open_ready(self, capacity: int, commands: list[Command]) -> None:
        while self._ready and self._count[TaskStatus.RUNNING] < capacity:
            _, task_id = heapq.heappop(self._ready)
            if self._may_open(task_id):  # it may have been opened, or a need may have failed, since
                self._set(task_id, TaskStatus.RUNNING)
                self._attempts[task_id] = self._attempts.get(task_id, 0) + 1
                commands.append(OpenTask(self._tasks[task_id], self._attempts[task_id]))

    def _integrate_next(self, commands: list[Command]) -> None:
        while self._next < len(self._order) and self.status[self._order[self._next]].final:
            self._next += 1
        if self._integrating is None and self._next < len(self._order):
            task_id = self._order[self._next]  # its turn comes before all others
            if self.status[task_id] is TaskStatus.FINISHED:
                self._integrating = task_id
                commands.append(Integrate(self._tasks[task_id]))

    def waits_for(self, task_id: TaskId) -> tuple[TaskId, ...]:
        """The needs of a waiting task that are not done yet."""
        return tuple(need.task for need in self._tasks[task_id].needs if not self._met(need))
