"""What a task does next: a pure step function over its workflow.

Agents of a phase start as their needs allow; a phase is committed when its last agent has ended; the next
phase follows. Nothing here waits, writes or asks the time: the manager records, does, and reports back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from shared.globs import first_overlap
from shared.model import Agent, AgentName, Phase, Task, TaskOutcome, When
from shared.retry import GiveUp, RetryAt, decide

# Events


@dataclass(frozen=True, slots=True)
class Begin:
    """The worktree is ready."""


@dataclass(frozen=True, slots=True)
class Granted:
    agent: AgentName


@dataclass(frozen=True, slots=True)
class Ended:
    agent: AgentName
    ok: bool
    reason: str = ""


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
    """The run is being interrupted."""


Event = Begin | Granted | Ended | Committed | Refused | Stopped

# Commands


@dataclass(frozen=True, slots=True)
class EnterPhase:
    phase: Phase


@dataclass(frozen=True, slots=True)
class WantSlot:
    agent: Agent


@dataclass(frozen=True, slots=True)
class StartAgent:
    phase: Phase
    agent: Agent
    attempt: int
    scratch: bool  # in a worktree of its own


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


Command = EnterPhase | WantSlot | StartAgent | SkipAgent | CommitPhase | CancelAgents | Finish


class State(StrEnum):
    WAITING = "waiting"  # for its needs
    WANTING = "wanting"  # a slot
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


_OVER = (State.DONE, State.SKIPPED, State.FAILED)


class TaskSchedule:
    """The state of one task's workflow. ``done`` are the phases that earlier attempts have completed."""

    def __init__(self, task: Task, done: frozenset[str] = frozenset()) -> None:
        self._task = task
        self._todo = [phase for phase in task.workflow.phases if phase.agents and phase.name not in done]
        self._phase: Phase | None = None
        self._state: dict[AgentName, State] = {}
        self._attempt: dict[AgentName, int] = {}
        self._scratch: frozenset[AgentName] = frozenset()
        self._ending: tuple[TaskOutcome, str] | None = None

    def step(self, event: Event) -> list[Command]:
        """Take one event in; what to do follows."""
        commands: list[Command] = []
        match event:
            case Begin() | Committed() | Refused() if self._ending is not None:
                pass  # the end has been told already
            case Begin() | Committed():
                self._enter_next(commands)
            case Granted(name):
                self._start(name, commands)
            case Ended(name, ok, reason):
                self._end(name, ok, reason, commands)
            case Refused(phase, reason):
                commands.append(Finish(TaskOutcome.FAILED, f"phase {phase}: {reason}"))
            case Stopped():
                self._wind_up(TaskOutcome.INTERRUPTED, "the run was stopped", commands)
            case _:
                assert_never(event)
        return commands

    @property
    def phases_left(self) -> int:
        """Phases from the present one to the end, the first estimate of what remains."""
        return len(self._todo) + 1

    def _enter_next(self, commands: list[Command]) -> None:
        if not self._todo:
            commands.append(Finish(TaskOutcome.DONE, ""))
            return
        self._phase = self._todo.pop(0)
        self._state = {agent.name: State.WAITING for agent in self._phase.agents}
        self._attempt = {agent.name: 1 for agent in self._phase.agents}
        commands.append(EnterPhase(self._phase))
        for agent in self._phase.agents:
            reason = not_wanted(agent.when, self._task)
            if reason:
                self._state[agent.name] = State.SKIPPED
                commands.append(SkipAgent(self._phase, agent, reason))
        running = tuple(agent for agent in self._phase.agents if self._state[agent.name] is State.WAITING)
        self._scratch = needing_scratch(running)
        self._advance(commands)

    def _advance(self, commands: list[Command]) -> None:
        """Ask for slots for what is ready; commit the phase when all is over."""
        assert self._phase is not None
        for agent in self._phase.agents:
            inside = [need for need in agent.needs if need in self._state]
            ready = all(self._state[need] in (State.DONE, State.SKIPPED) for need in inside)
            if self._state[agent.name] is State.WAITING and ready and self._ending is None:
                self._state[agent.name] = State.WANTING
                commands.append(WantSlot(agent))
        if self._ending is not None:
            if not self._running:
                commands.append(Finish(*self._ending))
        elif all(state in _OVER for state in self._state.values()):
            commands.append(CommitPhase(self._phase))

    @property
    def _running(self) -> bool:
        return State.RUNNING in self._state.values()

    def _start(self, name: AgentName, commands: list[Command]) -> None:
        assert self._phase is not None
        if self._state.get(name) is not State.WANTING or self._ending is not None:
            return  # the slot came after the end was decided; the manager gives it back
        agent = next(agent for agent in self._phase.agents if agent.name == name)
        self._state[name] = State.RUNNING
        commands.append(StartAgent(self._phase, agent, self._attempt[name], name in self._scratch))

    def _end(self, name: AgentName, ok: bool, reason: str, commands: list[Command]) -> None:
        assert self._phase is not None
        agent = next(agent for agent in self._phase.agents if agent.name == name)
        if ok:
            self._state[name] = State.DONE
        elif self._ending is not None:
            self._state[name] = State.FAILED
        else:
            match decide(self._attempt[name], agent.retries, reason):
                case RetryAt(attempt):
                    self._attempt[name] = attempt
                    self._state[name] = State.WAITING
                case GiveUp(why):
                    self._state[name] = State.FAILED
                    self._wind_up(TaskOutcome.FAILED, f"{name}: {why}", commands)
                    return
        self._advance(commands)

    def _wind_up(self, outcome: TaskOutcome, reason: str, commands: list[Command]) -> None:
        """Decide the end; it comes when the agents that still run have been stopped."""
        if self._ending is None:
            self._ending = (outcome, reason)
            if self._running:
                commands.append(CancelAgents())
            else:
                commands.append(Finish(outcome, reason))


def not_wanted(when: When, task: Task) -> str:
    """Why an agent does not run for ``task``, or an empty string where it does."""
    if when.labels and not set(when.labels) & set(task.labels):
        return f"the task has none of the labels {', '.join(when.labels)}"
    if when.paths and task.touches and first_overlap(when.paths, task.touches) is None:
        return f"the task touches nothing in {', '.join(when.paths)}"
    return ""


def needing_scratch(agents: tuple[Agent, ...]) -> frozenset[AgentName]:
    """Agents that could write the same paths at the same time, so that each gets a worktree of its own."""
    before = _ancestors(agents)
    found: set[AgentName] = {agent.name for agent in agents if agent.isolation == "scratch"}
    for i, a in enumerate(agents):
        for b in agents[i + 1 :]:
            ordered = a.name in before[b.name] or b.name in before[a.name]
            if not ordered and _may_collide(a, b):
                found.update(agent.name for agent in (a, b) if agent.isolation == "auto")
    return frozenset(found)


def _may_collide(a: Agent, b: Agent) -> bool:
    if a.writes == () or b.writes == ():
        return False
    if a.writes is None or b.writes is None:
        return True
    return first_overlap(a.writes, b.writes) is not None


def _ancestors(agents: tuple[Agent, ...]) -> dict[AgentName, set[AgentName]]:
    direct = {agent.name: set(agent.needs) for agent in agents}
    for _ in agents:
        for name, above in direct.items():
            direct[name] = above.union(*(direct.get(need, set()) for need in above)) if above else above
    return direct
