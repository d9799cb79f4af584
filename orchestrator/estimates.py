"""How long an agent will take: from earlier runs of this repository, or by what the workflow says. Pure.

The estimate is a median, which no number of outliers below a half can move. The percentile for timeouts
drops nothing: an execution that was slow and good shows how slow a good one may be, and a limit that is
too long costs a late kill, while one that is too short costs work. A failed execution that took longer than
every good one counts as well, because a timeout may have cut it off: an agent that became slower is given
more time after its first kill, instead of being killed for ever.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from shared.model import Agent, AgentName, Settings, Task, Tier, Workflow

Basis = Literal["history", "workflow", "guess"]  # the last one by its kind and tier

RECENT = 50  # executions that are looked at: older ones say little about an agent of today
ENOUGH_FOR_ESTIMATE = 3
ENOUGH_FOR_TIMEOUT = 5
TIMEOUT_FACTOR = 3.0  # times the 95th percentile
TIMEOUT_FLOOR = 60.0  # seconds
_MODEL_SECONDS: Mapping[Tier, float] = {"fast": 60.0, "balanced": 120.0, "deep": 240.0}
_CPU_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Key:
    """What executions must have in common to say something about each other."""

    workflow: str
    agent: str
    tier: str
    backend: str  # a scripted agent says nothing about a model
    digest: str = ""  # of its commands or script: two tasks' own commands have nothing in common


@dataclass(frozen=True, slots=True)
class Sample:
    """One earlier execution; interrupted ones are none."""

    key: Key
    seconds: float
    ok: bool


def key_of(workflow: str, agent: Agent, backend: str) -> Key:
    """``backend`` is the run's default."""
    work = (agent.run, agent.commands, agent.script)
    digest = sha256(repr(work).encode()).hexdigest()[:12] if any(work) else ""
    return Key(workflow, agent.name, agent.tier, agent.executed_by(backend), digest)


class Estimates:
    """Answers from ``samples``, oldest first, for a run whose default backend is ``backend``."""

    def __init__(self, samples: Iterable[Sample] = (), backend: str = "command") -> None:
        self._backend = backend
        kept: dict[Key, list[Sample]] = {}
        for sample in samples:
            kept.setdefault(sample.key, []).append(sample)
        self._good = {key: _good(recent[-RECENT:]) for key, recent in kept.items()}
        self._slow = {key: _slow(recent[-RECENT:]) for key, recent in kept.items()}
        self._medians = {
            key: statistics.median(good)
            for key, good in self._good.items()
            if len(good) >= ENOUGH_FOR_ESTIMATE
        }

    def seconds(self, workflow: str, agent: Agent) -> float:
        """By history, or by the workflow's own word, or by what agents of its kind and tier take."""
        if self._medians:
            found = self._medians.get(key_of(workflow, agent, self._backend))
            if found is not None:
                return found
        return self._without_history(agent)

    def basis(self, workflow: str, agent: Agent) -> Basis:
        """What ``seconds`` goes by."""
        if key_of(workflow, agent, self._backend) in self._medians:
            return "history"
        return "guess" if agent.estimate is None else "workflow"

    def _without_history(self, agent: Agent) -> float:
        if agent.estimate is not None:
            return agent.estimate
        return _CPU_SECONDS if agent.slot_kind(self._backend) == "cpu" else _MODEL_SECONDS[agent.tier]

    def timeout(
        self, workflow: str, agent: Agent, ceiling: float, floor: float = TIMEOUT_FLOOR
    ) -> float | None:
        """Seconds after which an agent has surely failed, at most ``ceiling``; None where history cannot say.

        It cannot where there are fewer than five good executions, nor for commands that another agent plans:
        they are others for each task.
        """
        key = key_of(workflow, agent, self._backend)
        if agent.planned or len(self._good.get(key, ())) < ENOUGH_FOR_TIMEOUT:
            return None
        return min(ceiling, max(floor, TIMEOUT_FACTOR * percentile(self._slow[key], 0.95)))

    def timeouts(self, task: Task, settings: Settings) -> tuple[tuple[AgentName, float], ...]:
        """For the agents of a task that history knows: never more than the workflow, task or settings say.

        The work of an agent with a prompt differs from task to task: a history of small ones must not end a
        large one that takes no longer than the workflow allows for.
        """
        found = []
        for agent in task.workflow.agents:
            ceiling = agent.timeout or task.timeout or settings.timeout
            floor = TIMEOUT_FLOOR
            if agent.slot_kind(self._backend) == "model":
                floor = max(floor, TIMEOUT_FACTOR * self._without_history(agent))
            seconds = self.timeout(task.workflow.name, agent, ceiling, floor)
            if seconds is not None:
                found.append((agent.name, seconds))
        return tuple(found)

    def paths(
        self, workflow: Workflow, skipped: Collection[AgentName] = frozenset()
    ) -> dict[AgentName, float]:
        """Per agent, seconds of the longest chain of agents from its start to the workflow's end, itself included.

        Agents that are ``skipped`` take no time; who needs them waits for what they need.
        """
        agents = {agent.name: agent for agent in workflow.agents}
        after = dict.fromkeys(agents, 0.0)
        found: dict[AgentName, float] = {}
        for name in reversed(_in_order(agents)):
            own = 0.0 if name in skipped else self.seconds(workflow.name, agents[name])
            found[name] = own + after[name]
            for need in agents[name].needs:
                after[need] = max(after[need], found[name])
        return found

    def length(self, workflow: Workflow, skipped: Collection[AgentName] = frozenset()) -> float:
        """Seconds of a workflow's longest path."""
        return max(self.paths(workflow, skipped).values(), default=0.0)


def _good(samples: Sequence[Sample]) -> tuple[float, ...]:
    return tuple(sample.seconds for sample in samples if sample.ok)


def _slow(samples: Sequence[Sample]) -> tuple[float, ...]:
    """The good ones, and failed ones that took longer than any of them."""
    good = _good(samples)
    longest = max(good, default=math.inf)
    return good + tuple(s.seconds for s in samples if not s.ok and s.seconds > longest)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all do not exceed. Raises ValueError where there is none."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def _in_order(agents: Mapping[AgentName, Agent]) -> list[AgentName]:
    """Needs before those who need them; workflows have no cycles."""
    open_needs = {name: len(agent.needs) for name, agent in agents.items()}
    dependents: dict[AgentName, list[AgentName]] = {name: [] for name in agents}
    for name, agent in agents.items():
        for need in agent.needs:
            dependents[need].append(name)
    order = [name for name, count in open_needs.items() if not count]
    for name in order:  # grows while it is walked
        for other in dependents[name]:
            open_needs[other] -= 1
            if not open_needs[other]:
                order.append(other)
    return order
