"""Where jobs put what they hand back, and finding it again."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.fan_out.result import Result, to_text
from shared.errors import SpinneyError, UserError
from shared.files import read_bounded, replace_file
from shared.model import TaskId

_LARGEST = 16 * 1024 * 1024  # bytes of a result
PREFIX = "spinney-task-"  # of artifacts' names, and so of the folders that they are put into


@dataclass(frozen=True, slots=True)
class Handed:
    """A task's two files; the bundle is missing where the task changed nothing."""

    result: Path
    bundle: Path

    @classmethod
    def below(cls, folder: Path, task: TaskId) -> Handed:
        return cls(folder / f"{task}.json", folder / f"{task}.bundle")

    def read(self) -> Result:
        """Raises SpinneyError that says in a line what is wrong with the file."""
        data = read_bounded(self.result, _LARGEST)
        try:
            return Result.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part)[:40] for part in first["loc"][:4])
            raise SpinneyError(
                f"{self.result.name} is not a result: {where or 'it'}: {first['msg']}"
            ) from None

    def write(self, result: Result) -> None:
        replace_file(self.result, to_text(result), durable=True)


def find(folders: Iterable[Path], task: TaskId) -> Sequence[Handed]:
    """What was handed back for ``task``: in one of ``folders``, or in a folder of its own in one of them.

    A job may have put anything into its own folder, so that one with the name of another task is not looked into.
    Raises UserError for a folder that may not be looked into.
    """
    places: list[Path] = []
    for folder in folders:
        if not folder.name.startswith(PREFIX) or folder.name == f"{PREFIX}{task}":
            places += [folder, folder / task, folder / f"{PREFIX}{task}"]
    found = [Handed.below(place, task) for place in places]
    return list(dict.fromkeys(one for one in found if _is_file(one.result)))


def _is_file(path: Path) -> bool:
    """As Path.is_file(), which raises or says no, by the version of Python, where it may not look."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError as error:
        raise UserError(f"{path.parent} cannot be looked into: {error.strerror}") from None
    except (OSError, ValueError):
        return False
