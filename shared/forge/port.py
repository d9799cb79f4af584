"""The port to a forge: where pull requests live. GitHub implements the same one as the local forge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.model import Oid


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a pull request should say. ``marker`` finds it again after a crash, whatever became of its title."""

    head: str  # branch
    base: str  # branch, or a commit where there is none
    title: str
    body: str
    marker: str
    labels: tuple[str, ...] = ()
    as_draft: bool = False  # not ready for review; only when it is opened
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: int | None = None


@dataclass(frozen=True, slots=True)
class PullRequest:
    number: int
    url: str
    head: str
    base: str
    title: str
    body: str
    state: PullState
    tip: Oid
    marker: str = ""
    labels: tuple[str, ...] = ()
    merged: Oid | None = None  # the commit that brought it in
    created: float = 0.0  # seconds since the epoch
    updated: float = 0.0
    as_draft: bool = False
    meant: str = ""  # the branch that we last chose as its base; empty where that is not known


@dataclass(frozen=True, slots=True)
class Sought:
    """A pull request that may be there: by its branch, and the marker in its text."""

    head: str
    marker: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A ref that is to be at ``tip`` on the forge; None deletes it.

    ``expected`` is where it must be there before, as it was last seen; None: it must not be there. A ref that is
    somewhere else was moved by somebody, and stays.
    """

    ref: str  # full name, below refs/heads/spinney/ or refs/spinney/
    tip: Oid | None
    expected: Oid | None = None


class Forge(Protocol):
    """Every method may raise SpinneyError. What may have reached the forge though its answer was lost raises
    ``AnswerLost``: look before doing it again."""

    name: str

    def find(self, sought: Sequence[Sought]) -> Mapping[str, PullRequest]:
        """By marker, the pull request of each that there is: an open one, else the newest; looked up before one is
        opened. Only those whose author is trusted with it."""

    def get(self, number: int) -> PullRequest:
        """Raises UserError when there is none."""

    def list(self, state: PullState | None = None) -> tuple[PullRequest, ...]:
        """By number; all states where ``state`` is None."""

    def open(self, draft: Draft, tip: Oid) -> PullRequest: ...

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:
        """Bring text, base, labels and tip up to date; the state stays, and so does what a person wrote since."""

    def merged(self, number: int, commit: Oid) -> PullRequest:
        """Record that ``commit`` brought it into its base. A forge that sees that by itself changes nothing."""

    def close(self, number: int) -> PullRequest: ...

    def tips(self) -> Mapping[str, Oid]:
        """Full names of Spinney's refs on the forge, and where they are. Nothing where the forge is this repository."""

    def send(self, refs: Sequence[Sent]) -> Mapping[str, str]:
        """Bring all refs there in one go; returns why, for each ref that somebody else had moved and that stays."""
