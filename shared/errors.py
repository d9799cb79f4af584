"""The kinds of errors a user can meet, each with its exit code and hints.

Errors are raised where the knowledge is; ``orchestrator.cli.boundary`` alone turns them into text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class SpinneyError(Exception):
    """An expected failure: a sentence for the user and, in ``hints``, what to do about it."""

    prefix: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints


class UserError(SpinneyError):
    """The request was wrong; nothing was started."""

    exit_code = 2


class RepositoryHeld(SpinneyError):
    """Another orchestrator holds this repository."""

    exit_code = 3


class Interrupted(SpinneyError):
    """The run was stopped before its end and can be resumed."""

    prefix = "interrupted"
    exit_code = 4


class GitError(SpinneyError):
    """The git program or libgit2 refused an operation."""

    prefix = "git"


class StateError(SpinneyError):
    """Spinney's own files on disk are damaged or of an unknown version."""

    prefix = "state"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in an input file, at a 1-based line and column (0 where the file has none)."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class InvalidInput(UserError):
    """All mistakes found in the input, reported together before anything starts."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the input; nothing was started")
