"""The port for following pull requests: how their checks and reviews stand, and bringing them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shared.forge.port import PullRequest
from shared.model import MergeMethod, Oid

CheckState = Literal["waiting", "passed", "failed"]


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check or commit status of a pull request's tip."""

    id: str  # the same for the same execution, whenever it is looked at
    name: str
    state: CheckState
    url: str = ""
    job: int | None = None  # of GitHub Actions, whose log can be had
    summary: str = ""  # what it says itself, as text of strangers
    required: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A review, or an unresolved review comment, as somebody wrote it."""

    id: str
    author: str
    may_write: bool
    text: str
    path: str = ""
    line: int | None = None
    commit: str = ""  # that it is about
    wants_changes: bool = False  # a review that asks for changes


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pull request stands at one moment."""

    pull: PullRequest
    checks: tuple[CheckRun, ...] = ()
    remarks: tuple[Remark, ...] = ()
    mergeable: bool | None = None  # None: GitHub has not looked yet
    approved: bool | None = None  # None: nobody has to
    base_tip: Oid | None = None  # of the branch it goes into; None: it is gone
    auto: bool = False  # auto-merge or the queue has it
    unseen: bool = (
        False  # something that decides was not to be seen: a check that was may not be all there are
    )
    cut: bool = False  # there is more of what people said than was looked at: an objection may be among it


class Watched(Protocol):
    """Every method may raise SpinneyError; ``AnswerLost`` as in ``shared.forge.port``."""

    def standing(self, numbers: Sequence[int]) -> Mapping[int, Standing]:
        """All in as few questions as can be."""

    def log(self, check: CheckRun, *, limit: int = 16_384) -> str:
        """The end of a failed check's log, at most ``limit`` characters; its summary where there is no log."""

    def land(self, number: int, tip: Oid, way: Literal["auto", "queue", "now"], method: MergeMethod) -> str:
        """Bring it in, exactly ``tip``; what happened, in words. Raises SpinneyError where GitHub refuses."""

    def retarget(self, number: int, base: str) -> None: ...
