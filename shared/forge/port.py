"""The port to a forge. GitHub implements the same one as the local forge."""

from __future__ import annotations

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


class Forge(Protocol):
    """Every method may raise SpinneyError; none is retried inside."""

    name: str

    def find(self, marker: str) -> PullRequest | None:
        """The newest pull request with this marker; looked up before one is opened."""

    def get(self, number: int) -> PullRequest:
        """Raises UserError when there is none."""

    def list(self, state: PullState | None = None) -> tuple[PullRequest, ...]:
        """By number; all states where ``state`` is None."""

    def open(self, draft: Draft, tip: Oid) -> PullRequest: ...

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:
        """Bring text, labels and tip up to date; the state stays."""

    def merged(self, number: int, commit: Oid) -> PullRequest:
        """Record that ``commit`` brought it into its base."""

    def close(self, number: int) -> PullRequest: ...
