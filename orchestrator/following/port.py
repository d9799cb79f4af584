"""What following asks of git and of the engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.following.words import Branch, Record, Seen
from shared.errors import GitError
from shared.forge.watching import Standing
from shared.model import Oid, RunId, Spending, Usage


@dataclass(frozen=True, slots=True)
class Looked:
    """A pull request's branch, as far as git tells."""

    branch: Branch | None
    record: Record = field(default_factory=Record)
    trouble: str = ""
    unsent: Oid | None = None


class Conflicting(GitError):
    """A branch's own commits conflict with their new base; nothing was moved."""


class Branches(Protocol):
    """Branches of pull requests, here and on the forge. Every method may raise SpinneyError."""

    def look(self, standings: Sequence[Standing]) -> Mapping[int, Looked]:
        """By number; what is not here yet is fetched. Nothing of the user's is moved."""

    def alone(self) -> AbstractContextManager[object]:
        """Nobody else works on these branches meanwhile, here or on the forge. Raises RepositoryHeld."""

    def send(self, seen: Seen, tip: Oid) -> None:
        """Bring ``tip`` to the forge, from where the branch was seen. Raises GitError where somebody moved it."""

    def keep(self, seen: Seen, record: Record) -> None:
        """Keep what was answered and said where the next one finds it, here or elsewhere."""

    def sweep(self, tasks: Collection[str]) -> None:
        """What is kept of tasks whose pull requests are over goes; ``tasks`` are those of the open ones."""

    def restack(self, seen: Seen, base: str) -> Oid:
        """Bring its own commits onto the branch ``base`` and send that; the new tip, or the old one where it stands
        there already. Raises Conflicting, and GitError where somebody moved the branch."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A round that is to be made."""

    seen: Seen
    title: str
    body: str
    answers: tuple[str, ...]
    budget: Spending


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a round."""

    run: RunId
    tip: Oid | None  # None: it left no commit
    reason: str = ""  # why it did not go well, the gate included; empty: it did
    usage: Usage = Usage()
    interrupted: bool = False  # it can be gone on with, and the next look does
    signal: int = 0
    answers: tuple[str, ...] | None = None  # where it went on with an earlier one, which was asked for these


class Rounds(Protocol):
    def make(self, asked: Asked) -> Made:
        """An ordinary run of one task, from the pull request's tip. Raises SpinneyError where it cannot start."""
