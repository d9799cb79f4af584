"""What may stand in ``spinney.yaml``, a batch file, a task file's front matter and a workflow file.

These models are the only place that names the keys: validation, ``spinney schema`` and the error hints all
come from them. They turn text into data; what they yield is made into ``shared.model`` by the readers.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml.scalarbool import ScalarBoolean

from shared.config.document import Document, Path
from shared.model import Allowance, Isolation, OutsideWrites, PullRequestPolicy, Tier


def _inside(pattern: str) -> str:
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts:
        raise ValueError("a path pattern is relative to the repository and stays inside it")
    if len(parts) > 24 or len(pattern) > 512 or not pattern.strip():
        raise ValueError("a path pattern has 1 to 24 components and at most 512 characters")
    return pattern


Glob = Annotated[str, AfterValidator(_inside)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WhenModel(Strict):
    labels: list[str] = Field([], description="Runs when the task has any of these labels.")
    paths: list[Glob] = Field([], description="Runs when any of these overlaps the task's `touches`.")


class StepModel(Strict):
    action: Literal["write", "append", "delete", "say", "sleep", "fail", "output"]
    path: Glob | None = None
    text: str = ""
    seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    times: Annotated[int, Field(ge=1)] = 1


class AgentModel(Strict):
    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")] = Field(
        ..., description="Upper case, unique in the workflow; names its folder in .tasks/."
    )
    backend: Literal["", "command", "scripted"] = Field("", description="Empty: the run's default.")
    run: str = Field("", description="A shell command.")
    prompt: str = Field("", description="Instructions for a model or a coding program.")
    script: list[StepModel] = Field([], description="What the scripted backend does.")
    needs: list[str] = Field([], description="Agents that must be done first.")
    reads: list[Glob] = Field([], description="Paths it reads; information only.")
    writes: list[Glob] | None = Field(None, description="Paths it may write; absent: any; empty: none.")
    tier: Tier = Field(
        "balanced", description="fast, balanced or deep; the configuration maps them to models."
    )
    when: WhenModel = WhenModel()
    timeout: Seconds | None = Field(None, description="Seconds.")
    retries: Annotated[int, Field(ge=0, le=10)] = Field(0, description="Further tries after a failed one.")
    isolation: Isolation = Field("auto", description="auto: a scratch worktree where writes could collide.")
    evidence: str = Field("", description="A shell command that must exit 0 before the agent counts as done.")


class PhaseModel(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    summary: str = ""
    agents: list[AgentModel] = Field([], description="None: bookkeeping that the engine does itself.")


class WorkflowModel(Strict):
    version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    description: str = ""
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
    workflow: str | None = Field(None, description="A preset's name or a workflow file.")
    labels: list[str] = []
    run: str | None = Field(None, description="Short form: one phase, one command.")
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
_KINDS: list[tuple[type | tuple[type, ...], str]] = [
    (bool, "true or false"), ((int, float), "a number"), (str, "text"), (list, "a list"), (dict, "a mapping"),
    (date, "a date"),
]  # fmt: skip


M = TypeVar("M", bound="Strict")


def validate(document: Document, model: type[M], value: Any, path: Path = ()) -> M | None:
    """``value``, found at ``path`` of ``document``, as ``model``; None after reporting every mistake."""
    if not isinstance(value, dict):
        document.problem(path, f"expected a mapping of keys, found {_kind(value)}")
        return None
    try:
        return model.model_validate(_plain(value))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _report(document, model, path, detail)
        return None


def _report(document: Document, model: type[Strict], path: Path, detail: Any) -> None:
    location = tuple(part for part in detail["loc"] if not _is_branch_of_union(part))
    where: Path = (*path, *location)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "string_type" and "str" in detail["loc"] and isinstance(detail["input"], dict):
        return  # the other branch of the union says what is wrong with it
    if kind == "model_type" and "NeedModel" in detail["loc"]:
        return
    if kind == "extra_forbidden":
        document.unknown_key(where, _keys_at(model, location[:-1]), "key")
    elif kind == "missing":
        document.problem(where[:-1], f"{str(where[-1])!r} is missing")
    elif kind == "literal_error":
        expected = str(context.get("expected", ""))
        document.problem(where, f"{detail['input']!r} is not one of: {expected.replace(' or ', ', ')}")
    elif kind in _MESSAGES:
        found = detail["input"]
        message = _MESSAGES[kind].format(what=where[-1] if where else "", found=_kind(found))
        quotes = kind == "string_type" and isinstance(found, bool | int | float | date)
        document.problem(where, message, "put it in quotes" if quotes else "")
    else:
        message = str(detail["msg"]).removeprefix("Value error, ")
        document.problem(where, message[:1].lower() + message[1:])


def _is_branch_of_union(part: str | int) -> bool:
    return isinstance(part, str) and (part in ("str", "NeedModel") or "[" in part)


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys that are valid at ``location`` below ``model``."""
    here: Any = model
    for part in location:
        if isinstance(part, str):
            field = here.model_fields.get(part)
            found = _model_in(field.annotation) if field else None
            if found is None:
                return []
            here = found
    return list(here.model_fields)


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


def _plain(value: Any) -> Any:
    """Round-trip containers and scalars as the built-in ones that strict validation wants."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, ScalarBoolean):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else value
