"""How one task looks: its agents, what they waited for and were given. Pure data that ``RunView`` fills."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.view.spans import Span, minus, union
from orchestrator.view.spending import Bill
from shared.model import TaskStatus

# What is said of an agent that came to no end of its own.
INTERRUPTED = "interrupted"
LOST = "lost with its manager"
STOPPED = "stopped"  # how the reason of one that was cancelled begins


@dataclass(slots=True)
class SlotView:
    """One request for a slot; times are seconds since the epoch, None for what has not happened."""

    agent: str
    kind: str
    wanted: float
    granted: float | None = None
    returned: float | None = None
    after: int | None = None  # which of the task's agents had ended last: its end let this one ask

    def waited(self, until: float) -> Span:
        """From the wish to its fulfilment, or ``until``."""
        return self.wanted, max(self.wanted, until if self.granted is None else self.granted)


@dataclass(slots=True)
class GateView:
    """One run of the gate; times are seconds since the epoch."""

    task: str
    started: float
    waited: float = 0.0  # seconds for its slot before that
    ended: float | None = None
    seconds: float = 0.0
    passed: bool = False


@dataclass(slots=True)
class ContextView:
    """What an agent was given to read in all its tries, in tokens."""

    tokens: int = 0
    saved: int = 0  # it had that already, or got it compressed
    budget: int = 0  # what it might have had at first; 0: as much as it wanted
    compressed: list[str] = field(default_factory=list)
    refused: int = 0  # times


@dataclass(frozen=True, slots=True)
class ConflictView:
    """What an agent wrote could not be merged with what others of its task wrote meanwhile."""

    phase: str
    agent: str
    paths: tuple[str, ...]
    resolver: str  # empty: nobody was asked


@dataclass(slots=True)
class AgentView:
    """One execution of an agent, or of one that another asked for: ``PARENT/name``."""

    task: str
    phase: str
    name: str
    attempt: int
    started: float  # seconds since the epoch
    ended: float | None = None
    seconds: float = 0.0
    ok: bool = False
    summary: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    kind: str = "cpu"
    tier: str = "balanced"
    bill: Bill = field(default_factory=Bill)  # of the requests that it made to models
    counts: dict[str, int] = field(default_factory=dict)  # of what it did, by name
    warnings: tuple[str, ...] = ()
    needed: float = 0.0  # seconds from its task's first wish for a slot to its own: its needs were not done
    slots: list[SlotView] = field(default_factory=list)  # more than one where it gave its own back meanwhile
    away: list[Span] = field(default_factory=list)  # while agents that it asked for wanted or had slots

    @property
    def parent(self) -> str:
        return self.name.partition("/")[0] if "/" in self.name else ""

    @property
    def own_end(self) -> bool:
        """Whether it ended by itself, well or not: neither running, nor stopped from outside, nor lost."""
        cut = self.summary in (INTERRUPTED, LOST) or self.summary.startswith(STOPPED)
        return self.ended is not None and (self.ok or not cut)

    @property
    def wanted(self) -> float:
        """When it could have begun."""
        return self.slots[0].wanted if self.slots else self.started

    @property
    def after(self) -> int | None:
        """Which of its task's agents let it begin; None where that is not told, or where none did."""
        return self.slots[0].after if self.slots else None

    @property
    def slot_seconds(self) -> float:
        """How long it waited for slots that it got."""
        return sum((slot.granted - slot.wanted for slot in self.slots if slot.granted is not None), 0.0)

    @property
    def worked(self) -> list[Span]:
        """When it worked itself, and did not wait for agents of its own or for its slot after them."""
        if self.ended is None:
            return []
        pairs = zip(self.slots, self.slots[1:], strict=False)
        gaps = [(a.returned, b.granted) for a, b in pairs if a.returned is not None and b.granted is not None]
        return minus((self.started, self.started + self.seconds), union([*self.away, *gaps]))

    @property
    def work(self) -> float:
        """Seconds of that. The time of agents it asked for counts as theirs."""
        if not self.away and len(self.slots) < 2:  # nearly all: the board asks for them ten times a second
            return self.seconds
        return sum((end - begin for begin, end in self.worked), 0.0)


@dataclass(slots=True)
class TaskView:
    id: str
    title: str
    needs: tuple[str, ...] = ()
    status: TaskStatus = TaskStatus.WAITING
    reason: str = ""
    branch: str = ""
    worktree: str = ""
    base: str = ""
    aside: str = ""  # commits of others that a fresh start took off its branch, in words
    tip: str = ""
    attempts: int = 0
    phase: str = ""  # the latest that began; others may still be open
    last_line: str = ""
    commits: list[tuple[str, str]] = field(default_factory=list)  # phase, oid
    unchanged_phases: list[str] = field(default_factory=list)
    skipped_agents: list[tuple[str, str]] = field(default_factory=list)  # agent, reason
    agents: list[AgentView] = field(default_factory=list)
    paths: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    pull: tuple[int, str] | None = None  # number, url
    conflict_files: tuple[str, ...] = ()
    conflict_with: tuple[str, ...] = ()
    gate_log: str = ""
    merged: str = ""
    workflow: str = ""
    change: str = ""  # the declared kind of change
    budget: int = 0  # tokens of context for all its agents; 0: no limit
    opened: float = 0.0  # when its present attempt began
    begun: float | None = None  # when the first agent of that asked for its slot
    startup: float = 0.0  # seconds between these two, of all attempts
    queue: list[SlotView] = field(default_factory=list)  # wishes of agents that have not started
    latest: int | None = None  # of its agents, the one that ended last in its present attempt
    contexts: dict[str, ContextView] = field(default_factory=dict)  # by agent
    conflicts: list[ConflictView] = field(default_factory=list)
    finished: float | None = None  # since when it could be integrated
    merging: float | None = None  # since when it has been its turn
    settled: float | None = None
    bill: Bill = field(default_factory=Bill)  # of all its agents, those that were lost included
    spent: str = ""  # which budget ended it before its work was done
    publishing: bool = False  # a pull request is wanted, and it is not known yet what came of that
    unpublished: str = ""  # why it has none though one was wanted
    sent: str = ""  # the commit at which its branch was last pushed to the forge
    marked: str = ""  # the commit that shows how it stands
    stage: str = ""  # how its issue was last told that it stands

    @property
    def running_agents(self) -> list[AgentView]:
        return [agent for agent in self.agents if agent.ended is None]

    @property
    def failed_tries(self) -> dict[tuple[str, int], str]:
        """Why tries failed, by agent and number, after which the agent was tried again."""
        latest: dict[str, int] = {}
        failed: dict[tuple[str, int], str] = {}
        for agent in self.agents:
            latest[agent.name] = max(agent.attempt, latest.get(agent.name, 0))
            if agent.own_end:
                failed.pop((agent.name, agent.attempt), None)
                failed |= {} if agent.ok else {(agent.name, agent.attempt): agent.summary}
        return {(name, number): why for (name, number), why in failed.items() if number < latest[name]}

    @property
    def seconds(self) -> float:
        """Time its agents worked, measured."""
        return sum((agent.work for agent in self.agents), 0.0)

    def running(self, name: str) -> AgentView | None:
        return next(
            (agent for agent in reversed(self.agents) if agent.ended is None and agent.name == name), None
        )
