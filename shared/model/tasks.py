"""Tasks, plans and assignments, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shared.model.forges import ForgeName, GitHubSettings, Issue, LeftOut
from shared.model.holding import Containment, GatewayAccess
from shared.model.spending import ModelSettings, Program, Spending
from shared.model.words import (
    AgentName,
    Allowance,
    ChangeType,
    Identity,
    Oid,
    OutsideWrites,
    PullRequestPolicy,
    RunId,
    Sandboxing,
    TaskId,
)
from shared.model.workflows import Workflow


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
    budget: Spending = Spending()  # on models
    foreign: bool = False  # its text came from a forge: strangers may have written it
    source: str = ""  # where it was read from, for messages
    issue: Issue | None = None  # where its text comes from
    answers: tuple[str, ...] = ()  # checks and remarks of its pull request that this round of fixes answers

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
    sandbox_commands: Sandboxing = "auto"  # the user's own; on where they execute what agents in one wrote
    sandbox_read: tuple[str, ...] = ()  # more places that a sandboxed agent may read
    pass_environment: tuple[str, ...] = ()  # more variables that a sandboxed agent gets
    models: ModelSettings = ModelSettings()
    budget: Spending = Spending()  # of a whole run, on models
    task_budget: Spending = Spending()  # of each task that names none
    programs: tuple[Program, ...] = ()
    unsafe_no_sandbox: bool = False  # run models and text of strangers with the rights of the user
    forge: ForgeName = (
        "auto"  # where pull requests go; auto: to GitHub where a task comes from an issue there
    )
    github: GitHubSettings = GitHubSettings()


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
    tainted: bool = False  # ``base`` holds what agents of this run that are shut in may have written
    unchanged_phases: tuple[str, ...] = ()  # phases an earlier attempt ended without a change
    # Agent, try and reason: failed in an earlier attempt, which had gone on to the next try.
    failed_tries: tuple[tuple[AgentName, int, str], ...] = ()
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
    left_out: tuple[LeftOut, ...] = ()
    asked: tuple[str, ...] | None = (
        None  # options that decide what is done; None: not known, or of no use elsewhere
    )

    def task(self, task_id: TaskId) -> Task:
        return next(task for task in self.tasks if task.id == task_id)
