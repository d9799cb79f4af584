"""What may stand in ``spinney.yaml``, a batch file, a task file's front matter and a workflow file.

These models are the only place that names the keys: validation, ``spinney schema`` and the error hints all
come from them. They turn text into data; what they yield is made into ``shared.model`` by the readers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from shared.config.fields import Change, Glob, Role, Seconds, Size, Tokens, Verdict, Word
from shared.config.forge_keys import GitHubModel
from shared.config.model_keys import Budget, ModelsModel, ProgramModel, ProgramName
from shared.config.validation import Strict
from shared.model import (
    Allowance,
    BackendName,
    ContextForm,
    ContextPart,
    ForgeName,
    Isolation,
    OutsideWrites,
    PullRequestPolicy,
    Sandboxing,
    Tier,
)


def _no_key_required(schema: dict[str, Any]) -> None:
    """For editors: a workflow that extends another gives only what differs. Reading looks at the merged result."""
    schema.pop("required")


def _phases_or_extends(schema: dict[str, Any]) -> None:
    schema["required"].remove("phases")
    schema["anyOf"] = [{"required": ["phases"]}, {"required": ["extends"]}]


class WhenModel(Strict):
    labels: list[str] = Field([], description="Runs when the task has any of these labels.")
    paths: list[Glob] = Field([], description="Runs when any of these overlaps the task's `touches`.")
    changes: list[Change] = Field([], description="Runs when the change is of one of these types.")
    layers: list[str] = Field([], description="Runs when any of these layers of the workflow is needed.")


class SubAgentModel(Strict):
    name: Word
    run: str = ""
    prompt: str = ""
    script: list[StepModel] = Field([], description="What the scripted backend does.")
    tier: Tier = "balanced"
    timeout: Seconds | None = None


class StepModel(Strict):
    action: Literal[
        "write", "append", "delete", "say", "sleep", "fail", "output", "decide", "verdict", "plan", "spawn"
    ]
    path: Glob | None = None
    text: str = ""
    seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    times: Annotated[int, Field(ge=1)] = 1
    agents: list[SubAgentModel] = Field([], description="For `spawn`: asked for at once.")


class ReadModel(Strict):
    """A component of the context."""

    source: str = Field(..., alias="from", description="`task`, `events` or an agent.")
    part: ContextPart = "output"
    form: ContextForm = "full"


class OutputsModel(Strict):
    files: list[Glob] = Field([], description="Paths or globs, each with at least one file.")
    decisions: list[str] = Field([], description="Keys of its decisions file.")
    verdict: bool = Field(False, description="approve or request-changes, in its output file.")
    change: bool = Field(False, description="At least one changed file.")
    commands: bool = Field(False, description="A list of commands in its output file.")


class EvidenceModel(Strict):
    command: str = Field("", description="Must exit 0.")
    verdict: Verdict | None = Field(None, description="Its own verdict must be this.")
    files: list[Glob] = Field([], description="Must exist.")


class PlannedModel(Strict):
    agent: str = Field(..., alias="from", description="The agent that planned them.")
    part: Literal["commands", "checks"] = "commands"


class AgentModel(Strict):
    name: Role = Field(..., description="Upper case, unique in the workflow; names its folder in .tasks/.")
    backend: Literal["", BackendName] = Field("", description="Empty: the run's default.")
    run: str | Annotated[list[str], Field(min_length=1)] | PlannedModel = Field(
        "", description="A shell command, several, or those that another agent planned."
    )
    prompt: str = Field("", description="Instructions for a model: text, or the path of a Markdown file.")
    script: list[StepModel] = Field([], description="What the scripted backend does.")
    needs: list[str] | None = Field(
        None, description="Agents that must be done first; absent: all of the phases before."
    )
    reads: list[Glob | ReadModel] = Field(
        [], description="Paths it reads, and the context it is given; absent: what its needs say."
    )
    writes: list[Glob] | None = Field(None, description="Paths it may write; absent: any; empty: none.")
    tier: Tier = Field(
        "balanced", description="fast, balanced or deep; the configuration maps them to models."
    )
    when: WhenModel = WhenModel()
    estimate: Seconds | None = Field(None, description="Seconds, until history knows better.")
    timeout: Seconds | None = Field(None, description="Seconds.")
    retries: Annotated[int, Field(ge=0, le=10)] = Field(0, description="Further tries after a failed one.")
    escalate: bool = Field(
        False, description="One more try, with the model of the next tier, after the last one failed."
    )
    isolation: Isolation = Field("auto", description="auto: a scratch worktree where writes could collide.")
    budget: Tokens | None = Field(None, description="Tokens of context it may be given.")
    outputs: OutputsModel = Field(OutputsModel(), description="What it must leave.")
    evidence: str | EvidenceModel = Field(
        "", description="A command that must exit 0, or a condition, before the agent counts as done."
    )


class PhaseModel(Strict):
    name: Word
    summary: str = ""
    agents: Annotated[list[AgentModel], Field(min_length=1)] | None = Field(
        None, description="Absent: bookkeeping that the engine does itself."
    )


class LayerModel(Strict):
    model_config = ConfigDict(json_schema_extra=_no_key_required)
    words: Annotated[list[str], Field(min_length=1)] = Field(
        ..., description="Words of a task's text or labels that call for this layer."
    )
    default: bool = Field(False, description="Taken where no layer is called for.")


class ProfileModel(Strict):
    model_config = ConfigDict(json_schema_extra=_no_key_required)
    agents: Annotated[int, Field(ge=1, le=1024)] = Field(..., description="At once.")
    memory: Size = Field(..., description="For all agents together, such as 8GB.")
    memory_per_agent: Size = Field(..., description="Such as 512MB.")
    cpu_per_agent: Annotated[float, Field(gt=0, le=1024)] = Field(..., description="Processors.")


class WorkflowModel(Strict):
    model_config = ConfigDict(json_schema_extra=_phases_or_extends)
    version: Literal[1] = 1
    name: Word
    extends: str | None = Field(
        None, description="A preset's name, or a file beside this one; this one's keys win."
    )
    description: str = ""
    budget: Tokens | None = Field(
        None, description="Tokens of context that all agents of a task may be given."
    )
    layers: dict[Word, LayerModel] = Field({}, description="Parts of a product with agents of their own.")
    profiles: dict[Word, ProfileModel] = Field({}, description="Sizes of a run.")
    profile: str | None = Field(None, description="The profile of a run that names none.")
    resolve: AgentModel | None = Field(None, description="Answers a conflict between agents of one task.")
    phases: Annotated[list[PhaseModel], Field(min_length=1)]


class NeedModel(Strict):
    task: str
    when: Literal["done", "always"] = "done"


class TaskFields(Strict):
    id: str | None = Field(
        None, description="Names the branch spinney/<id>; default: from the title or file."
    )
    title: str | None = None
    needs: list[str | NeedModel] = Field([], description="Tasks that must be done first.")
    touches: list[Glob] = Field([], description="Paths it is expected to change; for the forecast.")
    workflow: str | None = Field(None, description="A preset, or a workflow file: NAME.yaml or its path.")
    labels: list[str] = Field([], description="What kind of task it is; agents can ask for them.")
    run: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Short form: one phase with one command, or with several."
    )
    change: Change | None = Field(
        None, description="What kind of change it is; default: by its labels and `touches`."
    )
    evidence: str = Field("", description="A shell command that must exit 0 at the end of the task.")
    timeout: Seconds | None = Field(None, description="Seconds for each agent that names none.")
    allow: list[Allowance] = Field([], description="Kinds of changes that are refused otherwise.")
    budget: Budget | None = Field(None, description="What this task may spend on models.")


class TaskModel(TaskFields):
    body: str = ""


class SettingsModel(Strict):
    base: str | None = Field(None, description="What to start from; default: the current commit.")
    into: str | None = Field(None, description="The branch where tested merges land; default: none.")
    workflow: str | None = Field(None, description="For tasks that name none; default: command or feature.")
    gate: str | None = Field(None, description="A shell command that must pass before a merge lands.")
    gate_timeout: Seconds | None = Field(None, description="Seconds; default 1800.")
    pull_requests: PullRequestPolicy | None = Field(None, description="Default: per-task.")
    jobs: Annotated[int, Field(ge=1, le=1024)] | None = Field(None, description="Agents at once.")
    setup: str | None = Field(None, description="A shell command run in every fresh worktree.")
    backend: BackendName | None = Field(None, description="What executes agents; default: command.")
    agent_command: str | None = Field(
        None, description="Runs agents that have only a prompt: $SPINNEY_PROMPT."
    )
    timeout: Seconds | None = Field(None, description="Seconds for an agent that names none; default 3600.")
    silence: Seconds | None = Field(
        None, description="Seconds without output or work after which an agent counts as hung; default 900."
    )
    profile: str | None = Field(None, description="A resource profile of the workflows that are used.")
    all_agents: bool | None = Field(
        None, description="Run those, too, that the kind of change does not need."
    )
    ports: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="Ports a task; default 10.")
    max_file_size: Annotated[int, Field(ge=1)] | None = Field(None, description="Bytes; default 10 MiB.")
    outside_writes: OutsideWrites | None = Field(None, description="fail (default) or warn.")
    keep_worktrees: bool | None = None
    sandbox: Sandboxing | None = Field(
        None, description="auto (default): for models and for text of strangers; on: for all; off."
    )
    sandbox_commands: Sandboxing | None = Field(
        None,
        description="The same for your commands (gate, evidence, run, setup); auto: where they execute what agents "
        "in a sandbox wrote.",
    )
    sandbox_read: list[str] | None = Field(
        None, description="More folders that a sandboxed agent may read, such as ~/sdk."
    )
    pass_environment: list[str] | None = Field(
        None, description="More variables of the environment that a sandboxed agent gets."
    )
    models: ModelsModel | None = Field(None, description="Which models, what they cost, how fast.")
    budget: Budget | None = Field(None, description="What a whole run may spend on models.")
    task_budget: Budget | None = Field(None, description="What each task may spend that names no budget.")
    programs: dict[ProgramName, ProgramModel] | None = Field(
        None, description="Coding programs, where they are not started as usual."
    )
    forge: ForgeName | None = Field(
        None,
        description="Where pull requests go: auto (default; to GitHub where tasks come from issues there), local, "
        "github.",
    )
    github: GitHubModel | None = Field(None, description="GitHub: which repository, what is said there.")


class ConfigurationModel(SettingsModel):
    """``spinney.yaml``: defaults for every run in this repository."""

    version: Literal[1] = 1


class BatchModel(SettingsModel):
    """A batch file: tasks, and settings that override ``spinney.yaml``."""

    version: Literal[1]
    tasks: Annotated[list[TaskModel], Field(min_length=1)]
