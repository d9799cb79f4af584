"""The WorkflowManager: carries one task through its workflow in one worktree.

The main thread owns the schedule, the task files and the commits; each agent runs in a thread that blocks
in its backend. Everything arrives in one queue: messages of the orchestrator and ends of agents.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from shared.clock import Clock, SystemClock
from shared.errors import SpinneyError
from shared.git.commits import PhaseMessage
from shared.globs import matches_any
from shared.messages import (
    AgentEnded,
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
from shared.model import Agent, AgentName, Assignment, Containment, Oid, Phase, TaskOutcome, TaskResult
from workflow_manager import schedule
from workflow_manager.agents import AgentDone, Agents, CommandDone
from workflow_manager.task_files import TaskFiles
from workflow_manager.workspace import Refusal, Scratch, Workspace

BEAT_SECONDS = 1.0
_SAY_SECONDS = 0.2  # at most one line an agent in this time goes to the board


class _Gone:
    """The orchestrator is gone."""


_Item = ToManager | AgentDone | CommandDone | _Gone
_SET_UP, _EVIDENCE = "set-up", "evidence"


def carry(assignment: Assignment, channel: Channel, clock: Clock | None = None) -> None:
    """Carry the task to its end and report it. The entry of a manager, in a process of its own or not."""
    manager = _Manager(assignment, channel, clock or SystemClock())
    try:
        manager.run()
    except ChannelClosed:
        manager.abandon()
    except SpinneyError as error:
        manager.fail(error.message)
    except OSError:
        if Path(assignment.worktree).is_dir():
            raise
        manager.fail(f"its worktree {assignment.worktree} is gone: somebody removed it")


class _Manager:
    def __init__(self, assignment: Assignment, channel: Channel, clock: Clock) -> None:
        self._a = assignment
        self._task = assignment.task
        self._channel = channel
        self._clock = clock
        self._inbox: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._agents = Agents(assignment, channel, clock, self._inbox.put)
        self._summaries: list[tuple[str, str]] = []
        self._skipped: list[tuple[str, str]] = []
        self._ran: list[Agent] = []
        self._scratch: dict[str, Scratch] = {}
        self._folding: list[AgentName] = []  # scratch agents of this phase in their fixed order
        self._waiting_fold: dict[str, AgentDone] = {}
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
                self._agents.cancel()
            case AgentDone():
                self._finished(item)
            case CommandDone(name, problem):
                self._agents.ended(name)
                if name == _SET_UP:
                    self._set_up(problem)
                else:
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
                self._agents.cancel()
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
        self._agents.command(_SET_UP, self._a.settings.setup)

    def _set_up(self, problem: str) -> None:
        if problem:
            self._finish(TaskOutcome.FAILED, f"set-up command: {problem}")
            return
        self._work.settle()
        self._step(schedule.Begin())

    # --- phases

    def _enter(self, phase: Phase) -> None:
        self._summaries, self._skipped, self._ran = [], [], []
        self._folding, self._waiting_fold = [], {}
        self._channel.send(PhaseStarted(phase.name))

    def _start(self, start: schedule.StartAgent) -> None:
        agent = start.agent
        if agent not in self._ran:
            self._ran.append(agent)
        directory, containment = self._a.worktree, self._a.containment
        if start.scratch:
            directory, containment = self._in_scratch(start)
        self._tasks.started(agent.name, self._clock.now())
        self._channel.send(AgentStarted(start.phase.name, agent.name, start.attempt))
        self._agents.start(start, directory, containment, self._tasks.agent_folder(agent.name))

    def _in_scratch(self, start: schedule.StartAgent) -> tuple[str, Containment]:
        """A worktree for this agent alone, and how it is held there."""
        agent, held = start.agent, self._a.containment
        scratch = self._scratch[agent.name] = self._work.scratch(agent)
        if agent.name not in self._folding:
            place = {other.name: index for index, other in enumerate(start.phase.agents)}
            self._folding = sorted([*self._folding, agent.name], key=place.__getitem__)
        directory = scratch.worktree.path
        (Path(directory) / ".tasks").symlink_to(self._tasks.folder)
        own = (directory, scratch.worktree.admin_dir)
        return directory, replace(held, writable=(*held.writable, *own))

    def _finished(self, done: AgentDone) -> None:
        agent, report = done.start.agent, done.report
        summary = self._tasks.own_summary(agent.name) or report.summary
        self._agents.ended(agent.name)
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
            scratch = self._scratch.pop(agent.name)
            self._work.keep(scratch, report.reason)
            self._work.drop(scratch)
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
                self._work.keep(scratch, problem)
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
            self._agents.command(_EVIDENCE, self._task.evidence)
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
        self._agents.cancel()
        tip = self._workspace.parent if self._workspace is not None else Oid(self._a.base)
        self._channel.send(TaskEnded(TaskResult(self._task.id, TaskOutcome.FAILED, tip, (), reason)))

    def abandon(self) -> None:
        """The orchestrator is gone: stop every agent and go as well."""
        self._agents.abandon(3.0)
