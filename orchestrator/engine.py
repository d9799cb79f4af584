"""The engine: one loop, one writer. Events come in, are journalled, and the schedule says what follows.

Threads only do single things that take time (a worktree, a merge with its gate, a pull request) and report
back into the one inbox. Everything that decides runs here.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, assert_never

from orchestrator import schedule
from orchestrator.broker import Broker, Lease
from orchestrator.executors.port import Executor, ManagerGone, ManagerSaid
from orchestrator.guard import Guard
from orchestrator.integration import Candidate, Integrator, Verdict
from orchestrator.plan import remaining_paths
from orchestrator.preparation import Preparation, Prepared
from orchestrator.publishing import batch_draft, draft_for, publish
from orchestrator.view import RunView, said
from shared import messages
from shared.clock import Clock
from shared.errors import Interrupted, SpinneyError
from shared.forge.port import Forge, PullRequest
from shared.git.worktrees import Worktree
from shared.journal import Journal
from shared.model import (
    Assignment,
    Containment,
    Identity,
    Oid,
    Plan,
    RepositoryFacts,
    Task,
    TaskId,
    TaskOutcome,
    TaskResult,
    TaskStatus,
)

SILENCE_SECONDS = 60.0  # a manager beats once a second; after this it counts as hung
STOP_SECONDS = 5.0  # from a stop to the last manager's end
_TICK = 0.2


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
    task: TaskId


@dataclass(frozen=True, slots=True)
class Published:
    task: TaskId | None  # None: the batch's own
    pull: PullRequest


@dataclass(frozen=True, slots=True)
class PublishFailed:
    task: TaskId


@dataclass(frozen=True, slots=True)
class Broken:
    """A thread met a bug."""

    error: Exception


class StopRequest:
    """Somebody wants the run to end now."""


Item = (
    ManagerSaid
    | ManagerGone
    | Recorded
    | Prepared
    | PrepareFailed
    | Verdict
    | IntegrationStopped
    | Published
    | PublishFailed
    | Broken
    | StopRequest
)


@dataclass(slots=True)
class Parts:
    """What the engine is composed of."""

    plan: Plan
    facts: RepositoryFacts
    identity: Identity
    containment: Containment
    environment: dict[str, str]
    generation: int
    executor: Executor
    preparation: Preparation
    integrator: Integrator
    guard: Guard
    forge: Forge
    journal: Journal
    clock: Clock
    slots: int
    open_tasks: int
    port_start: int
    pull_base: str


Listener = Callable[
    [dict[str, Any] | None, RunView], None
]  # called after each event, and now and then with None


class Engine:
    def __init__(self, parts: Parts, view: RunView, listener: Listener) -> None:
        self._p = parts
        self._plan = parts.plan
        self.view = view
        self._listen = listener
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._broker = Broker(parts.slots)
        self._position = {task.id: index for index, task in enumerate(parts.plan.tasks)}
        self._remaining = remaining_paths(parts.plan.tasks)
        self._schedule = schedule.BatchSchedule(parts.plan)
        self._heard: dict[TaskId, float] = {}  # open managers and when they last said something
        self._attempt: dict[TaskId, int] = {}
        self._killed: dict[TaskId, float] = {}
        self._results: dict[TaskId, TaskResult] = {}
        self._open: dict[TaskId, Worktree] = {}
        self._ports: dict[TaskId, int] = {}
        self._stop_at: float | None = None
        self._done = False
        self._pending = 0  # jobs handed to threads
        workers = min(8, max(2, parts.slots))
        self._preparers = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
        self._integrating = ThreadPoolExecutor(1, thread_name_prefix="integrate")

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
        if self._plan.settings.pull_requests in ("per-task", "stacked"):
            for task in tasks:  # a crash came between the end of these and the record of their pull requests
                if (
                    task.commits
                    and task.pull is None
                    and task.status not in (TaskStatus.FAILED, TaskStatus.WAITING)
                ):
                    self._publish(TaskId(task.id), Oid(task.tip))

    def run(self) -> None:
        """Until every task is settled, or until a stop has been carried out."""
        for task in self._plan.tasks:
            entry = self.view.tasks[task.id]
            if entry.status is TaskStatus.MERGED:
                self._p.integrator.remember(task.id, entry.paths)
        self._advance([schedule.Began()])
        try:
            while not self._done or self._pending:
                self._turn()
        finally:
            self._p.executor.close()
            self._preparers.shutdown(wait=True, cancel_futures=True)
            self._integrating.shutdown(wait=True, cancel_futures=True)

    def _turn(self) -> None:
        items = self._take()
        events: list[schedule.Event] = []
        for item in items:
            events.extend(self._handle(item))
        self._watch(events)
        if events:
            self._advance(events)
        for lease in self._broker.grants():
            self._p.executor.send(lease.task, messages.SlotGranted(lease.agent))
        self._listen(None, self.view)

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

    def _handle(self, item: Item) -> list[schedule.Event]:
        match item:
            case ManagerSaid(task, attempt, message):
                if attempt == self._attempt.get(task) and task in self._heard:
                    self._heard[task] = self._p.clock.monotonic()
                    return self._said(task, message)
            case ManagerGone(task, attempt, status):
                if attempt == self._attempt.get(task) and task in self._heard:
                    return self._lost(task, status)
            case Recorded(event, fields):
                self.record(event, fields)
            case Prepared():
                self._pending -= 1
                self._start(item)
            case PrepareFailed(task, reason):
                self._pending -= 1
                return [self._over(TaskResult(task, TaskOutcome.FAILED, self._p.integrator.base, (), reason))]
            case Verdict():
                self._pending -= 1
                return [self._settled(item)]
            case IntegrationStopped(task):
                self._pending -= 1
                return [schedule.Integrated(task, TaskStatus.FINISHED, "stopped")]
            case Published(task, pull):
                self._pending -= 1
                self.record(
                    "pull.opened",
                    {"task": task, "number": pull.number, "url": pull.url, "state": str(pull.state)},
                )
            case PublishFailed():
                self._pending -= 1
            case Broken(error):
                raise error
            case StopRequest():
                self._stop_at = self._stop_at or self._p.clock.monotonic() + STOP_SECONDS
                self._p.integrator.gate.cancel.set()
                return [schedule.StopAsked()]
            case _:
                assert_never(item)
        return []

    def _watch(self, events: list[schedule.Event]) -> None:
        """Kill managers that have been silent too long, or that did not stop in time.

        Their end is an event of its own, so that nobody else is in the worktree when they are replaced; one
        that does not come either is taken for granted after as long again.
        """
        now = self._p.clock.monotonic()
        for task, heard in list(self._heard.items()):
            late = now - heard - SILENCE_SECONDS
            if self._stop_at is not None:
                late = max(late, now - self._stop_at)
            if late > 0:
                self._p.executor.kill(task)
                self._killed.setdefault(task, now)
            if now - self._killed.get(task, now) > STOP_SECONDS:
                events.extend(self._lost(task, "it did not answer"))

    def _advance(self, events: list[schedule.Event]) -> None:
        for command in self._schedule.step(events, self._p.open_tasks):
            match command:
                case schedule.OpenTask(task, attempt):
                    self._prepare(task, attempt)
                case schedule.Settle(task_id, status, reason):
                    self.record(
                        "task.settled",
                        {"task": task_id, "status": str(status), "reason": reason},
                        durable=True,
                    )
                case schedule.Integrate(task):
                    self._integrate(task)
                case schedule.StopManagers():
                    for task_id in self._heard:
                        self._p.executor.send(task_id, messages.Stop())
                case schedule.FinishRun(interrupted):
                    self._finish(interrupted)
                case _:
                    assert_never(command)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        """Hand a job to a thread; it reports by posting, and a bug in it ends the run instead of hanging it."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the engine's edge
                self.post(Broken(error))

        self._pending += 1
        pool.submit(guarded)

    # --- opening a task

    def _prepare(self, task: Task, attempt: int) -> None:
        self._attempt[task.id] = attempt
        entry = self.view.tasks[task.id]
        base = Oid(entry.base) if entry.base else None
        tips = tuple(Oid(tip) for need in task.needs if (tip := self._tip_of(need.task, need.always)))

        def work() -> None:
            try:
                self.post(self._p.preparation.prepare(task, tips, base))
            except SpinneyError as error:
                self.post(PrepareFailed(task.id, error.message))
            except OSError as error:
                self.post(PrepareFailed(task.id, f"its worktree could not be made: {error}"))

        self._submit(self._preparers, work)

    def _tip_of(self, task: TaskId, always: bool) -> str:
        """What a dependent builds on: the need's branch; nothing where it only had to be over first."""
        entry = self.view.tasks[task]
        if always and not entry.status.good:
            return ""
        return entry.tip

    def _start(self, prepared: Prepared) -> None:
        task = self._plan.task(prepared.task)
        if self._stop_at is not None:
            self._advance([schedule.TaskOver(task.id, TaskOutcome.INTERRUPTED, "")])
            return
        attempt = self._attempt[task.id]
        self._open[task.id] = prepared.worktree
        worktree = prepared.worktree
        self.record(
            "task.started",
            {"task": task.id, "attempt": attempt, "base": prepared.base, "worktree": worktree.path},
            durable=True,
        )
        containment = self._p.containment
        own = (worktree.path, worktree.admin_dir)
        assignment = Assignment(
            run=self._p.integrator.run,
            task=task,
            attempt=attempt,
            generation=self._p.generation,
            facts=self._p.facts,
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=prepared.base,
            identity=self._p.identity,
            settings=self._plan.settings,
            containment=Containment(containment.program, containment.protect, (*containment.writable, *own)),
            environment=tuple(self._p.environment.items()),
            port_base=self._port(task.id),
            resumed=prepared.resumed,
            unchanged_phases=tuple(self.view.tasks[task.id].unchanged_phases),
        )
        self._heard[task.id] = self._p.clock.monotonic()
        self._p.executor.start(assignment, self.post)

    def _port(self, task: TaskId) -> int:
        """The first port of a range that no other open task has."""
        taken = set(self._ports.values())
        index = next(index for index in range(len(taken) + 1) if index not in taken)
        self._ports[task] = index
        return self._p.port_start + index * self._plan.settings.ports

    # --- what managers say

    def _said(self, task: TaskId, message: messages.FromManager) -> list[schedule.Event]:
        match message:
            case messages.Beat():
                pass
            case messages.SlotWanted(agent, _, remaining):
                self._broker.want(Lease(task, agent), remaining + self._remaining[task], self._position[task])
            case messages.SlotReturned(agent):
                self._broker.give_back(Lease(task, agent))
            case messages.PhaseStarted(phase):
                self.record("phase.started", {"task": task, "phase": phase})
            case messages.AgentStarted(phase, agent, attempt):
                self.record(
                    "agent.started", {"task": task, "phase": phase, "agent": agent, "attempt": attempt}
                )
            case messages.AgentSaid(_, line):
                said(self.view, task, line)
            case messages.AgentEnded():
                self.record("agent.ended", {"task": task, **_agent_fields(message)})
            case messages.AgentSkipped(phase, agent, reason):
                self.record("agent.skipped", {"task": task, "phase": phase, "agent": agent, "reason": reason})
            case messages.PhaseEnded(phase, None):
                self.record("phase.unchanged", {"task": task, "phase": phase})
            case messages.PhaseEnded(phase, oid):
                self.record("phase.committed", {"task": task, "phase": phase, "oid": oid}, durable=True)
            case messages.Note(text):
                self.record("note", {"text": text})
            case messages.TaskEnded(result):
                return [self._over(result)]
            case _:
                assert_never(message)
        return []

    def _over(self, result: TaskResult) -> schedule.Event:
        task = result.task
        self._close(task)
        if result.outcome in (TaskOutcome.DONE, TaskOutcome.NO_CHANGE):
            result = self._guarded(result)
        self._results[task] = result
        fields = {
            "task": task,
            "outcome": str(result.outcome),
            "tip": result.tip,
            "commits": [{"phase": commit.phase, "oid": commit.oid} for commit in result.commits],
            "paths": list(result.paths),
            "reason": result.reason,
        }
        self.record("task.over", fields, durable=True)
        worktree = self._open.pop(task, None)
        kept = (
            result.outcome in (TaskOutcome.FAILED, TaskOutcome.INTERRUPTED)
            or self._plan.settings.keep_worktrees
        )
        if worktree is not None and not kept:
            self._p.preparation.give_back(worktree)
        if result.outcome is TaskOutcome.DONE and self._plan.settings.pull_requests in (
            "per-task",
            "stacked",
        ):
            self._publish(task, result.tip)
        return schedule.TaskOver(task, result.outcome, result.reason)

    def _guarded(self, result: TaskResult) -> TaskResult:
        """``result``, or a failed one where something outside the worktrees was written while it ran."""
        spans = [(agent.started, agent.ended) for agent in self.view.tasks[result.task].agents]
        touched = self._p.guard.written_during(spans)
        if not touched:
            return result
        paths = ", ".join(touched[:5]) + (f" and {len(touched) - 5} more" if len(touched) > 5 else "")
        if self._plan.settings.outside_writes == "warn":
            self.record(
                "note", {"text": f"outside its worktree, while {result.task} ran, was written: {paths}"}
            )
            return result
        reason = f"outside its worktree, while it ran, was written: {paths} (`outside_writes: warn` lets this pass)"
        return replace(result, outcome=TaskOutcome.FAILED, reason=reason)

    def _lost(self, task: TaskId, reason: str) -> list[schedule.Event]:
        self._close(task)
        self._open.pop(task, None)
        self.record("manager.lost", {"task": task, "reason": reason}, durable=True)
        return [schedule.ManagerLost(task, reason)]

    def _close(self, task: TaskId) -> None:
        self._heard.pop(task, None)
        self._killed.pop(task, None)
        self._ports.pop(task, None)
        self._broker.forget(task)

    # --- integration and pull requests

    def _integrate(self, task: Task) -> None:
        entry = self.view.tasks[task.id]
        candidate = Candidate(task, Oid(entry.tip), entry.paths)

        def work() -> None:
            try:
                self.post(self._p.integrator.integrate(candidate))
            except Interrupted:
                self.post(IntegrationStopped(task.id))
            except SpinneyError as error:
                self.post(Verdict(task.id, TaskStatus.UNMERGED, error.message))
            except OSError as error:
                self.post(Verdict(task.id, TaskStatus.UNMERGED, f"it could not be integrated: {error}"))

        self._submit(self._integrating, work)

    def _settled(self, verdict: Verdict) -> schedule.Event:
        fields: dict[str, Any] = {
            "task": verdict.task,
            "status": str(verdict.status),
            "reason": verdict.reason,
        }
        if verdict.merged is not None:
            fields |= {"merged": verdict.merged, "ref": self._p.integrator.batch_ref}
        if verdict.files:
            fields |= {"files": list(verdict.files), "with": list(verdict.others)}
        if verdict.log:
            fields["log"] = verdict.log
        self.record("task.settled", fields, durable=True)
        entry = self.view.tasks[verdict.task]
        if self._plan.settings.pull_requests in ("per-task", "stacked"):
            self._publish(verdict.task, Oid(entry.tip))
        return schedule.Integrated(verdict.task, verdict.status, verdict.reason)

    def _publish(self, task: TaskId, tip: Oid) -> None:
        """Open or update the task's pull request: the intent is durable before the call is made."""
        self.record("pull.intent", {"task": task, "tip": tip}, durable=True)
        draft = draft_for(
            self._plan.task(task), self.view, self._plan.settings.pull_requests, self._p.pull_base
        )
        entry = self.view.tasks[task]
        landed = (
            Oid(entry.merged) if entry.status is TaskStatus.MERGED and self._p.integrator.landed else None
        )

        def work() -> None:
            try:
                pull = publish(self._p.forge, draft, tip)
                if landed is not None:
                    pull = self._p.forge.merged(pull.number, landed)
                self.post(Published(task, pull))
            except SpinneyError as error:
                self.post(
                    Recorded(
                        "note",
                        {"text": f"the pull request of {task} could not be published: {error.message}"},
                    )
                )
                self.post(PublishFailed(task))

        self._submit(self._integrating, work)

    # --- the end

    def _finish(self, interrupted: bool) -> None:
        if not interrupted and self.view.merged_ref and self._plan.settings.pull_requests == "batch":
            self.record("pull.intent", {"task": None, "tip": self.view.merged}, durable=True)
            pull = publish(self._p.forge, batch_draft(self.view, self._p.pull_base), Oid(self.view.merged))
            self.record(
                "pull.opened",
                {"task": None, "number": pull.number, "url": pull.url, "state": str(pull.state)},
            )
        self._done = True

    def worth_keeping(self) -> frozenset[str]:
        """Tasks whose worktrees stay: failed ones for people to look at, open ones for ``resume``."""
        everything = self._plan.settings.keep_worktrees
        return frozenset(
            task.id
            for task in self.view.tasks.values()
            if everything or task.status is TaskStatus.FAILED or not task.status.final
        )

    def conclude(self) -> str:
        """Record the run's status, after everything is given back; returns it."""
        good = all(task.status.good for task in self.view.tasks.values())
        final = all(task.status.final for task in self.view.tasks.values())
        status = "interrupted" if not final else "succeeded" if good else "failed"
        self.record("run.ended", {"status": status}, durable=True)
        return status


def _agent_fields(message: messages.AgentEnded) -> dict[str, Any]:
    return {
        "phase": message.phase,
        "agent": message.agent,
        "attempt": message.attempt,
        "ok": message.ok,
        "seconds": round(message.seconds, 4),
        "summary": message.summary,
        "started": round(message.started, 4),
        "input_tokens": message.tokens.input,
        "output_tokens": message.tokens.output,
        "cost_usd": message.cost_usd,
    }
