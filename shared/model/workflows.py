"""Workflows: phases, agents, and what these need, leave and ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.model.words import AgentName, ChangeType, ContextForm, ContextPart, Isolation, SlotKind, Tier


@dataclass(frozen=True, slots=True)
class When:
    """The condition under which an agent runs; an empty one always holds, several must all hold."""

    labels: tuple[str, ...] = ()  # any of these is on the task
    paths: tuple[str, ...] = ()  # any of these globs overlaps the task's ``touches``
    changes: tuple[ChangeType, ...] = ()  # the change is of one of these types
    layers: tuple[str, ...] = ()  # any of these layers of the workflow is needed


@dataclass(frozen=True, slots=True)
class SubAgent:
    """What an agent asks for through its port while it works; shown as ``AGENT/name``."""

    name: str  # lower case, unique among those asked for at once
    run: str = ""
    prompt: str = ""
    script: tuple[Step, ...] = ()
    tier: Tier = "balanced"
    timeout: float | None = None  # seconds
    backend: str = ""  # empty: ``command`` for one with ``run``, else its parent's
    by_model: bool = False  # ``run`` is the words of a model, whoever asks for it


@dataclass(frozen=True, slots=True)
class Step:
    """One deterministic act of the ``scripted`` backend."""

    action: Literal[
        "write", "append", "delete", "say", "sleep", "fail", "output", "decide", "verdict", "plan", "spawn"
    ]
    path: str = ""  # of a file; for ``decide`` the decision's key; for ``plan`` commands, checks or fallbacks
    text: str = ""
    seconds: float = 0.0
    times: int = 1  # for ``fail``: how many attempts fail before the script goes on
    agents: tuple[SubAgent, ...] = ()  # for ``spawn``: asked for at once


@dataclass(frozen=True, slots=True)
class Component:
    """A piece of context that an agent asks for: the task's text, the run's events, another agent's output."""

    source: str  # ``task``, ``events`` or an agent's name
    part: ContextPart = "output"  # of an agent
    form: ContextForm = "full"


@dataclass(frozen=True, slots=True)
class Outputs:
    """What an agent must leave before it counts as done."""

    files: tuple[str, ...] = ()  # paths or globs, each with at least one file
    decisions: tuple[str, ...] = ()  # keys of its decisions file
    verdict: bool = False  # ``approve`` or ``request-changes`` in its output file
    change: bool = False  # at least one changed file
    commands: bool = False  # a list of commands in its output file


@dataclass(frozen=True, slots=True)
class Evidence:
    """What must hold before an agent counts as done: exit 0 is not success."""

    command: str = ""  # must exit 0
    verdict: str = ""  # its own verdict must be this
    files: tuple[str, ...] = ()  # must exist


@dataclass(frozen=True, slots=True)
class Planned:
    """Commands that another agent wrote to its output file."""

    agent: AgentName
    part: Literal["commands", "checks"] = "commands"


@dataclass(frozen=True, slots=True)
class Agent:
    """A role in a phase. ``writes`` is None where it may write anywhere, empty where it writes nothing."""

    name: AgentName
    backend: str = ""  # empty: the run's default
    run: str = ""  # a shell command; or
    commands: tuple[str, ...] = ()  # several, in parallel where they do not depend on each other; or
    planned: Planned | None = None  # those another agent planned; or
    prompt: str = ""  # instructions for a model or a coding program
    script: tuple[Step, ...] = ()
    needs: tuple[AgentName, ...] = ()
    reads: tuple[str, ...] = ()  # paths it reads; information only
    context: tuple[Component, ...] = ()  # empty: what its direct needs and earlier decisions say
    writes: tuple[str, ...] | None = None
    tier: Tier = "balanced"
    when: When = When()
    estimate: float | None = None  # seconds, until history knows better
    timeout: float | None = None  # seconds
    retries: int = 0  # further tries after a failed one
    escalate: bool = False  # one more try, a tier higher, after the last one failed
    isolation: Isolation = "auto"
    budget: int = 0  # tokens of context; 0: only the workflow's
    by_model: bool = False  # ``run`` is the words of a model; of sub-agents only
    outputs: Outputs = Outputs()
    evidence: Evidence = Evidence()

    def executed_by(self, backend: str) -> str:
        """The backend that executes it; ``backend`` is the run's default.

        Commands in so many words need nobody to think about them, so that a default that asks a model leaves them
        alone; ``scripted`` as the default plays everything.
        """
        told = bool(self.run or self.commands or self.planned)
        return self.backend or ("command" if told and backend != "scripted" else backend)

    def slot_kind(self, backend: str) -> SlotKind:
        """``cpu`` for commands; ``model`` for whatever is asked in words: it mostly waits for somebody else.

        ``backend`` is the run's default.
        """
        commands = bool(self.run or self.commands or self.planned)
        return "cpu" if commands and self.executed_by(backend) == "command" else "model"


@dataclass(frozen=True, slots=True)
class Phase:
    """The unit of commit. A phase without agents is bookkeeping that the engine itself does."""

    name: str
    agents: tuple[Agent, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of a product that has agents of its own, and the words of a task that call for it."""

    name: str
    words: tuple[str, ...]
    default: bool = False  # taken where no layer is called for


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run of some size may use at most."""

    name: str
    agents: int  # at once
    memory: int  # bytes for all of them
    memory_per_agent: int  # bytes
    cpu_per_agent: float  # processors


@dataclass(frozen=True, slots=True)
class Workflow:
    """Phases in order; ``source`` is a preset's name or the file it was read from."""

    name: str
    phases: tuple[Phase, ...]
    description: str = ""
    source: str = ""
    budget: int = 0  # tokens of context for one task; 0: no limit
    layers: tuple[Layer, ...] = ()
    profiles: tuple[Profile, ...] = ()
    profile: str = ""  # the one a run takes that names none
    resolve: Agent | None = None  # answers a conflict between agents of one task

    @property
    def agents(self) -> tuple[Agent, ...]:
        return tuple(agent for phase in self.phases for agent in phase.agents)
