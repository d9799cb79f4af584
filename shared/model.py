"""The vocabulary: plain, frozen, picklable data that every other module speaks.

Nothing here performs any input or output, so an ``Assignment`` can cross a process or a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NewType

TaskId = NewType("TaskId", str)
RunId = NewType("RunId", str)
Oid = NewType("Oid", str)  # 40 hexadecimal digits of a git object
AgentName = NewType("AgentName", str)

Tier = Literal["fast", "balanced", "deep"]
SlotKind = Literal["model", "cpu", "gate"]
ContextForm = Literal["full", "compressed"]
ContextPart = Literal["output", "decisions", "artifacts"]
Isolation = Literal["auto", "shared", "scratch"]
PullRequestPolicy = Literal["per-task", "stacked", "batch", "none"]
OutsideWrites = Literal["fail", "warn"]
Allowance = Literal["workflows", "agent-config", "git-attributes", "symlinks", "large-files", "secrets"]
BackendName = Literal[
    "command", "scripted", "anthropic", "claude-code", "codex", "gemini", "aider", "opencode"
]
Sandboxing = Literal["auto", "on", "off"]
TIERS: tuple[Tier, ...] = ("fast", "balanced", "deep")  # from the cheapest


class TaskStatus(StrEnum):
    """How a task stands. The last six are final and are what ``--json`` reports."""

    WAITING = "waiting"  # for its needs, or for a place among the open tasks
    RUNNING = "running"
    FINISHED = "finished"  # its commits are on its branch; not yet integrated
    MERGED = "merged"
    UNMERGED = "unmerged"  # finished, but kept out of the merged result; the reason says why
    NO_CHANGE = "no-change"
    FAILED = "failed"
    CONFLICT = "conflict"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        return self not in _OPEN_STATUSES

    @property
    def good(self) -> bool:
        """Whether the task ended as the user asked."""
        return self in (TaskStatus.MERGED, TaskStatus.NO_CHANGE)


_OPEN_STATUSES = frozenset({TaskStatus.WAITING, TaskStatus.RUNNING, TaskStatus.FINISHED})


@dataclass(frozen=True, slots=True)
class Identity:
    """Author and committer, as git writes them."""

    name: str
    email: str


class ChangeType(StrEnum):
    """What kind of change a task is, by its declaration or by its diff; decides which agents it needs."""

    DOCUMENTATION = "documentation"
    TYPO = "typo"  # fewer than three changed lines
    CONFIGURATION = "configuration"
    TESTS = "tests"
    FULL = "full"


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


@dataclass(frozen=True, slots=True)
class Need:
    """Another task this one waits for; with ``always`` whatever became of it."""

    task: TaskId
    always: bool = False


@dataclass(frozen=True, slots=True)
class Spending:
    """What may be spent on models; 0 is no limit. Tokens are those of the input, cached or not, and the output."""

    usd: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of ``model``, for prompts of more than ``above`` tokens."""

    model: str
    input: float
    output: float
    cache_write: float = 0.0  # kept for five minutes
    cache_write_1h: float = 0.0
    cache_read: float = 0.0
    above: int = 0


# Read off https://platform.claude.com/docs/en/about-claude/pricing on the day PRICES_OF names.
PRICES_OF = "2026-11-01"
PRICES = (
    Price("claude-haiku-5-5", 0.10, 0.50, 0.125, 0.20, 0.01),
    Price("claude-haiku-5-5", 0.50, 2.50, 0.625, 1.00, 0.05, above=100_000),
    Price("claude-sonnet-5-5", 2.00, 10.00, 2.50, 4.00, 0.20),
    Price("claude-opus-5-5", 4.00, 20.00, 5.00, 8.00, 0.20),
)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models work, where they are reached, what they cost, and how fast they may be asked."""

    fast: str = "claude-haiku-5-5"
    balanced: str = "claude-sonnet-5-5"
    deep: str = "claude-opus-5-5"
    base_url: str = "https://api.anthropic.com"
    key_file: str = ""  # holds the key; empty: the environment, then the keyring
    prices: tuple[Price, ...] = PRICES
    prices_of: str = PRICES_OF  # the day they were read
    requests_per_minute: int = 0  # for all agents together; 0: what the server's own headers say
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    at_once: int = 0  # requests; 0: as many as there are slots
    outage: float = 1800.0  # seconds without an answer after which requests are given up
    steps: int = 150  # requests that one agent may make
    cache: bool = False  # answer a request that was made before, to the letter, from the record

    def of(self, tier: Tier) -> str:
        return {"fast": self.fast, "balanced": self.balanced, "deep": self.deep}[tier]


@dataclass(frozen=True, slots=True)
class Program:
    """A coding program that works on its own in a worktree; see ``workflow_manager/backends/programs``."""

    name: str
    command: tuple[str, ...] = ()  # empty: what is built in for this name
    environment: tuple[tuple[str, str], ...] = ()
    version: str = ""  # the oldest that is known to work


@dataclass(frozen=True, slots=True)
class Task:
    """One independent piece of work."""

    id: TaskId
    title: str
    workflow: Workflow
    body: str = ""
    needs: tuple[Need, ...] = ()
    touches: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    evidence: str = ""
    timeout: float | None = None  # seconds for each agent that names none
    allow: tuple[Allowance, ...] = ()
    change: ChangeType | None = None  # as declared; None: by its labels and ``touches``
    budget: Spending = Spending()  # on models
    foreign: bool = False  # its text came from a forge: strangers may have written it
    source: str = ""  # where it was read from, for messages

    @property
    def branch(self) -> str:
        return f"spinney/{self.id}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run does beyond its tasks: the batch file over ``spinney.yaml`` over the defaults."""

    base: str = ""  # a revision; empty: the current commit
    into: str = ""  # a branch; empty: only spinney/batch/<run>
    gate: str = ""  # a shell command; empty: none
    gate_timeout: float = 1800.0  # seconds
    pull_requests: PullRequestPolicy = "per-task"
    jobs: int = 0  # agents at once; 0: what the machine can carry
    setup: str = ""  # a shell command run in every fresh worktree
    backend: str = "command"  # a BackendName
    agent_command: str = ""  # runs an agent that has only a prompt; reads $SPINNEY_PROMPT
    timeout: float = 3600.0  # seconds for an agent that names none
    silence: float = 900.0  # seconds without output or work after which an agent counts as hung
    profile: str = ""  # a resource profile of the batch's workflows
    all_agents: bool = False  # run those, too, that the kind of change does not need
    ports: int = 10  # consecutive ports reserved for each open task
    max_file_size: int = 10 * 1024 * 1024  # bytes of a file an agent may add
    outside_writes: OutsideWrites = "fail"
    keep_worktrees: bool = False
    sandbox: Sandboxing = "auto"  # on for models and for text of strangers, off for the user's own commands
    gate_sandbox: Sandboxing = "auto"  # on where agents are in one: it executes what they wrote
    sandbox_read: tuple[str, ...] = ()  # more places that a sandboxed agent may read
    pass_environment: tuple[str, ...] = ()  # more variables that a sandboxed agent gets
    models: ModelSettings = ModelSettings()
    budget: Spending = Spending()  # of a whole run, on models
    task_budget: Spending = Spending()  # of each task that names none
    programs: tuple[Program, ...] = ()
    unsafe_no_sandbox: bool = False  # run models and text of strangers with the rights of the user


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """Where a repository keeps things: absolute paths, recorded before any agent runs."""

    git_dir: str  # the common directory
    checkout: str  # the user's main checkout; empty for a bare repository
    worktrees: str  # the folder that holds Spinney's worktrees
    run_dir: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to share out."""

    processors: int  # that this process may use
    memory: int  # bytes


@dataclass(frozen=True, slots=True)
class Containment:
    """How agents are held. ``program`` is bubblewrap's path, empty where there is none.

    With ``sandbox`` nothing but what it names is there at all; otherwise everything is, some of it read-only.
    """

    program: str = ""
    protect: tuple[str, ...] = ()  # mounted read-only
    writable: tuple[str, ...] = ()  # exceptions inside those
    closed: tuple[str, ...] = ()  # read-only again inside the exceptions
    sandbox: Sandbox | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What everything in one sandbox may use together, where the system can count that; else each process."""

    memory: int = 8 * 1024**3  # bytes
    processes: int = 512
    file_size: int = 4 * 1024**3  # bytes of one file
    temporary: int = 2 * 1024**3  # bytes in /tmp, and as much in the private home
    worktree: int = 16 * 1024**3  # bytes; watched, no system holds it


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What an agent that is not trusted sees: its worktree to write, a few places to read, and no network."""

    worktree: str
    home: str = "/tmp"  # noqa: S108 - private and empty at first, as all of /tmp is there
    read: tuple[str, ...] = ()  # toolchains and system folders, read-only
    hide: tuple[str, ...] = ()  # folders that appear empty
    write: tuple[str, ...] = ()  # more folders to write, each at its own place
    show: tuple[
        tuple[str, str], ...
    ] = ()  # (file or folder, where it appears), read-only; over what is there
    environment: tuple[str, ...] = ()  # names of variables that are passed on, beside the usual ones
    socket: str = ""  # of the gateway; the only way out
    limits: Limits = Limits()
    groups: tuple[str, ...] = ()  # control groups to join, which count for all processes together
    calls: str = ""  # a file with the filter of system calls; empty: none
    etc: str = ""  # a folder that appears as /etc; empty: what of the machine's is harmless, a mount each


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """How the agents of one task reach the models: an address, and a secret that is worth nothing elsewhere."""

    url: str  # http://127.0.0.1:…
    socket: str  # the same server as a unix socket, for sandboxes without a network
    secret: str = field(repr=False)  # of the task; ``shared.callers`` makes tokens of it


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that one WorkflowManager needs."""

    run: RunId
    task: Task
    attempt: int
    generation: int  # of the orchestrator; older ones may not write
    facts: RepositoryFacts
    worktree: str
    admin_dir: str  # the worktree's own git directory, recorded at creation
    base: Oid
    identity: Identity
    settings: Settings
    containment: Containment
    environment: tuple[tuple[str, str], ...]
    port_base: int
    resumed: bool = False  # an earlier attempt may have left something in the worktree
    unchanged_phases: tuple[str, ...] = ()  # phases an earlier attempt ended without a change
    timeouts: tuple[
        tuple[AgentName, float], ...
    ] = ()  # seconds, where history knows better than the settings
    gateway: GatewayAccess | None = None  # where the run uses models
    secrets: tuple[str, ...] = ()  # digests of values that may not be committed; see ``shared.secrets``


@dataclass(frozen=True, slots=True)
class PhaseCommit:
    phase: str
    oid: Oid


class TaskOutcome(StrEnum):
    """What a WorkflowManager says of its task; ``INTERRUPTED`` is resumable, the others are final."""

    DONE = "done"
    NO_CHANGE = "no-change"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Tokens:
    """As the server billed them. ``input`` are those that no cache was used for."""

    input: int = 0
    output: int = 0
    cache_write: int = 0  # kept for five minutes
    cache_write_1h: int = 0
    cache_read: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_write_1h + self.cache_read

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What requests to models came to; ``cost_usd`` is None where one of the models has no price."""

    tokens: Tokens = Tokens()
    cost_usd: float | None = 0.0
    calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        cost = None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0)
        return Usage(self.tokens + other.tokens, cost, self.calls + other.calls)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The end of a task, before integration."""

    task: TaskId
    outcome: TaskOutcome
    tip: Oid  # of its branch
    commits: tuple[PhaseCommit, ...] = ()
    reason: str = ""
    paths: tuple[str, ...] = field(default=(), repr=False)  # everything it changed


@dataclass(frozen=True, slots=True)
class Forecast:
    """Two unordered tasks whose ``touches`` overlap, and where."""

    first: TaskId
    second: TaskId
    pattern: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The batch with its graph, order and forecast; pure data."""

    tasks: tuple[Task, ...]  # in the order of the batch
    settings: Settings
    order: tuple[TaskId, ...]  # topological; ties by the order of the batch
    waves: tuple[tuple[TaskId, ...], ...]
    forecasts: tuple[Forecast, ...] = ()

    def task(self, task_id: TaskId) -> Task:
        return next(task for task in self.tasks if task.id == task_id)
