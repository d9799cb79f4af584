"""What may stand in ``spinney.yaml``, a batch file, a task file's front matter and a workflow file.

These models are the only place that names the keys: validation, ``spinney schema`` and the error hints all
come from them. They turn text into data; what they yield is made into ``shared.model`` by the readers.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml.scalarbool import ScalarBoolean

from shared.config.document import Path, Source, nearest
from shared.model import (
    Allowance,
    ContextForm,
    ContextPart,
    Isolation,
    OutsideWrites,
    PullRequestPolicy,
    Tier,
)


def _inside(pattern: str) -> str:
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts:
        raise ValueError("a path pattern is relative to the repository and stays inside it")
    if len(parts) > 24 or len(pattern) > 512 or not pattern.strip():
        raise ValueError("a path pattern has 1 to 24 components and at most 512 characters")
    return pattern


def _enough(tokens: int) -> int:
    if tokens < POINTER_TOKENS:
        raise ValueError(
            f"a budget of at least {POINTER_TOKENS} tokens is needed: the pointer to the task costs that"
        )
    return tokens


_ROLE = r"^[A-Z][A-Z0-9_]{0,39}$"
_WORD = r"^[a-z][a-z0-9-]{0,39}$"
_SIZE = r"^[0-9]{1,9}(\.[0-9]{1,3})? ?(MB|GB)$"
POINTER_TOKENS = 100  # what every agent is given, at most
Glob = Annotated[str, AfterValidator(_inside)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]
Word = Annotated[str, Field(pattern=_WORD)]
Size = Annotated[str, Field(pattern=_SIZE)]
Tokens = Annotated[int, AfterValidator(_enough), Field(json_schema_extra={"minimum": POINTER_TOKENS})]
Change = Literal["documentation", "typo", "configuration", "tests", "full"]
Verdict = Literal["approve", "request-changes"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def size_in_bytes(size: str) -> int | None:
    """Bytes of a ``Size``; None where it is not one."""
    if not re.fullmatch(_SIZE, size):
        return None
    return int(float(size[:-2]) * 1024 ** {"MB": 2, "GB": 3}[size[-2:]])


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
    script: list[StepModel] = []
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
    agents: list[SubAgentModel] = []


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
    name: Annotated[str, Field(pattern=_ROLE)] = Field(
        ..., description="Upper case, unique in the workflow; names its folder in .tasks/."
    )
    backend: Literal["", "command", "scripted"] = Field("", description="Empty: the run's default.")
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
    labels: list[str] = []
    run: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Short form: one phase with one command, or with several."
    )
    change: Change | None = Field(
        None, description="What kind of change it is; default: by its labels and `touches`."
    )
    evidence: str = Field("", description="A shell command that must exit 0 at the end of the task.")
    timeout: Seconds | None = Field(None, description="Seconds for each agent that names none.")
    allow: list[Allowance] = Field([], description="Kinds of changes that are refused otherwise.")


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
    backend: Literal["command", "scripted"] | None = None
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


class ConfigurationModel(SettingsModel):
    """``spinney.yaml``: defaults for every run in this repository."""

    version: Literal[1] = 1


class BatchModel(SettingsModel):
    """A batch file: tasks, and settings that override ``spinney.yaml``."""

    version: Literal[1]
    tasks: Annotated[list[TaskModel], Field(min_length=1)]


_MESSAGES = {
    "missing": "{what} is missing",
    "string_type": "expected text, found {found}",
    "int_type": "expected a whole number, found {found}",
    "float_type": "expected a number, found {found}",
    "bool_type": "expected true or false, found {found}",
    "list_type": "expected a list, found {found}",
    "model_type": "expected a mapping, found {found}",
    "too_short": "at least one entry is needed",
}
_PATTERNS = {
    _ROLE: "an agent's name: capitals, digits and underscores, such as CODER",
    _WORD: "a name: lower case, digits and dashes, beginning with a letter",
    _SIZE: "a size, such as 8GB or 512MB",
}
_BRANCH = re.compile(r"(str|\w+Model|list\[.*|function-.*)\Z")  # how the validator names those of a union
_KINDS: list[tuple[type | tuple[type, ...], str]] = [
    (bool, "true or false"), ((int, float), "a number"), (str, "text"), (list, "a list"), (dict, "a mapping"),
    (date, "a date"),
]  # fmt: skip


M = TypeVar("M", bound="Strict")


def validate(source: Source, model: type[M], value: Any, path: Path = ()) -> M | None:
    """``value``, found at ``path`` of ``source``, as ``model``; None after reporting every mistake."""
    if not isinstance(value, dict):
        source.problem(path, f"expected a mapping of keys, found {_kind(value)}")
        return None
    made = plain(value)
    try:
        return model.model_validate(made)
    except ValidationError as error:
        for location, detail in _meant(error, made):
            _report(source, model, path, location, detail)
        return None


def _meant(error: ValidationError, value: Any) -> list[tuple[Path, Any]]:
    """The mistakes with their places; of a union only those of the kind that the value is of."""
    meant: list[tuple[Path, Any]] = []
    others: list[tuple[Path, Any]] = []
    for detail in error.errors(include_url=False):
        location, fits = _place(detail["loc"], value)
        (meant if fits else others).append((location, detail))
    for location, detail in others:
        if not any(told[: len(location)] == location for told, _ in meant):
            meant.append((location, detail))
    return meant


def _place(loc: Path, value: Any) -> tuple[Path, bool]:
    """``loc`` without the names of unions' branches, and whether the value is of the branches' kinds."""
    location: list[str | int] = []
    fits = True
    for part in loc:
        if isinstance(part, str) and _BRANCH.match(part) and not (isinstance(value, dict) and part in value):
            fits = fits and _is_kind_of(value, part)
            continue
        location.append(part)
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):  # what is missing
            value = None
    return tuple(location), fits


def _is_kind_of(value: Any, branch: str) -> bool:
    match value:
        case dict():
            return branch.endswith("Model")
        case list():
            return branch.startswith("list[")
        case _:
            return not branch.endswith("Model") and not branch.startswith("list[")


def _report(source: Source, model: type[Strict], path: Path, location: Path, detail: Any) -> None:
    where: Path = (*path, *location)
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        source.unknown_key(where, _keys_at(model, location[:-1]), "key")
    elif kind == "missing":
        source.problem(where[:-1], f"{str(where[-1])!r} is missing")
    elif kind == "literal_error":
        expected = str(context.get("expected", "")).replace(" or ", ", ").removeprefix("'', ")
        hint = nearest(found, re.findall("'([^']+)'", expected)) if isinstance(found, str) else ""
        source.problem(where, f"{found!r} is not one of: {expected}", hint)
    elif kind == "string_pattern_mismatch":
        source.problem(where, f"{found!r} is not {_PATTERNS[context['pattern']]}")
    elif kind in _MESSAGES:
        message = _MESSAGES[kind].format(what=where[-1] if where else "", found=_kind(found))
        quotes = kind == "string_type" and isinstance(found, bool | int | float | date)
        source.problem(where, message, "put it in quotes" if quotes else "")
    else:
        message = str(detail["msg"]).removeprefix("Value error, ")
        source.problem(where, message[:1].lower() + message[1:])


def _keys_at(model: type[BaseModel], location: Path) -> list[str]:
    """The keys that are valid at ``location`` below ``model``."""
    here: type[BaseModel] = model
    named = False  # the next part is a name that the user chose
    for part in location:
        if isinstance(part, int) or named:
            named = False
            continue
        field = here.model_fields.get(part)
        found = _model_in(field.annotation) if field else None
        if field is None or found is None:
            return []
        here, named = found, getattr(field.annotation, "__origin__", None) is dict
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if found := _model_in(inner):
            return found
    return None


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), type(value).__name__)


def plain(value: Any) -> Any:
    """Round-trip containers and scalars as the built-in ones that strict validation wants."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, ScalarBoolean):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else value
