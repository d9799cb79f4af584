"""The engine: one loop, one writer. Events come in, are journalled, and the schedule says what follows.

Threads only do single things that take time (a worktree, a merge with its gate, what the forge is told) and
report back into the one inbox. Everything that decides runs here.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from orchestrator import concluding, events, schedule
from orchestrator.events import GATE
from orchestrator.executors.port import ManagerGone, ManagerSaid
from orchestrator.guard import judged
from orchestrator.inbox import (
    Broken,
    IntegrationStopped,
    Item,
    JobDone,
    Outcome,
    PrepareFailed,
    Recorded,
    StopRequest,
)
from orchestrator.integration import Candidate, Verdict
from orchestrator.jobs import Jobs
from orchestrator.parts import Parts
from orchestrator.plan import remaining_paths
from orchestrator.preparation import Prepared
from orchestrator.publishing import Delivery, Publisher, sought
from orchestrator.pulls import Pulls
from orchestrator.silence import Silence
from orchestrator.slots import Slots
from orchestrator.view import RunView, said
from shared import messages
from shared.git.worktrees import Worktree
from shared.model import (
    Oid,
    Task,
    TaskId,
    TaskOutcome,
    TaskResult,
    TaskStatus,
)

STOP_SECONDS = 5.0  # from a stop to the last manager's end, and from there to the end of the last push
_TICK = 0.2
_DURABLE = ("model.called", "budget.spent", "model.refused")  # what was paid for is not forgotten
_KEPT = (TaskOutcome.FAILED, TaskOutcome.INTERRUPTED)  # their worktrees stay


@dataclass(slots=True)
class OpenTask:
    """A task with a worktree and a manager."""

    attempt: int
    worktree: Worktree
    ports: int  # the number of its range
    killed: float | None = None  # when, on the monotonic clock


# Called after each event, and now and then with None.
Listener = Callable[[dict[str, Any] | None, RunView], None]


class Engine:
    def __init__(self, parts: Parts, view: RunView, listener: Listener) -> None:
        self._p = parts
        self._plan = parts.plan
        self.view = view
        self._listen = listener
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._slots = self._make_slots()
        self._schedule = schedule.BatchSchedule(parts.plan)
        self._open: dict[TaskId, OpenTask] = {}
        self._silence = Silence()
        self._attempt: dict[TaskId, int] = {}
        self._stop_at: float | None = None
        self._leave_at: float | None = None  # when a stopped run no longer waits for the forge
        self._done = False
        self._jobs = Jobs(
            self.post,
            parts.preparation,
            parts.integrator,
            workers=parts.preparers,
            ready=parts.executor.ready,
        )
        delivery = Delivery(parts.forge, self.tell, sought(parts.plan), parts.elsewhere)
        self._publisher = Publisher(delivery, parts.clock, self.post)
        self._pulls = Pulls(
            parts.plan, view, self.record, self._publisher.want, parts.pull_base, parts.elsewhere
        )

    def _make_slots(self) -> Slots:
        tasks, estimates = self._plan.tasks, self._p.estimates
        paths = {task.id: estimates.paths(task.workflow) for task in tasks}
        lengths = {task: max(path.values(), default=0.0) for task, path in paths.items()}
        order = {task.id: index for index, task in enumerate(tasks)}
        after = remaining_paths(tasks, lengths)
        return Slots(self._p.slots, paths, after, order, self.record, self._p.measure)

    # --- from other threads and signal handlers

    def post(self, item: Item) -> None:
        self._inbox.put(item)

    def tell(self, event: str, fields: dict[str, Any]) -> None:
        """An event for the journal, from a thread."""
        self._inbox.put(Recorded(event, fields))

    def stop(self) -> None:
        self._inbox.put(StopRequest())

    # --- the loop

    def plan_from_view(self) -> None:
        """Go on from what the journal says: settled tasks stay, open ones open again."""
        tasks = list(self.view.tasks.values())
        known = {TaskId(task.id): task.status for task in tasks if task.status is not TaskStatus.WAITING}
        attempts = {TaskId(task.id): task.attempts for task in tasks}
        self._schedule = schedule.BatchSchedule(self._plan, known, attempts)
        self._pulls.catch_up()

    def run(self) -> None:
        """Until every task is settled, or until a stop has been carried out."""
        for task in self._plan.tasks:
            entry = self.view.tasks[task.id]
            if entry.status is TaskStatus.MERGED:
                self._p.integrator.remember(task.id, entry.paths)
        self._slots.begin()
        self._advance([schedule.Began()])
        try:
            while not self._over_and_out():
                self._turn()
        finally:
            self._p.executor.close()
            self._jobs.close()
            self._publisher.close()

    def _over_and_out(self) -> bool:
        """Nothing is at work any more and everything that was said is taken in. A stop waits for the forge no longer
        than for managers."""
        if not self._done or self._jobs.pending:
            return False
        leaving = self._leave_at is not None and self._p.clock.monotonic() > self._leave_at
        # In this order: what the publisher did before it was idle is in the inbox by then.
        return (leaving or not self._publisher.busy) and self._inbox.empty()

    def _turn(self) -> None:
        items = self._take()
        happened: list[schedule.Event] = []
        for item in items:
            happened.extend(self._handle(item))
        happened.extend(self._silent_managers())
        if happened:
            self._advance(happened)
        self._slots.tick(self._p.clock.monotonic())
        for lease in self._slots.grants():
            if lease.agent == GATE:
                self._integrate_now(self._plan.task(lease.task))
            else:
                self._p.executor.send(lease.task, messages.SlotGranted(lease.agent))
        self._heed_forge()
        self._listen(None, self.view)

    def _heed_forge(self) -> None:
        """End the run where it has lost its right to the forge, or somebody asks for that there."""
        if self._p.elsewhere is None or self._stop_at is not None:
            return
        if reason := self._p.elsewhere.ending():
            self._note(f"the run ends: {reason}")
            self.stop()

    def _take(self) -> list[Item]:
        """Everything there is, after waiting for the first a tick at most."""
        items: list[Item] = []
        try:
            items.append(self._inbox.get(timeout=_TICK))
            while True:
                items.append(self._inbox.get_nowait())
        except queue.Empty:
            return items

    def record(self, event: str, fields: dict[str, Any], *, durable: bool = False) -> None:
        record = self._p.journal.append(event, self._p.clock.now(), fields)
        if durable:
            self._p.journal.sync()
        self.view.apply(record)
        self._listen(record, self.view)

    def _note(self, text: str) -> None:
        self.record("note", {"text": text})

    def _handle(self, item: Item) -> list[schedule.Event]:
        match item:
            case ManagerSaid(task, attempt, message):
                if task in self._open and attempt == self._open[task].attempt:
                    self._silence.heard(task, self._p.clock.monotonic())
                    return self._said(task, message)
            case ManagerGone(task, attempt, status):
                if task in self._open and attempt == self._open[task].attempt:
                    return self._lost(task, status)
            case Recorded(event, fields):
                self.record(event, fields, durable=event in _DURABLE)
                if event in ("pull.opened", "pull.failed") and fields["task"]:
                    self._pulls.answered(fields["task"])
                if event == "model.refused" or (event == "budget.spent" and not fields["task"]):
                    self.stop()  # nobody gets an answer any more; what is left of the run can be gone on with
            case JobDone(outcome):
                self._jobs.taken()
                return self._job_done(outcome)
            case Broken(error):
                raise error
            case StopRequest():
                self._stop()
                return [schedule.StopAsked()]
            case _:
                assert_never(item)
        return []

    def _job_done(self, outcome: Outcome) -> list[schedule.Event]:
        match outcome:
            case Prepared():
                return self._start(outcome)
            case PrepareFailed(task, reason):
                return [self._over(TaskResult(task, TaskOutcome.FAILED, self._p.integrator.base, (), reason))]
            case Verdict():
                return [self._settled(outcome)]
            case IntegrationStopped(task):
                self._slots.give_back(task, GATE)
                return [schedule.Integrated(task, TaskStatus.FINISHED, "stopped")]
            case Broken(error):
                raise error
            case _:
                assert_never(outcome)

    def _stop(self) -> None:
        now = self._p.clock.monotonic()
        self._stop_at = self._stop_at or now + STOP_SECONDS
        if self._done:  # only the forge is waited for
            self._leave_at = self._leave_at or now + STOP_SECONDS
        self._p.integrator.gate.cancel.set()
        if self._p.elsewhere is not None:
            self._p.elsewhere.interrupt()

    def _silent_managers(self) -> list[schedule.Event]:
        """Kill managers that have been silent too long, or that did not stop in time.

        Their end is an event of its own, so that nobody else is in the worktree when they are replaced; one
        that does not come either is taken for granted after as long again.
        """
        now = self._p.clock.monotonic()
        hung, lost = self._silence.hung(now), list[schedule.Event]()
        for task, opened in list(self._open.items()):
            late = task in hung or (self._stop_at is not None and now > self._stop_at)
            if late and opened.killed is None:
                self._p.executor.kill(task)
                opened.killed = now
            if opened.killed is not None and now - opened.killed > STOP_SECONDS:
                lost.extend(self._lost(task, "it did not answer"))
        return lost

    def _advance(self, happened: list[schedule.Event]) -> None:
        for command in self._schedule.step(happened, self._p.open_tasks):
            match command:
                case schedule.OpenTask(task, attempt):
                    self._prepare(task, attempt)
                case schedule.Settle(task_id, status, reason):
                    self.record(
                        "task.settled",
                        {"task": task_id, "status": str(status), "reason": reason},
                        durable=True,
                    )
                    self._pulls.settled(task_id)
                case schedule.Integrate(task):
                    self._integrate(task)
                case schedule.StopManagers():
                    for task_id in self._open:
                        self._p.executor.send(task_id, messages.Stop())
                case schedule.FinishRun(interrupted):
                    self._finish(interrupted)
                case _:
                    assert_never(command)

    # --- opening a task

    def _prepare(self, task: Task, attempt: int) -> None:
        self._attempt[task.id] = attempt
        entry = self.view.tasks[task.id]
        base = Oid(entry.base) if entry.base else None
        tips = tuple(Oid(tip) for need in task.needs if (tip := self._tip_of(need.task, need.always)))
        self._jobs.prepare(task, tips, base)

    def _tip_of(self, task: TaskId, always: bool) -> str:
        """What a dependent builds on: the need's branch; nothing where it only had to be over first."""
        entry = self.view.tasks[task]
        if always and not entry.status.good:
            return ""
        return entry.tip

    def _start(self, prepared: Prepared) -> list[schedule.Event]:
        task = self._plan.task(prepared.task)
        if self._stop_at is not None:
            return [schedule.TaskOver(task.id, TaskOutcome.INTERRUPTED, "")]
        attempt, worktree = self._attempt[task.id], prepared.worktree
        fields = {"task": task.id, "attempt": attempt, "base": prepared.base, "worktree": worktree.path}
        self.record("task.started", fields, durable=True)
        opened = self._open[task.id] = OpenTask(attempt, worktree, self._free_ports())
        self._silence.heard(task.id, self._p.clock.monotonic())
        seen = self.view.tasks[task.id]
        assignment = self._p.assignment(task, prepared, attempt, opened.ports, seen)
        self._p.executor.start(assignment, self.post)
        self._pulls.begun(task.id)
        return []

    def _free_ports(self) -> int:
        """The number of the first range of ports that no open task has."""
        taken = {opened.ports for opened in self._open.values()}
        return next(number for number in range(len(taken) + 1) if number not in taken)

    # --- what managers say

    def _said(self, task: TaskId, message: messages.FromManager) -> list[schedule.Event]:
        match message:
            case messages.Beat():
                pass
            case messages.SlotWanted(agent, kind):
                self._slots.want(task, agent, kind)
            case messages.SlotReturned(agent):
                self._slots.give_back(task, agent)
            case messages.AgentSaid(_, line):
                said(self.view, task, line)
            case messages.TaskEnded(result):
                return [self._over(result)]
            case _:
                event = events.told(task, message)
                self.record(event.name, event.fields, durable=event.durable)
                if event.name == "phase.committed":
                    self._pulls.committed(task, event.fields["oid"])
        return []

    def _over(self, result: TaskResult) -> schedule.Event:
        task = result.task
        opened = self._close(task)
        if result.outcome in (TaskOutcome.DONE, TaskOutcome.NO_CHANGE):
            spans = [(agent.started, agent.ended) for agent in self.view.tasks[task].agents]
            policy = self._plan.settings.outside_writes
            result = judged(self._p.guard, result, spans, policy, self._note)
        self.record("task.over", events.task_over(result), durable=True)
        kept = result.outcome in _KEPT or self._plan.settings.keep_worktrees
        if opened is not None and not kept:
            self._p.preparation.give_back(opened.worktree)
        self._pulls.over(result)
        return schedule.TaskOver(task, result.outcome, result.reason)

    def _lost(self, task: TaskId, reason: str) -> list[schedule.Event]:
        self._close(task)
        self.record("manager.lost", {"task": task, "reason": reason}, durable=True)
        return [schedule.ManagerLost(task, reason)]

    def _close(self, task: TaskId) -> OpenTask | None:
        self._slots.forget(task)
        self._silence.forget(task)
        return self._open.pop(task, None)

    # --- integration

    def _integrate(self, task: Task) -> None:
        """The task's turn in the queue has come; where a gate will run, it waits for the gate's slot."""
        self.record("merge.started", {"task": task.id})
        if self._plan.settings.gate:
            self._slots.want(task.id, GATE, "gate")
        else:
            self._integrate_now(task)

    def _integrate_now(self, task: Task) -> None:
        entry = self.view.tasks[task.id]
        self._jobs.integrate(Candidate(task, Oid(entry.tip), entry.paths))

    def _settled(self, verdict: Verdict) -> schedule.Event:
        self._slots.give_back(verdict.task, GATE)
        self.record("task.settled", events.task_settled(verdict, self._p.integrator.batch_ref), durable=True)
        landed = verdict.merged if verdict.landed else None
        self._pulls.settled(verdict.task, landed)
        return schedule.Integrated(verdict.task, verdict.status, verdict.reason)

    # --- the end

    def _finish(self, interrupted: bool) -> None:
        if interrupted:
            self._pulls.stopped()
            self._leave_at = self._p.clock.monotonic() + STOP_SECONDS
        else:
            self._pulls.of_batch()
            self._pulls.finished()
        self._publisher.hurry()
        self._done = True

    def conclude(self) -> str:
        """Record the run's status, after everything is given back; returns it."""
        if self.view.spending.differs:  # it would differ again, so that nothing is left to go on with
            for task in [task.id for task in self.view.tasks.values() if not task.status.final]:
                reason = f"the replay stopped: {self.view.spending.stopped}"
                self.record("task.settled", {"task": task, "status": "failed", "reason": reason})
        status = concluding.outcome(self.view)
        self.record("run.ended", {"status": status}, durable=True)
        return status
