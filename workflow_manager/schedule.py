"""What a task does next: a pure step function over its workflow.

An agent starts as soon as its needs are done, whatever phase they are in. A phase is the unit of commit: it
is committed when its last agent is over and the phases before it are committed. Nothing here waits, writes or
asks the time: the manager records, does, and reports back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from shared.model import TIERS, Agent, AgentName, Phase, Task, TaskOutcome
from shared.retry import GiveUp, RetryAt, decide
from workflow_manager.selection import Facts, looks, unwanted
from workflow_manager.sharing import needing_scratch

# Events


@dataclass(frozen=True, slots=True)
class Begin:
    """The worktree is ready."""


@dataclass(frozen=True, slots=True)
class Granted:
    agent: AgentName


@dataclass(frozen=True, slots=True)
class Ended:
    """An agent is over, and what it left is part of the task's work where ``ok``."""

    agent: AgentName
    ok: bool
    reason: str = ""
    final: bool = False  # a further try would end the same way


@dataclass(frozen=True, slots=True)
class Conflicted:
    """An agent did its work, which collides with what others wrote meanwhile in ``paths``."""

    agent: AgentName
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What the conditions of agents are held against now."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class Committed:
    phase: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The phase could not be committed: what its agents left is not allowed, or collides."""

    phase: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run is being interrupted, or there is nothing left to spend; what is done so far is gone on from later."""

    reason: str = "the run was stopped"


Event = Begin | Granted | Ended | Conflicted | Looked | Committed | Refused | Stopped

# Commands


@dataclass(frozen=True, slots=True)
class EnterPhase:
    phase: Phase


@dataclass(frozen=True, slots=True)
class Look:
    """Find out what the change is by now; ``complete`` where the work itself is done."""

    complete: bool


@dataclass(frozen=True, slots=True)
class WantSlot:
    agent: Agent


@dataclass(frozen=True, slots=True)
class StartAgent:
    phase: Phase
    agent: Agent
    attempt: int
    scratch: bool  # in a worktree of its own
    resolves: Agent | None = None  # the agent whose conflict this one is to resolve
    again: int = (
        0  # earlier executions of this name that are no tries of the same: of other conflicts, other asks
    )

    @property
    def number(self) -> int:
        """Which execution of this name it is, from 1: no other in this task has the same one."""
        return self.attempt + self.again


@dataclass(frozen=True, slots=True)
class SkipAgent:
    phase: Phase
    agent: Agent
    reason: str


@dataclass(frozen=True, slots=True)
class CommitPhase:
    phase: Phase


@dataclass(frozen=True, slots=True)
class CancelAgents:
    pass


@dataclass(frozen=True, slots=True)
class Finish:
    outcome: TaskOutcome
    reason: str


Command = EnterPhase | Look | WantSlot | StartAgent | SkipAgent | CommitPhase | CancelAgents | Finish


class State(StrEnum):
    WAITING = "waiting"  # for its needs
    WANTING = "wanting"  # a slot
    RUNNING = "running"
    CONFLICTED = "conflicted"  # until another agent has resolved it
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


_OVER = (State.DONE, State.SKIPPED, State.FAILED)
_GOOD = (State.DONE, State.SKIPPED)


class TaskSchedule:
    """The state of one task's workflow. ``done`` are the phases that earlier attempts have completed."""

    def __init__(self, task: Task, done: frozenset[str] = frozenset(), *, all_agents: bool = False) -> None:
        self._task, self._all_agents = task, all_agents
        self._phases = [phase for phase in task.workflow.phases if phase.agents]
        self._phase_of = {agent.name: phase for phase in self._phases for agent in phase.agents}
        self._agents = {agent.name: agent for phase in self._phases for agent in phase.agents}
        self._state = {
            name: State.DONE if phase.name in done else State.WAITING
            for name, phase in self._phase_of.items()
        }
        self._attempt = dict.fromkeys(self._agents, 1)
        self._uncommitted = [phase for phase in self._phases if phase.name not in done]
        self._committing = False
        self._entered: set[str] = set()
        self._facts: Facts | None = None
        self._looking = False
        self._makers = _makers(self._agents.values())
        self._scratch = needing_scratch(
            tuple(a for a in self._agents.values() if self._waits(a) and not self._unwanted(a, None))
        )
        self._resolver = task.workflow.resolve
        self._resolving: tuple[AgentName, State, int] | None = None  # for whom, how far, which try
        self._resolved_before = 0  # executions of the resolver for earlier conflicts
        self._began = self._told = False
        self._ending: tuple[TaskOutcome, str] | None = None

    def step(self, event: Event) -> list[Command]:
        """Take one event in; what to do follows."""
        commands: list[Command] = []
        match event:
            case Begin():
                self._began = True
            case Granted(name):
                self._start(name, commands)
            case Ended(name, ok, reason, final):
                self._end(name, ok, reason, final, commands)
            case Conflicted(name, paths):
                self._conflict(name, paths, commands)
            case Looked(facts):
                self._facts, self._looking = facts, False
            case Committed():
                self._committing = False
                self._uncommitted.pop(0)
            case Refused(phase, reason):
                self._committing = False
                self._wind_up(TaskOutcome.FAILED, f"phase {phase}: {reason}", commands)
            case Stopped(reason):
                self._wind_up(TaskOutcome.INTERRUPTED, reason, commands)
            case _:
                assert_never(event)
        if not self._told and (self._began or self._ending is not None):
            self._advance(commands)
        return commands

    @property
    def resolving(self) -> bool:
        """Whether an agent is, or will be, at work on a conflict."""
        return self._resolving is not None

    def _finish(self, outcome: TaskOutcome, reason: str, commands: list[Command]) -> None:
        self._ending, self._told = (outcome, reason), True
        commands.append(Finish(outcome, reason))

    def _waits(self, agent: Agent) -> bool:
        return self._state[agent.name] is State.WAITING

    def _advance(self, commands: list[Command]) -> None:
        """Ask for slots for what is ready; commit what is complete; finish when nothing is left."""
        if self._ending is not None:
            if not self._busy:
                self._finish(*self._ending, commands)
            return
        while self._skip_or_want(commands):
            pass  # a skip can make another agent ready
        if self._committing:
            return
        if not self._uncommitted:
            self._finish(TaskOutcome.DONE, "", commands)
        elif all(self._state[agent.name] in _OVER for agent in self._uncommitted[0].agents):
            self._committing = True
            commands.append(CommitPhase(self._uncommitted[0]))

    def _skip_or_want(self, commands: list[Command]) -> bool:
        """Decide about every agent that is ready; returns whether one was skipped."""
        skipped, was_complete = False, self._complete
        for agent in self._agents.values():
            if not self._waits(agent) or not all(self._state[need] in _GOOD for need in agent.needs):
                continue
            conditional = looks(agent.when) and not self._all_agents
            if conditional and self._facts is None and not self._unwanted(agent, None):
                if not self._looking:
                    self._looking = True
                    commands.append(Look(self._complete))
                continue
            reason = self._unwanted(agent, self._facts)
            self._enter(agent, commands)
            if reason:
                self._state[agent.name] = State.SKIPPED
                commands.append(SkipAgent(self._phase_of[agent.name], agent, reason))
                self._facts = self._facts if self._complete == was_complete else None
                skipped = True
            else:
                self._state[agent.name] = State.WANTING
                commands.append(WantSlot(agent))
        return skipped

    @property
    def _complete(self) -> bool:
        """Whether the work itself is done, so that what follows looks at its diff."""
        return bool(self._makers) and all(self._state[name] in _OVER for name in self._makers)

    def _unwanted(self, agent: Agent, facts: Facts | None) -> str:
        return "" if self._all_agents else unwanted(agent.when, self._task, facts)

    def _enter(self, agent: Agent, commands: list[Command]) -> None:
        phase = self._phase_of[agent.name]
        if phase.name not in self._entered:
            self._entered.add(phase.name)
            commands.append(EnterPhase(phase))

    @property
    def _busy(self) -> bool:
        resolving = self._resolving is not None and self._resolving[1] is State.RUNNING
        return self._committing or resolving or State.RUNNING in self._state.values()

    def _start(self, name: AgentName, commands: list[Command]) -> None:
        if self._ending is not None:
            return  # the slot came after the end was decided; the manager gives it back
        if self._resolving is not None and self._is_resolver(name):
            conflicted, _, attempt = self._resolving
            self._resolving = (conflicted, State.RUNNING, attempt)
            assert self._resolver is not None
            phase, agent = self._phase_of[conflicted], self._agents[conflicted]
            commands.append(
                StartAgent(
                    phase,
                    self._resolver,
                    attempt,
                    scratch=True,
                    resolves=agent,
                    again=self._resolved_before,
                )
            )
        elif self._state.get(name) is State.WANTING:
            self._state[name] = State.RUNNING
            scratch = name in self._scratch
            commands.append(
                StartAgent(self._phase_of[name], self._agents[name], self._attempt[name], scratch)
            )

    def _is_resolver(self, name: AgentName) -> bool:
        return self._resolver is not None and self._resolver.name == name

    def _end(self, name: AgentName, ok: bool, reason: str, final: bool, commands: list[Command]) -> None:
        if self._is_resolver(name):
            self._resolved(ok, reason, final, commands)
        elif ok:
            self._done(name)
        else:
            self._try_again(name, reason, commands, final=final)

    def _done(self, name: AgentName) -> None:
        self._state[name] = State.DONE
        self._facts = None  # what it left may have changed them

    def _try_again(
        self, name: AgentName, reason: str, commands: list[Command], *, final: bool = False
    ) -> None:
        if self._ending is not None:
            self._state[name] = State.FAILED
            return
        decision, self._agents[name] = _decide(self._agents[name], self._attempt[name], reason, final)
        match decision:
            case RetryAt(attempt):
                self._attempt[name] = attempt
                self._state[name] = State.WANTING
                commands.append(WantSlot(self._agents[name]))
            case GiveUp(why):
                self._state[name] = State.FAILED
                self._wind_up(TaskOutcome.FAILED, f"{name}: {why}", commands)

    def _conflict(self, name: AgentName, paths: tuple[str, ...], commands: list[Command]) -> None:
        self._resolver = resolver = self._task.workflow.resolve  # at its own tier for each conflict
        if resolver is None or self._ending is not None:
            reason = f"its changes conflict with another agent's in {', '.join(paths)}"
            self._try_again(name, reason, commands)
            return
        self._state[name] = State.CONFLICTED
        self._resolving = (name, State.WANTING, 1)
        commands.append(WantSlot(resolver))

    def _resolved(self, ok: bool, reason: str, final: bool, commands: list[Command]) -> None:
        assert self._resolving is not None
        assert self._resolver is not None
        (conflicted, _, attempt), resolver = self._resolving, self._resolver
        self._resolving = None
        if ok:
            self._resolved_before += attempt
            self._done(conflicted)
            return
        decision, self._resolver = _decide(resolver, attempt, reason, final)
        match decision:
            case RetryAt(again) if self._ending is None:
                self._resolving = (conflicted, State.WANTING, again)
                commands.append(WantSlot(self._resolver))
            case RetryAt() | GiveUp():
                self._resolved_before += attempt
                why = f"its conflict was not resolved, {resolver.name}: {reason}"
                self._try_again(conflicted, why, commands)

    def _wind_up(self, outcome: TaskOutcome, reason: str, commands: list[Command]) -> None:
        if self._ending is None:
            self._ending = (outcome, reason)
            self._leave_conflict()
            if self._busy:
                commands.append(CancelAgents())

    def _leave_conflict(self) -> None:
        """No slot is waited for any more, so a conflict that waits for one stays; others must not wait for it."""
        if self._resolving is not None and self._resolving[1] is not State.RUNNING:
            self._state[self._resolving[0]] = State.FAILED
            self._resolving = None


def _decide(agent: Agent, attempt: int, reason: str, final: bool) -> tuple[RetryAt | GiveUp, Agent]:
    """What follows the failure of try number ``attempt`` of ``agent``, and who makes the next one."""
    decision = decide(attempt, 0 if final else agent.retries, reason)
    if final or isinstance(decision, RetryAt) or not agent.escalate:
        return decision, agent
    higher = TIERS[TIERS.index(agent.tier) + 1 :]
    if not higher:
        return decision, agent
    return RetryAt(attempt + 1), replace(agent, tier=higher[0], escalate=False)


def _makers(agents: Iterable[Agent]) -> frozenset[AgentName]:
    """The agents that do the work itself: those that must leave a change, else those that may write anywhere."""
    listed = list(agents)
    makers = [agent.name for agent in listed if agent.outputs.change]
    return frozenset(makers or [agent.name for agent in listed if agent.writes is None])
