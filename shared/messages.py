"""What a WorkflowManager and the orchestrator say to each other over their channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shared.model import AgentName, Oid, SlotKind, TaskResult, Tier, Tokens


@dataclass(frozen=True, slots=True)
class Beat:
    """The manager is alive; sent once a second while nothing else is."""


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    phase: str


@dataclass(frozen=True, slots=True)
class SlotWanted:
    agent: AgentName
    kind: SlotKind


@dataclass(frozen=True, slots=True)
class SlotReturned:
    agent: AgentName


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """``agent`` is ``PARENT/name`` for one that another asked for."""

    phase: str
    agent: AgentName
    attempt: int
    kind: SlotKind = "cpu"
    tier: Tier = "balanced"


@dataclass(frozen=True, slots=True)
class AgentSaid:
    """The last line of an agent's output, already made safe for a terminal."""

    agent: AgentName
    line: str


@dataclass(frozen=True, slots=True)
class AgentEnded:
    phase: str
    agent: AgentName
    attempt: int
    ok: bool
    seconds: float
    summary: str
    started: float  # seconds since the epoch, to attribute writes outside the worktree
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    counts: tuple[tuple[str, int], ...] = ()  # of what it did: tools by name, recoveries and plans by kind
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContextGiven:
    """What an agent was given to read, in tokens, or was refused because it passes a budget."""

    agent: AgentName
    tokens: int  # counted now
    saved: int  # of components that it had already, or that were compressed
    budget: int  # the tighter one of the agent's and what is left of the workflow's; 0: none
    compressed: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class AgentConflicted:
    """An agent's scratch worktree could not be merged with what others wrote meanwhile."""

    phase: str
    agent: AgentName
    paths: tuple[str, ...]
    resolver: str  # the agent that is asked to resolve it; empty: nobody


@dataclass(frozen=True, slots=True)
class AgentSkipped:
    phase: str
    agent: AgentName
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A phase is over. ``oid`` is None where it changed nothing; otherwise the commit is durable."""

    phase: str
    oid: Oid | None


@dataclass(frozen=True, slots=True)
class Note:
    text: str


@dataclass(frozen=True, slots=True)
class ModelCalled:
    """A request to a model that did not pass this run's gateway: what another one's journal says of it."""

    phase: str
    agent: AgentName
    attempt: int
    model: str
    tokens: Tokens
    cost_usd: float | None  # None: the model has no price
    tries: int = 1
    held: float = 0.0  # seconds
    source: str = "model"  # who answered: it, or a record
    reserved_tokens: int = 0  # that it may have cost beyond that, which nobody will tell
    reserved_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkedElsewhere:
    """The task was at work in another run from ``started`` to ``ended``, in seconds since the epoch."""

    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class TaskEnded:
    result: TaskResult


FromManager = (
    Beat
    | PhaseStarted
    | SlotWanted
    | SlotReturned
    | AgentStarted
    | AgentSaid
    | AgentEnded
    | AgentSkipped
    | AgentConflicted
    | ContextGiven
    | PhaseEnded
    | ModelCalled
    | WorkedElsewhere
    | Note
    | TaskEnded
)


@dataclass(frozen=True, slots=True)
class SlotGranted:
    agent: AgentName


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the agents, leave the worktree as it is, and end as interrupted."""


ToManager = SlotGranted | Stop


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel(Protocol):
    """The manager's side of the conversation."""

    def send(self, message: FromManager) -> None:
        """Raises ChannelClosed when the orchestrator is gone."""

    def receive(self, timeout: float) -> ToManager | None:
        """The next message, or None after ``timeout`` seconds; raises ChannelClosed."""
