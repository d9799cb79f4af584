"""The WorkflowManager: carries one task through its workflow in one worktree.

The main thread owns the schedule, the task files and the commits; each agent runs in a thread that blocks
in its backend. Everything arrives in one queue: messages of the orchestrator and ends of agents.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from shared import process
from shared.clock import Clock, SystemClock
from shared.containment import contained
from shared.errors import SpinneyError
from shared.git.commits import PhaseMessage
from shared.globs import matches_any
from shared.messages import (
    AgentEnded,
    AgentSaid,
    AgentSkipped,
    AgentStarted,
    Beat,
    Channel,
    ChannelClosed,
    Note,
    PhaseEnded,
    PhaseStarted,
    SlotGranted,
    SlotReturned,
    SlotWanted,
    Stop,
    TaskEnded,
    ToManager,
)
from shared.model import Agent, Assignment, Oid, Phase, TaskOutcome, TaskResult
from shared.process import Cancel
from shared.text import last_line
from workflow_manager import environment, schedule
from workflow_manager.backends import registry
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.logs import BoundedLog
from workflow_manager.task_files import TaskFiles, prompt
from workflow_manager.workspace import Refusal, Scratch, Workspace

BEAT_SECONDS = 1.0
_SAY_SECONDS = 0.2  # at most one line an agent in this time goes to the board


@dataclass(frozen=True, slots=True)
class _Finished:
    """An agent's thread has ended."""

    start: schedule.StartAgent
    report: AgentReport
    seconds: float
    started: float


@dataclass(frozen=True, slots=True)
class _SetUp:
    """The set-up command has ended; ``problem`` says what went wrong."""

    problem: str


@dataclass(frozen=True, slots=True)
class _Evidence:
    problem: str


class _Gone:
    """The orchestrator is gone."""


_Item = ToManager | _Finished | _SetUp | _Evidence | _Gone


def carry(assignment: Assignment, channel: Channel, clock: Clock | None = None) -> None:
    """Carry the task to its end and report it. The entry of a manager, in a process of its own or not."""
    manager = _Manager(assignment, channel, clock or SystemClock())
    try:
        manager.run()
    except ChannelClosed:
        manager.abandon()
    except SpinneyError as error:
        manager.fail(error.message)


class _Manager:
    def __init__(self, assignment: Assignment, channel: Channel, clock: Clock) -> None:
        self._a = assignment
        self._task = assignment.task
        self._channel = channel
        self._clock = clock
        self._inbox: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._cancels: dict[str, Cancel] = {}
        self._summaries: list[tuple[str, str]] = []
        self._skipped: list[tuple[str, str]] = []
        self._ran: list[Agent] = []
        self._scratch: dict[str, Scratch] = {}
        self._folding: list[str] = []  # scratch agents of this phase in their fixed order
        self._waiting_fold: dict[str, _Finished] = {}
        self._over = False
        self._workspace: Workspace | None = None
        self._files: TaskFiles | None = None
        self._schedule: schedule.TaskSchedule | None = None

    # --- the loop

    def run(self) -> None:
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._workspace = Workspace(self._a)
        if self._a.resumed:
            kept = self._workspace.start_again()
            if kept:
                self._channel.send(Note(f"uncommitted files of {self._task.id} are kept in {kept[:10]}"))
        done = frozenset(commit.phase for commit in self._workspace.phase_commits())
        done |= frozenset(self._a.unchanged_phases)
        self._schedule = schedule.TaskSchedule(self._task, done)
        self._files = TaskFiles(
            Path(self._a.worktree),
            f"{self._a.run}/{self._task.id}",
            self._task,
            self._task.workflow,
            self._clock.now(),
        )
        for phase in self._task.workflow.phases:
            for agent in phase.agents if phase.name in done else ():
                self._files.done_before(agent.name)
        self._prepare()
        while not self._over:
            self._take()

    def _listen(self) -> None:
        try:
            while True:
                message = self._channel.receive(3600.0)
                if message is not None:
                    self._inbox.put(message)
        except ChannelClosed:
            self._inbox.put(_Gone())

    def _take(self) -> None:
        try:
            item = self._inbox.get(timeout=BEAT_SECONDS)
        except queue.Empty:
            self._channel.send(Beat())
            return
        match item:
            case SlotGranted(name):
                self._step(schedule.Granted(name))
            case Stop():
                self._step(schedule.Stopped())
                for cancel in self._cancels.values():
                    cancel.set()
            case _Finished():
                self._finished(item)
            case _SetUp(problem):
                self._set_up(problem)
            case _Evidence(problem):
                self._conclude(problem)
            case _Gone():
                raise ChannelClosed
            case _:
                assert_never(item)

    def _step(self, event: schedule.Event) -> None:
        assert self._schedule is not None
        for command in self._schedule.step(event):
            self._do(command)

    def _do(self, command: schedule.Command) -> None:
        match command:
            case schedule.EnterPhase(phase):
                self._enter(phase)
            case schedule.WantSlot(agent):
                self._channel.send(SlotWanted(agent.name, "cpu", self._remaining()))
            case schedule.StartAgent():
                self._start(command)
            case schedule.SkipAgent(phase, agent, reason):
                self._skipped.append((agent.name, reason))
                self._tasks.skipped(agent.name, reason)
                self._channel.send(AgentSkipped(phase.name, agent.name, reason))
            case schedule.CommitPhase(phase):
                self._commit(phase)
            case schedule.CancelAgents():
                for cancel in self._cancels.values():
                    cancel.set()
            case schedule.Finish(outcome, reason):
                self._finish(outcome, reason)
            case _:
                assert_never(command)

    @property
    def _tasks(self) -> TaskFiles:
        assert self._files is not None
        return self._files

    @property
    def _work(self) -> Workspace:
        assert self._workspace is not None
        return self._workspace

    def _remaining(self) -> float:
        assert self._schedule is not None
        return float(self._schedule.phases_left)

    # --- set-up

    def _prepare(self) -> None:
        included = self._work.include_files()
        if not self._a.settings.setup:
            if included:
                self._work.settle()
            self._step(schedule.Begin())
            return
        self._shell("set-up", self._a.settings.setup, lambda problem: self._inbox.put(_SetUp(problem)))

    def _set_up(self, problem: str) -> None:
        if problem:
            self._finish(TaskOutcome.FAILED, f"set-up command: {problem}")
            return
        self._work.settle()
        self._step(schedule.Begin())

    def _shell(self, name: str, command: str, then: object) -> None:
        """Run a command of the user's in the task's worktree, in a thread; ``then`` gets what went wrong."""
        assert callable(then)
        cancel = self._cancels[name] = Cancel()

        def work() -> None:
            log = BoundedLog(Path(self._a.facts.run_dir, "logs", self._task.id, f"{name}.log"))
            tail = bytearray()

            def on_output(data: bytes) -> None:
                log.write(data)
                tail.extend(data)
                del tail[:-4096]

            end = process.stream(
                contained(self._a.containment, ["/bin/sh", "-c", command]),
                cwd=self._a.worktree,
                env=environment.for_task(self._a),
                on_output=on_output,
                timeout=self._a.settings.timeout,
                cancel=cancel,
            )
            log.close()
            said = last_line(tail.decode(errors="replace"))
            then("" if end.ok else f"{end}{f': {said}' if said else ''}")

        threading.Thread(target=work, name=name, daemon=True).start()

    # --- phases

    def _enter(self, phase: Phase) -> None:
        self._summaries, self._skipped, self._ran = [], [], []
        self._folding, self._waiting_fold = [], {}
        self._channel.send(PhaseStarted(phase.name))

    def _start(self, start: schedule.StartAgent) -> None:
        agent = start.agent
        if agent not in self._ran:
            self._ran.append(agent)
        directory = self._a.worktree
        containment = self._a.containment
        if start.scratch:
            scratch = self._work.scratch(agent)
            self._scratch[agent.name] = scratch
            if agent.name not in self._folding:
                self._folding.append(agent.name)
            directory = scratch.worktree.path
            writable = (
                *containment.writable,
                directory,
                scratch.worktree.admin_dir,
                f"{self._a.worktree}/.tasks",
            )
            containment = replace(containment, writable=writable)
            (Path(directory) / ".tasks").symlink_to(self._tasks.folder)
        now = self._clock.now()
        self._tasks.started(agent.name, now)
        self._channel.send(AgentStarted(start.phase.name, agent.name, start.attempt))
        prompts = Path(self._a.facts.run_dir, "prompts", self._task.id)
        prompts.mkdir(parents=True, exist_ok=True)
        prompt_file = prompts / f"{agent.name}.md"
        prompt_file.write_text(prompt(self._task, agent))
        cancel = self._cancels[agent.name] = Cancel()
        log = BoundedLog(Path(self._a.facts.run_dir, "logs", self._task.id, f"{agent.name}.log"))
        call = AgentCall(
            agent=agent,
            task=self._task,
            settings=self._a.settings,
            attempt=start.attempt,
            worktree=Path(directory),
            environment=environment.for_agent(self._a, start.phase.name, agent, str(prompt_file), directory),
            containment=containment,
            prompt_file=prompt_file,
            output_folder=self._tasks.agent_folder(agent.name),
            timeout=agent.timeout or self._task.timeout or self._a.settings.timeout,
            cancel=cancel,
            write=_Speaker(self._channel, agent, log, self._clock),
        )
        threading.Thread(
            target=self._execute, args=(start, call, log, now), name=agent.name, daemon=True
        ).start()

    def _execute(self, start: schedule.StartAgent, call: AgentCall, log: BoundedLog, started: float) -> None:
        """In the agent's thread: run it, then ask for its evidence."""
        clock = time.perf_counter()
        backend = registry.make(call.agent.backend or self._a.settings.backend)
        report = backend.run(call)
        if report.ok and call.agent.evidence:
            report = _with_evidence(call, report)
        log.close()
        self._inbox.put(_Finished(start, report, time.perf_counter() - clock, started))

    def _finished(self, done: _Finished) -> None:
        agent, report = done.start.agent, done.report
        summary = self._tasks.own_summary(agent.name) or report.summary
        self._cancels.pop(agent.name).close()
        self._channel.send(SlotReturned(agent.name))
        self._channel.send(
            AgentEnded(
                done.start.phase.name,
                agent.name,
                done.start.attempt,
                report.ok,
                done.seconds,
                summary if report.ok else report.reason,
                done.started,
                report.tokens,
                report.cost_usd,
            )
        )
        self._tasks.ended(agent, report, self._clock.now())
        if report.ok:
            self._summaries.append((agent.name, summary))
        if agent.name not in self._scratch:
            self._step(schedule.Ended(agent.name, report.ok, report.reason))
        elif report.ok:
            self._waiting_fold[agent.name] = done
            self._fold()
        else:
            self._work.drop(self._scratch.pop(agent.name))
            self._step(schedule.Ended(agent.name, False, report.reason))
            self._fold()

    def _fold(self) -> None:
        """Merge scratch worktrees of ended agents, each only after those before it in the workflow's order."""
        while self._folding:
            name = self._folding[0]
            if name in self._scratch and name not in self._waiting_fold:
                return  # it still runs
            self._folding.pop(0)
            done = self._waiting_fold.pop(name, None)
            if done is None:
                continue
            scratch = self._scratch.pop(name)
            try:
                conflicts = self._work.fold(scratch)
                problem = (
                    f"its changes conflict with another agent's in {', '.join(conflicts)}"
                    if conflicts
                    else ""
                )
            except Refusal as refusal:
                problem = refusal.message
            self._work.drop(scratch)
            self._step(schedule.Ended(done.start.agent.name, not problem, problem))

    def _commit(self, phase: Phase) -> None:
        message = PhaseMessage(
            run=self._a.run,
            task=self._task.id,
            title=self._task.title,
            phase=phase.name,
            attempt=self._a.attempt,
            summaries=tuple(self._summaries),
            skipped=tuple(self._skipped),
        )
        try:
            oid, paths = self._work.commit(self._ran, str(message))
        except Refusal as refusal:
            self._step(schedule.Refused(phase.name, refusal.message))
            return
        for agent in self._ran:
            alone = len(self._ran) == 1 or agent.writes is None
            self._tasks.artifacts(
                agent.name, [p for p in paths if alone or matches_any(agent.writes or (), p)]
            )
        self._channel.send(PhaseEnded(phase.name, oid))
        self._step(schedule.Committed(phase.name))

    # --- the end

    def _finish(self, outcome: TaskOutcome, reason: str) -> None:
        if outcome is TaskOutcome.DONE and self._task.evidence:
            self._shell("evidence", self._task.evidence, lambda problem: self._inbox.put(_Evidence(problem)))
            return
        self._end(outcome, reason)

    def _conclude(self, problem: str) -> None:
        if problem:
            self._end(TaskOutcome.FAILED, f"evidence: {problem}")
        else:
            self._end(TaskOutcome.DONE, "")

    def _end(self, outcome: TaskOutcome, reason: str) -> None:
        made = self._work.phase_commits()
        if outcome is TaskOutcome.DONE and not made:
            outcome, reason = TaskOutcome.NO_CHANGE, "nothing was changed"
        if outcome is TaskOutcome.FAILED:
            with contextlib.suppress(SpinneyError):
                kept = self._work.salvage(reason)
                if kept:
                    self._channel.send(Note(f"what {self._task.id} left uncommitted is kept in {kept[:10]}"))
        self._report(outcome, reason)

    def _report(self, outcome: TaskOutcome, reason: str) -> None:
        work = self._work
        paths = work.all_paths() if outcome is TaskOutcome.DONE else ()
        self._channel.send(
            TaskEnded(TaskResult(self._task.id, outcome, work.parent, work.phase_commits(), reason, paths))
        )
        self._over = True

    def fail(self, reason: str) -> None:
        """End a task that could not even be worked on."""
        for cancel in self._cancels.values():
            cancel.set()
        tip = self._workspace.parent if self._workspace is not None else Oid(self._a.base)
        self._channel.send(TaskEnded(TaskResult(self._task.id, TaskOutcome.FAILED, tip, (), reason)))

    def abandon(self) -> None:
        """The orchestrator is gone: stop every agent and go as well."""
        for cancel in self._cancels.values():
            cancel.set()
        for thread in threading.enumerate():
            if thread.name in self._cancels:
                thread.join(3.0)


class _Speaker:
    """Takes an agent's output: all of it to the log, the last line now and then to the board."""

    def __init__(self, channel: Channel, agent: Agent, log: BoundedLog, clock: Clock) -> None:
        self._channel, self._agent, self._log, self._clock = channel, agent, log, clock
        self._said = 0.0

    def __call__(self, data: bytes) -> None:
        self._log.write(data)
        now = self._clock.monotonic()
        if now - self._said >= _SAY_SECONDS:
            line = last_line(data[-2000:].decode(errors="replace"))
            if line:
                self._said = now
                with contextlib.suppress(ChannelClosed):
                    self._channel.send(AgentSaid(self._agent.name, line))


def _with_evidence(call: AgentCall, report: AgentReport) -> AgentReport:
    """``report``, or a failed one where the agent's declared evidence does not hold."""
    tail = bytearray()

    def on_output(data: bytes) -> None:
        tail.extend(data)
        del tail[:-4096]
        call.write(data)

    end = process.stream(
        contained(call.containment, ["/bin/sh", "-c", call.agent.evidence]),
        cwd=call.worktree,
        env=call.environment,
        on_output=on_output,
        timeout=call.timeout,
        cancel=call.cancel,
    )
    if end.ok:
        return report
    said = last_line(tail.decode(errors="replace"))
    return replace(report, ok=False, reason=f"its evidence does not hold, {end}{f': {said}' if said else ''}")
