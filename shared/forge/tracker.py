"""The port to where issues live: reading them, and telling on them how their work goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shared.model import Oid

IssueState = Literal["open", "closed"]
CommitState = Literal["pending", "success", "failure", "error"]


@dataclass(frozen=True, slots=True)
class IssueRef:
    """An issue by its number, in the run's own repository where ``repository`` is empty."""

    number: int
    repository: str = ""  # owner/name


@dataclass(frozen=True, slots=True)
class IssueQuery:
    """Which open issues are wanted; empty fields say nothing. Several labels must all be there."""

    labels: tuple[str, ...] = ()
    milestone: str = ""  # its title or number
    search: str = ""  # in GitHub's own search syntax
    assignee: str = ""  # a login, ``@me`` or ``none``
    limit: int = 100

    def __bool__(self) -> bool:
        return bool(self.labels or self.milestone or self.search or self.assignee)


@dataclass(frozen=True, slots=True)
class Comment:
    author: str
    text: str
    created: str  # ISO 8601
    edited: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """Another issue that this one names by GitHub's own means, and how that one stands."""

    ref: IssueRef
    state: IssueState
    title: str = ""


@dataclass(frozen=True, slots=True)
class Labelling:
    """A label was put on."""

    label: str
    at: str  # ISO 8601
    by: str  # login
    bot: bool = False


@dataclass(frozen=True, slots=True)
class LinkedPull:
    """An open pull request that says it closes the issue."""

    number: int
    url: str
    head: str  # branch
    author: str
    same_repository: bool
    trusted: bool = False  # its author is this account, a program here, or somebody who may write


@dataclass(frozen=True, slots=True)
class IssueSnapshot:
    """An issue as it was read, its text unchanged: whoever uses it cleans it."""

    ref: IssueRef  # with its repository
    url: str
    title: str
    body: str
    author: str
    state: IssueState
    updated: str  # ISO 8601
    created: str = ""
    edited: str = ""  # when its text was last changed
    state_reason: str = ""  # completed | not_planned | duplicate | reopened
    locked: bool = False
    is_pull_request: bool = False
    labels: tuple[str, ...] = ()
    labelled: tuple[Labelling, ...] = ()  # the newest of them, oldest first
    milestone: int | None = None
    assignees: tuple[str, ...] = ()
    parent: Relation | None = None
    sub_issues: tuple[Relation, ...] = ()
    blocked_by: tuple[Relation, ...] = ()
    comments: tuple[Comment, ...] = ()  # of people with write access, oldest first
    other_comments: int = 0  # of everybody else, or past what is read
    pulls: tuple[LinkedPull, ...] = ()


@dataclass(frozen=True, slots=True)
class NoIssue:
    """There is none to be had, and why: never was, deleted, transferred (``moved_to``), or not to be seen."""

    ref: IssueRef
    reason: str
    moved_to: str = ""  # owner/name#number


class Tracker(Protocol):
    """Every method may raise SpinneyError; ``AnswerLost`` as in ``shared.forge.port``."""

    repository: str  # owner/name, as the forge spells it

    def issues(
        self, refs: Sequence[IssueRef], query: IssueQuery | None = None
    ) -> Sequence[IssueSnapshot | NoIssue]:
        """Those named, in that order, then those the query finds, by number; each once."""

    def states(self, refs: Sequence[IssueRef]) -> Mapping[IssueRef, Relation]:
        """How other issues stand that texts name; those that are not there are missing."""

    def say(self, number: int, marker: str, text: str) -> str:
        """The one comment with ``marker`` on an issue or pull request: made, or its text replaced; its address."""

    def mark(self, tip: Oid, context: str, state: CommitState, description: str, url: str = "") -> None:
        """Show at a commit how ``context`` stands; the latest of a context counts."""

    def may_write(self, login: str) -> bool:
        """Whether that person, who is no bot, may write to the repository now."""

    def vouches(self, labelling: Labelling) -> bool:
        """Whether who put that label on may say what is worked on: somebody who may write now, this account's own
        program, or GitHub Actions."""
