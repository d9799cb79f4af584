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


@dataclass(frozen=True, slots=True)
class When:
    """The condition under which an agent runs; an empty one always holds."""

    labels: tuple[str, ...] = ()  # any of these is on the task
    paths: tuple[str, ...] = ()  # any of these globs overlaps the task's ``touches``


@dataclass(frozen=True, slots=True)
class Step:
    """One deterministic act of the ``scripted`` backend."""

    action: Literal["write", "append", "delete", "say", "sleep", "fail", "output"]
    path: str = ""
    text: str = ""
    seconds: float = 0.0
    times: int = 1  # for ``fail``: how many attempts fail before the script goes on


@dataclass(frozen=True, slots=True)
class Agent:
    """A role in a phase. ``writes`` is None where it may write anywhere, empty where it writes nothing."""

    name: AgentName
    backend: str = ""  # empty: the run's default
    run: str = ""  # a shell command; or
    prompt: str = ""  # instructions for a model or a coding program
    script: tuple[Step, ...] = ()
    needs: tuple[AgentName, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] | None = None
    tier: Tier = "balanced"
    when: When = When()
    timeout: float | None = None  # seconds
    retries: int = 0  # further tries after a failed one
    isolation: Isolation = "auto"
    evidence: str = ""  # a command that must exit 0 before the agent counts as done


@dataclass(frozen=True, slots=True)
class Phase:
    """The unit of commit. A phase without agents is bookkeeping that the engine itself does."""

    name: str
    agents: tuple[Agent, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """Phases in order; ``source`` is a preset's name or the file it was read from."""

    name: str
    phases: tuple[Phase, ...]
    description: str = ""
    source: str = ""

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
