"""The WorkflowManager: carries one task through its workflow in one worktree.

The main thread owns the schedule, the task files and the commits; each agent runs in a thread that blocks
in its backend. Everything arrives in one queue: messages of the orchestrator and ends of agents.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from shared.clock import Clock, SystemClock
from shared.errors import SpinneyError
from shared.git.commits import PhaseMessage
from shared.mentions import checked, quiet
from shared.messages import (
    AgentConflicted,
    AgentSkipped,
    AgentStarted,
    Beat,
    Channel,
    ChannelClosed,
    ContextGiven,
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
from shared.model import Agent, AgentName, Assignment, Oid, Phase, TaskOutcome, TaskResult
from shared.secrets import withheld
from shared.text import first_sentence
from workflow_manager import paying, schedule
from workflow_manager.agents import AgentDone, Agents, CommandDone, Seat, SpawnAsked
from workflow_manager.backends.port import AgentReport
from workflow_manager.context import Context
from workflow_manager.draft import Draft
from workflow_manager.folding import Folding
from workflow_manager.phase_log import PhaseLog, unpaid
from workflow_manager.selection import Facts, change_now, declared_change, needed_layers
from workflow_manager.sub_agents import SubAgents
from workflow_manager.task_files import TaskFiles
from workflow_manager.workspace import Refusal, Workspace

BEAT_SECONDS = 1.0
_GATHER_SECONDS = 0.01  # what happens within it is written to the task's manifest at once


class _Gone:
    """The orchestrator is gone."""


@dataclass(frozen=True, slots=True)
class _Conclusion:
    """The schedule has nothing left; taken up when what is being done now is done."""

    outcome: TaskOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A phase's commit is on disk, and its branch is there, or it could not be done."""

    phase: Phase
    draft: Draft
    oid: Oid | None
    error: Exception | None = None


_Item = ToManager | AgentDone | CommandDone | SpawnAsked | _Written | _Conclusion | _Gone
_SET_UP, _EVIDENCE = "set-up", "evidence"


def carry(assignment: Assignment, channel: Channel, clock: Clock | None = None) -> None:
    """Carry the task to its end and report it. The entry of a manager, in a process of its own or not."""
    manager = _Manager(assignment, channel, clock or SystemClock())
    try:
        manager.run()
    except ChannelClosed:
        pass
    except SpinneyError as error:
        manager.fail(error.message)
    except OSError:
        if Path(assignment.worktree).is_dir():
            raise
        manager.fail(f"its worktree {assignment.worktree} is gone: somebody removed it")
    finally:
        manager.abandon()


class _Manager:
    def __init__(self, assignment: Assignment, channel: Channel, clock: Clock) -> None:
        self._a = assignment
        self._task = assignment.task
        self._channel = channel
        self._clock = clock
        self._inbox: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._agents = Agents(assignment, channel, clock, self._inbox.put)
        self._at_work: dict[AgentName, tuple[schedule.StartAgent, Seat]] = {}
        self._by_change = any(agent.when.changes for agent in self._task.workflow.agents)
        self._over = self._stopping = False
        self._looked_for_hung = 0.0
        self._workspace: Workspace | None = None

    # --- the loop

    def run(self) -> None:
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._workspace = self._work = Workspace(self._a)
        if self._a.resumed:
            kept = self._work.start_again()
            if kept:
                self._channel.send(Note(f"uncommitted files of {self._task.id} are kept in {kept[:10]}"))
        committed = frozenset(commit.phase for commit in self._work.phase_commits())
        done = committed | frozenset(self._a.unchanged_phases)
        workflow = self._task.workflow
        self._log = PhaseLog(workflow, unpaid(workflow, committed, self._a.unchanged_phases))
        self._schedule = schedule.TaskSchedule(self._task, done, all_agents=self._a.settings.all_agents)
        self._folding = Folding(self._work, workflow.agents, self._a.containment)
        session = f"{self._a.run}/{self._task.id}"
        self._tasks = TaskFiles(Path(self._a.worktree), session, self._task, workflow, self._clock.now())
        self._context = Context(self._tasks, self._task)
        self._subs = SubAgents(self._agents, self._tasks, self._a.settings, self._channel.send, self._clock)
        for phase in workflow.phases:
            for agent in phase.agents if phase.name in done else ():
                self._tasks.done_before(agent.name)
        self._prepare(worked=self._a.resumed or bool(done))
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
        self._end_hung()
        try:
            item = self._inbox.get(timeout=_GATHER_SECONDS if self._tasks.unwritten else BEAT_SECONDS)
        except queue.Empty:
            if self._tasks.unwritten:
                self._tasks.flush()
            else:
                self._channel.send(Beat())
            return
        match item:
            case SlotGranted(name):
                if not self._subs.granted(name):
                    self._step(schedule.Granted(name))
            case SpawnAsked(parent):
                self._subs.asked(item, *self._at_work[parent])
            case Stop():
                self._stopping = True
                self._step(schedule.Stopped())
                self._cancel()
            case AgentDone():
                self._finished(item)
            case CommandDone(name, problem):
                self._agents.ended(name)
                if name == _SET_UP:
                    self._set_up(problem)
                else:
                    self._conclude(problem)
            case _Written():
                self._committed(item)
            case _Conclusion(outcome, reason):
                self._finish(outcome, reason)
            case _Gone():
                raise ChannelClosed
            case _:
                assert_never(item)

    def _end_hung(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked_for_hung >= BEAT_SECONDS:
            self._looked_for_hung = now
            self._agents.end_hung(self._a.settings.silence)

    def _step(self, event: schedule.Event) -> None:
        """Do what follows from ``event``; a conflict that nobody will resolve after it is given up at once."""
        for command in self._schedule.step(event):
            self._do(command)
        if not self._schedule.resolving and self._folding.give_up():
            self._steps(self._folding.ready())

    def _steps(self, events: Iterable[schedule.Event]) -> None:
        """What folding tells."""
        for event in events:
            if isinstance(event, schedule.Conflicted):
                self._tell_conflict(event)
            self._step(event)

    def _do(self, command: schedule.Command) -> None:
        match command:
            case schedule.EnterPhase(phase):
                self._channel.send(PhaseStarted(phase.name))
            case schedule.Look(complete):
                self._look(complete)
            case schedule.WantSlot(agent):
                self._channel.send(SlotWanted(agent.name, agent.slot_kind(self._a.settings.backend)))
            case schedule.StartAgent():
                self._start(command)
            case schedule.SkipAgent(phase, agent, reason):
                self._log.skipped(phase.name, agent.name, reason)
                self._tasks.skipped(agent.name, reason)
                self._context.event(f"{agent.name} skipped: {reason}")
                self._channel.send(AgentSkipped(phase.name, agent.name, reason))
            case schedule.CommitPhase(phase):
                self._commit(phase)
            case schedule.CancelAgents():
                self._cancel()
            case schedule.Finish(outcome, reason):
                self._inbox.put(_Conclusion(outcome, reason))
            case _:
                assert_never(command)

    def _cancel(self) -> None:
        self._agents.cancel()
        self._subs.stop()

    # --- set-up

    def _prepare(self, *, worked: bool) -> None:
        """Make the worktree ready, where agents have ``worked`` before or not."""
        included = self._work.include_files()
        if not self._a.settings.setup:
            if included:
                self._work.settle()
            self._step(schedule.Begin())
            return
        self._agents.command(_SET_UP, self._a.settings.setup, worked=worked)

    def _set_up(self, problem: str) -> None:
        if problem:
            self._finish(TaskOutcome.FAILED, f"set-up command: {problem}")
            return
        self._work.settle()
        self._step(schedule.Begin())

    # --- agents

    def _look(self, complete: bool) -> None:
        """Find out what the conditions of agents depend on."""
        if self._by_change:
            change, why = change_now(self._task, self._work.changed_lines(), complete=complete)
        else:
            change, why = declared_change(self._task)
        layers, from_where = needed_layers(self._task.workflow, self._task, self._tasks.layers())
        self._step(schedule.Looked(Facts(change, why, layers, from_where)))

    def _start(self, start: schedule.StartAgent) -> None:
        agent, phase = start.agent, start.phase.name
        # Who resolves a conflict is told of the agent it does that for.
        asking = replace(agent, needs=(start.resolves.name,)) if start.resolves else agent
        given = self._context.give(asking, start.attempt)
        if given.tokens:
            self._channel.send(
                ContextGiven(
                    agent.name, given.tokens, given.saved, given.budget, given.compressed, bool(given.refused)
                )
            )
        if given.refused:
            self._channel.send(SlotReturned(agent.name))
            self._step(schedule.Ended(agent.name, False, given.refused, final=True))
            return
        folder = self._tasks.agent_folder(agent.name)
        if start.scratch:
            seat = self._folding.seat(start, self._tasks.folder, folder)
        else:
            self._work.starts(phase, agent)
            seat = Seat(self._a.worktree, self._a.containment, folder)
        self._at_work[agent.name] = (start, seat)
        self._log.started(phase, agent.name)
        self._tasks.started(agent.name, self._clock.now())
        kind = agent.slot_kind(self._a.settings.backend)
        self._channel.send(AgentStarted(phase, agent.name, start.number, kind, agent.tier))
        self._agents.start(start, seat, given.prompt)

    def _finished(self, done: AgentDone) -> None:
        name = done.start.agent.name
        if done.report.spent:  # first, so that its failure is nobody's: the task stops here and goes on later
            self._step(schedule.Stopped(done.report.reason))
        if "/" in name:
            self._subs.ended(done)
            return
        del self._at_work[name]
        self._agents.ended(name)
        self._channel.send(SlotReturned(name))
        if name in self._folding:
            self._record_end(done, done.report)
            self._ended_apart(name, done.report)
            return
        self._work.ends(done.start.phase.name, done.start.agent)
        report = self._demand_change(done.start.agent, done.report)
        self._record_end(done, report)
        self._step(schedule.Ended(name, report.ok, report.reason, final=report.final))

    def _demand_change(self, agent: Agent, report: AgentReport) -> AgentReport:
        """``report``, or a failed one where the agent must leave a change and left none."""
        if not agent.outputs.change or not report.ok:
            return report
        self._work.absorb()
        return report if self._work.left_by(agent.name) else AgentReport(False, reason="it changed nothing")

    def _record_end(self, done: AgentDone, report: AgentReport) -> None:
        """An agent's end for its own files, the journal, and the commit of its phase."""
        agent, phase = done.start.agent, done.start.phase.name
        self._tasks.ended(agent, report, self._clock.now())
        summary = withheld(self._tasks.own_summary(agent.name) or report.summary, self._a.secrets)
        if report.ok:
            self._log.ended(phase, agent.name, summary)
        said = summary if report.ok else report.reason
        self._agents.failures[agent.name] = "" if report.ok else report.reason
        self._context.event(f"{agent.name} {'done' if report.ok else 'failed'}: {said}")
        self._channel.send(done.told(report, said))

    def _ended_apart(self, name: AgentName, report: AgentReport) -> None:
        """An agent in a worktree of its own has ended."""
        if report.ok:
            self._steps(self._folding.done(name))
            return
        self._folding.failed(name, report.reason)
        self._steps([schedule.Ended(name, False, report.reason, final=report.final)])
        self._steps(self._folding.ready())

    def _tell_conflict(self, event: schedule.Conflicted) -> None:
        resolver = self._task.workflow.resolve
        phase = next(p for p in self._task.workflow.phases if event.agent in [a.name for a in p.agents])
        self._channel.send(
            AgentConflicted(phase.name, event.agent, event.paths, resolver.name if resolver else "")
        )

    def _commit(self, phase: Phase) -> None:
        message = PhaseMessage(
            run=self._a.run,
            task=self._task.id,
            title=quiet(self._task.title) if self._task.foreign else first_sentence(self._task.title),
            phase=phase.name,
            attempt=self._a.attempt,
            summaries=tuple((agent, self._told(said, 100)) for agent, said in self._log.summaries(phase)),
            skipped=tuple((agent, self._told(why, 90)) for agent, why in self._log.skips(phase)),
            answers=self._task.answers,
        )
        try:
            draft = self._work.ready(phase.name)
        except Refusal as refusal:
            self._step(schedule.Refused(phase.name, refusal.message))
            return

        to_pay = self._log.to_pay(phase)

        def write() -> None:
            """In a thread: flushing to disk takes as long as the disk likes, and agents wait to be started."""
            try:
                told = replace(message, usage=paying.of_phases(self._a, to_pay))
                self._inbox.put(_Written(phase, draft, draft.write(str(told))))
            except Exception as error:  # noqa: BLE001 - a worker's entry: without an end the task would hang
                self._inbox.put(_Written(phase, draft, None, error))

        threading.Thread(target=write, name=f"commit {phase.name}", daemon=True).start()

    def _told(self, said: str, limit: int) -> str:
        """What an agent says, for the message of a commit."""
        return quiet(said, limit) if self._task.foreign else checked(first_sentence(said, limit))

    def _committed(self, written: _Written) -> None:
        if written.error is not None:
            raise written.error
        name = written.phase.name
        self._work.committed(written.draft, written.oid)
        self._log.told(written.phase, committed=written.oid is not None)
        for agent in self._log.ran(name):
            self._tasks.artifacts(agent, self._work.left_by(agent))
        self._context.event(f"phase {name} {'committed' if written.oid else 'changed nothing'}")
        self._channel.send(PhaseEnded(name, written.oid))
        self._step(schedule.Committed(name))

    # --- the end

    def _finish(self, outcome: TaskOutcome, reason: str) -> None:
        if outcome is TaskOutcome.DONE and self._task.evidence and self._stopping:
            outcome, reason = TaskOutcome.INTERRUPTED, "the run was stopped"
        elif outcome is TaskOutcome.DONE and self._task.evidence:
            self._agents.command(_EVIDENCE, self._task.evidence)
            return
        self._end(outcome, reason)

    def _conclude(self, problem: str) -> None:
        if problem and self._stopping:
            self._end(TaskOutcome.INTERRUPTED, "the run was stopped")
        elif problem:
            self._end(TaskOutcome.FAILED, f"evidence: {problem}")
        else:
            self._end(TaskOutcome.DONE, "")

    def _end(self, outcome: TaskOutcome, reason: str) -> None:
        self._tasks.flush()
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
        """End a task that cannot be worked on, or not any more."""
        self.abandon()
        tip = self._workspace.parent if self._workspace is not None else Oid(self._a.base)
        self._channel.send(TaskEnded(TaskResult(self._task.id, TaskOutcome.FAILED, tip, (), reason)))

    def abandon(self) -> None:
        """End whatever still runs: nobody takes its end from the inbox any more."""
        self._agents.abandon(3.0)
