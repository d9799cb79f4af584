"""Finding and reading workflows. Presets ship beside this module."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.config.document import MAXIMUM_BYTES, Document, nearest, suggestion
from shared.config.schema import WorkflowModel
from shared.config.validation import plain, validate
from shared.errors import InvalidInput, Problem, UserError
from shared.model import Agent, AgentName, Machine, Phase, Workflow
from workflow_manager.workflows.building import workflow_of
from workflow_manager.workflows.checks import check_workflow
from workflow_manager.workflows.extending import Layered, layered
from workflow_manager.workflows.printing import to_yaml
from workflow_manager.workflows.prompts import with_prompts

__all__ = [
    "find", "own_names", "preset_names", "read", "single_command", "to_yaml", "with_command", "with_run",
]  # fmt: skip
PRESETS = Path(__file__).parents[1] / "presets"
_SUFFIXES = (".yaml", ".yml")


def preset_names() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def own_names(root: Path) -> list[str]:
    """The workflow files in the folder ``root``: those that say what their phases are, or what they extend."""
    files = sorted(path for path in root.glob("[!.]*") if path.suffix in _SUFFIXES and path.is_file())
    return [path.name for path in files if _is_workflow(path)]


def _is_workflow(path: Path) -> bool:
    """Decided by the text, so that a file with mistakes is listed; other programs' files may extend something, too."""
    try:
        with path.open("rb") as file:
            lines = file.read(MAXIMUM_BYTES).splitlines()
    except OSError:
        return False
    keys = {line.partition(b":")[0].rstrip() for line in lines if b":" in line}
    return b"phases" in keys or {b"extends", b"name"} <= keys


def find(name: str, root: Path, machine: Machine | None = None) -> Workflow:
    """The preset called ``name``, or ``name``.yaml in ``root``, or the workflow file at that path below it.

    Raises InvalidInput for a file with mistakes and UserError where there is none.
    """
    path = _find(name, root)
    if path is None:
        own = [Path(other).stem for other in own_names(root)] if root.is_dir() else []
        hint = nearest(name, [*preset_names(), *own])
        presets = f"presets: {', '.join(preset_names())}; or the path of a .yaml file"
        raise UserError(f"there is no workflow {name!r}", *filter(None, (hint, presets)))
    file = name if "/" in name else path.name
    return read(_bytes(path), file, name, folder=path.parent, machine=machine)


def _find(name: str, folder: Path) -> Path | None:
    """A preset wins over a file of the same name, which can be asked for as NAME.yaml."""
    paths = [folder / name] if Path(name).suffix in _SUFFIXES else []
    if "/" not in name:
        paths = [PRESETS / f"{name}.yaml", *paths, *(folder / f"{name}{suffix}" for suffix in _SUFFIXES)]
    return next((path for path in paths if path.is_file()), None)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise InvalidInput([Problem(path.name, 0, 0, f"cannot be read: {error.strerror}")]) from None


def read(
    data: bytes, file: str, source: str, *, folder: Path | None = None, machine: Machine | None = None
) -> Workflow:
    """A workflow file's content as a Workflow.

    ``file`` names it in messages, ``source`` in the Workflow; prompts and what it extends are looked up in
    ``folder``, by default the file's own. With a ``machine``, the profile it selects must fit.
    Raises InvalidInput with every mistake in the file and in those that it extends.
    """
    problems: list[Problem] = []
    place = _Place(file, (folder or Path(file).parent) / Path(file).name)
    layer = _load(data, place, problems)
    model = _check(layer, machine)
    problems += layer.document.problems
    if model is None or problems:
        raise InvalidInput(problems)
    return workflow_of(model, source)


def single_command(command: str | Sequence[str]) -> Workflow:
    """The short form of a task: one phase with one command, or with a list of them."""
    agent = with_run(Agent(AgentName("COMMAND"), backend="command"), command)
    return Workflow("command", (Phase("command", (agent,)),), source="command")


def with_command(workflow: Workflow, command: str | Sequence[str]) -> Workflow:
    """``workflow`` with ``command`` run by the agents that name neither a command nor a prompt."""

    def filled(agent: Agent) -> Agent:
        busy = agent.run or agent.commands or agent.planned or agent.prompt or agent.script
        return agent if busy else with_run(agent, command)

    phases = tuple(
        replace(phase, agents=tuple(filled(agent) for agent in phase.agents)) for phase in workflow.phases
    )
    return replace(workflow, phases=phases)


def with_run(agent: Agent, command: str | Sequence[str]) -> Agent:
    if isinstance(command, str):
        return replace(agent, run=command)
    return replace(agent, commands=tuple(command))


@dataclass(frozen=True, slots=True)
class _Place:
    """A workflow file: its name in messages, where it is, and those that extend it."""

    file: str
    path: Path
    above: tuple[_Place, ...] = ()

    @property
    def folder(self) -> Path:
        return self.path.parent


def _check(layer: Layered, machine: Machine | None = None) -> WorkflowModel | None:
    """Report every mistake of what a file says over its base; without one that it names, as far as can be told."""
    document, value = layer.document, layer.value
    if document.problems and value is None:
        return None
    if not layer.baseless:
        check_workflow(layer, value, machine)
    elif isinstance(value, dict):
        value = {"phases": [{"name": "unknown"}]} | value
    return validate(layer, WorkflowModel, value)


def _load(data: bytes, place: _Place, problems: list[Problem]) -> Layered:
    """A file over its base, whose mistakes are added to ``problems``."""
    document = Document(place.file, data)
    if document.problems:
        return Layered(document, None)
    own = with_prompts(document, plain(document.value), place.folder)
    if not isinstance(own, dict) or not isinstance(own.get("extends"), str):
        return Layered(document, own)
    base = _base(document, own["extends"], place, problems)
    return layered(document, own, base)


def _base(document: Document, name: str, place: _Place, problems: list[Problem]) -> Layered | None:
    path = _find(name, place.folder)
    if path is None:
        known = [*preset_names(), *(Path(other).stem for other in own_names(place.folder))]
        document.problem(("extends",), f"there is no workflow {name!r}", suggestion(name, known))
        return None
    file = path.name if path.parent == PRESETS else os.path.join(os.path.dirname(place.file), path.name)
    base = _Place(file, path, (*place.above, place))
    real = os.path.realpath(path)
    if loop := [over.file for over in base.above if os.path.realpath(over.path) == real]:
        files = [over.file for over in base.above]
        way = " → ".join([*files[files.index(loop[0]) :], loop[0]])
        document.problem(("extends",), f"cycle of `extends`: {way}")
        return None
    layer = _load(_bytes(path), base, problems)
    _check(layer)
    problems += layer.document.problems
    return layer
