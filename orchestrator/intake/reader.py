"""From arguments and files to tasks and settings, with every mistake of every file reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.intake import asked_profile
from orchestrator.intake.drafts import (
    Draft,
    commands_are_sound,
    of_issue,
    split_front_matter,
)
from orchestrator.intake.issues import Taken
from orchestrator.intake.making import ids_of, task_of
from orchestrator.intake.references import Reference, certain, reference, shown
from shared.config import forge_keys, model_keys
from shared.config.document import MAXIMUM_BYTES, Document, decode_text
from shared.config.schema import (
    BatchModel,
    ConfigurationModel,
    SettingsModel,
    TaskFields,
    TaskModel,
)
from shared.config.validation import validate
from shared.errors import InvalidInput, Problem, UserError
from shared.forge.tracker import IssueQuery, IssueRef
from shared.model import LeftOut, Machine, Settings, Spending, Task, Workflow
from shared.text import first_sentence

CONFIGURATION = "spinney.yaml"
# Gets the issues that were named, and those that a query finds, from where the settings say that they are.
Issues = Callable[[Sequence[Reference], IssueQuery, Settings], Taken]


@dataclass(frozen=True, slots=True)
class Workflows:
    """How intake gets workflows, without knowing where they come from."""

    find: Callable[[str, Path, Machine | None], Workflow]
    single_command: Callable[[str | Sequence[str]], Workflow]
    with_command: Callable[[Workflow, str | Sequence[str]], Workflow]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One task given as ``-c COMMAND --title TITLE``."""

    command: str
    title: str = ""


@dataclass(slots=True)
class Request:
    """What was asked for, understood and whole."""

    tasks: tuple[Task, ...]
    settings: Settings
    sources: tuple[str, ...] = field(default=())
    left_out: tuple[
        LeftOut, ...
    ] = ()  # issues that were asked for and are no tasks; then there may be no tasks
    notes: tuple[str, ...] = ()


def read_request(
    arguments: Iterable[str],
    *,
    commands: Iterable[CommandLine] = (),
    root: Path,
    cwd: Path,
    overrides: Mapping[str, Any],
    workflow: str = "",
    workflows: Workflows,
    machine: Machine | None = None,
    issues: Issues | None = None,
    query: IssueQuery | None = None,
) -> Request:
    """Read every source. Raises InvalidInput with all mistakes, UserError for what is not a source.

    ``issues`` is called once, after everything else was found sound, and only where an argument is an issue or there
    is a ``query``; what it raises comes through. Without it no issue can be read.

    ``root`` is the repository's checkout, where ``spinney.yaml`` is; arguments are relative to ``cwd``.
    ``overrides`` are settings from the command line, which win over files. With a ``machine``, the resource
    profile that is asked for must fit.
    """
    reader = _Reader(root, cwd, workflows, workflow, machine)
    reader.configuration()
    for argument in arguments:
        reader.argument(argument)
    for number, command in enumerate(commands, 1):
        reader.command(command, number)
    return reader.finish(overrides, issues, query or IssueQuery())


def configured(root: Path) -> Settings:
    """What ``spinney.yaml`` below ``root`` says, over the defaults; nothing where it is not valid."""
    nothing = Workflows(lambda *_: Workflow("", ()), lambda _: Workflow("", ()), lambda workflow, _: workflow)
    reader = _Reader(root, root, nothing, "", None)
    reader.configuration()
    return reader.settings({})


class _Reader:
    def __init__(
        self, root: Path, cwd: Path, workflows: Workflows, workflow: str, machine: Machine | None
    ) -> None:
        self._root, self._cwd, self._workflows = root, cwd, workflows
        self._workflow, self._machine = workflow, machine
        self._found: dict[str, Workflow | UserError] = {}
        self._documents: list[Document] = []
        self._drafts: list[Draft] = []
        self._settings: list[tuple[SettingsModel, Document]] = []
        self._sources: list[str] = []
        self._references: list[Reference] = []

    def configuration(self) -> None:
        path = self._root / CONFIGURATION
        if path.is_file():
            document = self._open(path, CONFIGURATION)
            if not document.problems and document.value is not None:
                self._keep(validate(document, ConfigurationModel, document.value), document)

    def _keep(self, model: SettingsModel | None, document: Document) -> None:
        if model is not None:
            self._settings.append((model, document))

    def argument(self, argument: str) -> None:
        path = self._cwd / argument
        self._sources.append(argument)
        files = sorted(path.glob("*.md")) if path.is_dir() and not certain(argument) else []
        # A bare number is an issue unless a folder of that name holds task files; written otherwise it always is.
        if not files and (issue := reference(argument)) is not None:
            self._references.append(issue)
        elif path.is_dir():
            if not files:
                raise UserError(f"{argument} holds no task files", "a directory means all its *.md")
            for file in files:
                self._task_file(file, str(Path(argument) / file.name))
        elif path.is_file() and path.suffix in (".yaml", ".yml"):
            self._batch_file(path, argument)
        elif path.is_file() and path.suffix in (".md", ".markdown"):
            self._task_file(path, argument)
        elif path.exists():
            raise UserError(f"{argument} is neither a batch file (.yaml) nor a task file (.md)")
        else:
            raise UserError(
                f"there is no file {argument!r}",
                "a task is a batch file, a task file, a directory of task files, an issue ('#12'), or -c 'command'",
            )

    def command(self, line: CommandLine, number: int) -> None:
        document = Document("-c", b"")
        self._documents.append(document)
        if not line.command.strip():
            document.problems.append(Problem("-c", 0, 0, "the command is empty"))
            return
        model = TaskFields(title=line.title or first_sentence(line.command), run=line.command)
        self._drafts.append(Draft(model, "", line.title or f"command-{number}", document, ()))

    def _open(self, path: Path, name: str) -> Document:
        with path.open("rb") as file:
            document = Document(name, file.read(MAXIMUM_BYTES + 1))
        self._documents.append(document)
        return document

    def _batch_file(self, path: Path, name: str) -> None:
        document = self._open(path, name)
        if document.problems:
            return
        if document.value is None:
            document.problems.append(
                Problem(name, 1, 1, "the batch is empty", "it needs version: 1 and tasks:")
            )
            return
        model = validate(document, BatchModel, document.value)
        if model is None:
            self._salvage(document)
            return
        self._keep(model, document)
        for index, task in enumerate(model.tasks):
            self._drafts.append(Draft(task, task.body, "", document, ("tasks", index)))

    def _salvage(self, document: Document) -> None:
        """Read the tasks that are sound although others are not, so that their mistakes are told as well."""
        tasks = document.value.get("tasks") if isinstance(document.value, dict) else None
        for index, value in enumerate(tasks if isinstance(tasks, list) else ()):
            trial = Document(document.name, b"")
            model = validate(trial, TaskModel, value) if isinstance(value, dict) else None
            if model is not None:
                self._drafts.append(Draft(model, model.body, "", document, ("tasks", index)))
            elif isinstance(value, dict) and isinstance(value.get("id"), str):
                unread = TaskFields(id=str(value["id"]), title="unread")
                self._drafts.append(Draft(unread, "", "", document, ("tasks", index)))

    def _task_file(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)
        text, wrong = decode_text(data)
        if len(data) > MAXIMUM_BYTES:
            wrong = f"larger than {MAXIMUM_BYTES // 1024} KiB"
        front, body = split_front_matter(text)
        document = Document(name, (front or "").encode(), first_line=2 if front else 1)
        self._documents.append(document)
        model: TaskFields | None = TaskFields()
        if wrong:
            document.problems.append(Problem(name, 0, 0, wrong, "save the file as UTF-8"))
        elif front is None:
            document.problems.append(
                Problem(name, 1, 1, "the front matter has no end", "close it with a line that is only ---")
            )
            return
        elif document.problems:
            return
        elif document.value is not None:
            model = validate(document, TaskFields, document.value)
        if model is None:
            return
        heading = next((line.lstrip("# ") for line in body.splitlines() if line.startswith("#")), "")
        if not body.strip() and not model.run and not wrong:
            document.problems.append(
                Problem(name, 1, 1, "the task has no text and no command", "say what to do")
            )
        title = model.title or first_sentence(heading) or path.stem
        self._drafts.append(
            Draft(model.model_copy(update={"title": title}), body.strip(), path.stem, document, ())
        )

    def finish(self, overrides: Mapping[str, Any], issues: Issues | None, query: IssueQuery) -> Request:
        settings = self.settings(overrides)
        self._profile = settings.profile
        taken = Taken()
        if self._references or query:
            self._refuse_problems()  # nobody need be asked before they are mended
            taken = self._ask(issues, query, settings)
        ids = ids_of(self._drafts)
        tasks = [
            task_of(draft, task_id, ids, self._workflow_of)
            for draft, task_id in zip(self._drafts, ids, strict=True)
        ]
        self._check_profile([task.workflow for task in tasks if task], overrides)
        self._refuse_problems()
        if not (tasks or self._references or query):
            raise UserError(
                "there are no tasks",
                "name a batch file, a task file, a directory or an issue, or use -c 'command'",
            )
        whole = tuple(task for task in tasks if task is not None)
        return Request(whole, settings, tuple(self._sources), taken.left_out, taken.notes)

    def _refuse_problems(self) -> None:
        problems = [problem for document in self._documents for problem in document.problems]
        if problems:
            raise InvalidInput(problems)

    def _ask(self, issues: Issues | None, query: IssueQuery, settings: Settings) -> Taken:
        if issues is None:
            named = self._references[0].text if self._references else "what the options ask for"
            raise UserError(f"{named} is an issue, and issues cannot be read here")
        taken = issues(self._references, query, settings)
        for task in taken.tasks:
            at = IssueRef(task.issue.number, task.issue.repository)
            own = "" if task.id != f"issue-{at.number}" else at.repository
            self._drafts.append(of_issue(task, shown(at, own)))
            self._documents.append(self._drafts[-1].document)
        return taken

    def settings(self, overrides: Mapping[str, Any]) -> Settings:
        """Of all files read so far, later ones over earlier ones."""
        merged: dict[str, Any] = {}
        for model, document in self._settings:
            values = model.model_dump(exclude_none=True, exclude={"version", "tasks"})
            if name := values.pop("workflow", ""):
                self._workflow_default(name, document)
            merged.update({key: _setting(key, value, merged.get(key)) for key, value in values.items()})
        for key, value in overrides.items():
            if value is not None:
                merged[key] = (
                    value.over(merged.get(key, Spending())) if isinstance(value, Spending) else value
                )
        return replace(Settings(), **merged)

    def _workflow_default(self, name: str, document: Document) -> None:
        self._default_workflow = (name, document)

    _default_workflow: tuple[str, Document] | None = None
    _profile = ""

    def _check_profile(self, workflows: Sequence[Workflow], overrides: Mapping[str, Any]) -> None:
        if not self._profile or not workflows or len(workflows) < len(self._drafts):
            return  # a workflow that could not be read may define it
        told = asked_profile.mistake(self._profile, workflows, self._machine)
        if told and overrides.get("profile"):
            self._documents.append(Document("--profile", b""))
            self._documents[-1].problems.append(Problem("--profile", 0, 0, *told))
        elif told:
            document = next(document for model, document in reversed(self._settings) if model.profile)
            document.problem(("profile",), *told)

    def _workflow_of(self, draft: Draft) -> Workflow | None:
        model, document = draft.model, draft.document
        if model.run is not None and not model.workflow and not self._workflow:
            return self._workflows.single_command(model.run) if commands_are_sound(draft) else None
        name, where, asked = self._workflow or model.workflow or "", (*draft.path, "workflow"), document
        if not name and self._default_workflow:
            name, where, asked = self._default_workflow[0], ("workflow",), self._default_workflow[1]
        if (name or "command") == "command" and not model.run:
            if name:
                hint = (
                    "name another for issues: --workflow feature" if draft.issue else "add `run:` to the task"
                )
                asked.problem(where, "the workflow 'command' needs a command", hint)
                return None
            name = "feature"  # a task that is only text is work for a team
        try:
            workflow = self._find(name)
        except InvalidInput as error:
            document.problems.extend(error.problems)
            return None
        except UserError as error:
            asked.problem(where, error.message, error.hints[0] if error.hints else "")
            return None
        if not model.run:
            return workflow
        filled = self._workflows.with_command(workflow, model.run)
        if filled == workflow:
            message = f"no agent of the workflow {workflow.name!r} would run this command"
            document.problem((*draft.path, "run"), message, "leave out `run:`, or the workflow")
            return None
        return filled

    def _find(self, name: str) -> Workflow:
        """Read once: a batch may name the same large one hundreds of times."""
        if name not in self._found:
            # A profile that is asked for replaces the workflow's own, which then need not fit.
            machine = None if self._profile else self._machine
            try:
                self._found[name] = self._workflows.find(name, self._root, machine)
            except UserError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, UserError):
            raise found
        return found


def _setting(key: str, value: Any, before: Any) -> Any:
    """A setting as read, in the words of the model; mappings add to what an earlier file says."""
    match key:
        case "models":
            return model_keys.models(value, before)
        case "budget" | "task_budget":
            return model_keys.spending(value).over(before or Spending())
        case "github":
            return forge_keys.github(value, before)
        case "programs":
            return model_keys.programs(value)
        case _:
            return tuple(value) if isinstance(value, list) else value
