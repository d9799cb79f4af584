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
Allowance = Literal["workflows", "agent-config", "git-attributes", "symlinks", "large-files"]


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
    isolation: Isolation = "auto"
    budget: int = 0  # tokens of context; 0: only the workflow's
    outputs: Outputs = Outputs()
    evidence: Evidence = Evidence()

    def slot_kind(self, backend: str) -> SlotKind:
        """``cpu`` for commands; ``model`` for whatever is asked in words: it mostly waits for somebody else.

        ``backend`` is the run's default.
        """
        commands = bool(self.run or self.commands or self.planned)
        return "cpu" if commands and (self.backend or backend) == "command" else "model"


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
    backend: str = "command"
    agent_command: str = ""  # runs an agent that has only a prompt; reads $SPINNEY_PROMPT
    timeout: float = 3600.0  # seconds for an agent that names none
    silence: float = 900.0  # seconds without output or work after which an agent counts as hung
    profile: str = ""  # a resource profile of the batch's workflows
    all_agents: bool = False  # run those, too, that the kind of change does not need
    ports: int = 10  # consecutive ports reserved for each open task
    max_file_size: int = 10 * 1024 * 1024  # bytes of a file an agent may add
    outside_writes: OutsideWrites = "fail"
    keep_worktrees: bool = False


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
    """How agents are held. ``program`` is bubblewrap's path, empty where there is none."""

    program: str = ""
    protect: tuple[str, ...] = ()  # mounted read-only
    writable: tuple[str, ...] = ()  # exceptions inside those
    closed: tuple[str, ...] = ()  # read-only again inside the exceptions


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
    input: int = 0
    output: int = 0


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
