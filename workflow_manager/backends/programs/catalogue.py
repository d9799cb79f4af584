"""The definitions of coding programs: those that ship beside this module, as they are configured."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.config.document import Document
from shared.errors import SpinneyError
from shared.model import Settings
from workflow_manager.backends.programs.definition import Definition, Output, Permissions, Speaks, overridden

_FOLDER = Path(__file__).parent / "definitions"


class _DefinitionModel(BaseModel):
    """A definition's file; its keys are the fields of ``Definition``."""

    model_config = ConfigDict(extra="forbid")
    command: tuple[str, ...]
    environment: dict[str, str] = {}
    files: dict[str, str] = {}
    new: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    session: str = ""
    permissions: Permissions = "none"
    output: Output = "text"
    says: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    status: str = ""
    speaks: Speaks = "anthropic"
    interrupt: bool = True
    version: tuple[str, ...] = ("--version",)
    oldest: str = ""
    install: str = ""


def names() -> tuple[str, ...]:
    """Of all programs that have a definition."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def shipped(name: str) -> Definition:
    """The definition of ``name`` as it ships. Raises KeyError where there is none."""
    if name not in names():
        raise KeyError(name)
    document = Document(f"{name}.yaml", (_FOLDER / f"{name}.yaml").read_bytes())
    if document.problems:
        raise SpinneyError(str(document.problems[0]))
    read = _DefinitionModel.model_validate(document.value)
    fields = {field: getattr(read, field) for field in _DefinitionModel.model_fields}
    pairs = {"environment": tuple(read.environment.items()), "files": tuple(read.files.items())}
    return Definition(name=name, **{**fields, **pairs})


def definition(name: str, settings: Settings) -> Definition:
    """The definition of ``name`` as ``settings`` have it. Raises KeyError where there is none."""
    found = shipped(name)
    for program in settings.programs:
        if program.name == name:
            return overridden(found, program.command, program.environment, program.version)
    return found
