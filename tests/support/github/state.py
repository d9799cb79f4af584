"""What the stand-in knows: plain records that its REST and GraphQL sides show in their own ways."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from tests.support.github.bare import Bare

Permission = Literal["none", "read", "triage", "write", "maintain", "admin"]
RANKS: tuple[Permission, ...] = ("none", "read", "triage", "write", "maintain", "admin")
UserKind = Literal["User", "Bot", "Organization"]
Grant = Literal["read", "write"]


def stamp(seconds: float) -> str:
    """As GitHub writes times: whole seconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True, eq=False)
class User:
    id: int
    login: str
    kind: UserKind = "User"


@dataclass(slots=True, eq=False)
class Token:
    """``permissions`` None: as a classic token, all that its user may. ``installation``: of an App or of Actions."""

    value: str
    user: User
    permissions: dict[str, Grant] | None = None
    installation: bool = False
    expires: float | None = None  # seconds since the epoch
    hourly: int = 5000  # requests of the primary limit

    def may(self, permission: str, wanted: Grant) -> bool:
        if self.permissions is None or permission == "metadata":
            return True
        held = self.permissions.get(permission)
        return held == "write" or held == wanted


@dataclass(slots=True, eq=False)
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(slots=True, eq=False)
class Milestone:
    id: int
    number: int
    title: str
    created: float
    state: Literal["open", "closed"] = "open"


@dataclass(slots=True, eq=False)
class Comment:
    id: int
    author: User
    body: str
    created: float
    updated: float
    edited: float | None = None


@dataclass(slots=True, eq=False)
class Review:
    id: int
    author: User
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"]
    body: str
    commit: str
    submitted: float


@dataclass(slots=True, eq=False)
class Thread:
    """Review comments at one line; the first opens it, the others answer."""

    id: int
    path: str
    line: int | None
    review: Review
    comments: list[Comment] = field(default_factory=list)
    commit: str = ""
    resolved: bool = False
    outdated: bool = False
    resolved_by: User | None = None


@dataclass(slots=True, eq=False)
class Pull:
    """What an issue is besides, when it is a pull request."""

    head: str  # branch
    base: str
    head_sha: str
    base_sha: str  # tip of the base when it was last looked at; of the past when merged
    head_repository: Repository | None
    draft: bool = False
    merged: float | None = None
    merged_by: User | None = None
    merge_commit: str | None = None
    merged_at_head: tuple[str, ...] = ()  # its commits, kept when they are in the base
    reviewers: list[User] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)  # slugs
    reviews: list[Review] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    auto: str | None = None  # the method that auto-merge will use
    auto_by: User | None = None
    auto_since: float = 0.0
    queued: bool = False
    looked_at: tuple[str, str] = ("", "")  # base and head of which mergeability was asked before


@dataclass(slots=True, eq=False)
class Issue:
    id: int
    number: int
    repository: Repository
    author: User
    title: str
    body: str | None
    created: float
    updated: float
    state: Literal["open", "closed"] = "open"
    reason: str | None = None  # completed, not_planned, duplicate, reopened
    closed: float | None = None
    closed_by: User | None = None
    edited: float | None = None  # the body
    renamed: list[tuple[float, str, str]] = field(
        default_factory=list
    )  # when, and the titles before and after
    labelled: list[tuple[float, User, Label]] = field(default_factory=list)  # when and by whom
    locked: bool = False
    labels: list[Label] = field(default_factory=list)
    milestone: Milestone | None = None
    assignees: list[User] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    parent: Issue | None = None
    sub_issues: list[Issue] = field(default_factory=list)
    blocked_by: list[Issue] = field(default_factory=list)
    pull: Pull | None = None
    moved_to: Issue | None = None  # transferred
    deleted: bool = False

    @property
    def there(self) -> bool:
        return not self.deleted and self.moved_to is None


@dataclass(slots=True, eq=False)
class Status:
    id: int
    sha: str
    context: str
    state: Literal["pending", "success", "failure", "error"]
    description: str | None
    target: str | None
    author: User
    created: float


@dataclass(slots=True, eq=False)
class Check:
    """A check run; ``job`` is the log of the job of Actions that it is, and then both have the same id."""

    id: int
    sha: str
    name: str
    status: str  # queued, in_progress, completed
    conclusion: str | None
    started: float
    completed: float | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    details: str | None = None
    external: str = ""
    job: bytes | None = None
    run: int = 0  # of the workflow
    app: str = "github-actions"
    annotations: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Repository:
    id: int
    owner: User
    name: str
    bare: Bare
    created: float
    default_branch: str = "main"
    private: bool = False
    archived: bool = False
    has_issues: bool = True
    drafts: bool = True  # whether pull requests can be drafts here
    allow_auto_merge: bool = True
    queue: bool = False  # the default branch has a merge queue
    methods: tuple[str, ...] = ("merge", "squash", "rebase")
    delete_branch_on_merge: bool = False
    approvals: int = 0  # that a pull request needs
    required_checks: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()  # branches that nobody pushes to
    permissions: dict[int, Permission] = field(default_factory=dict)  # by the id of the user
    issues: dict[int, Issue] = field(default_factory=dict)  # by number, pull requests too
    labels: list[Label] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    former: set[str] = field(default_factory=set)  # full names in lower case
    heads: dict[str, str] = field(default_factory=dict)  # branches as they were last looked at
    pushed: dict[str, float] = field(default_factory=dict)  # when branches last moved
    next_number: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def permission(self, user: User | None) -> Permission:
        """What ``user`` may here; anybody may read what is public."""
        if user is not None and user.id == self.owner.id:
            return "admin"
        given = self.permissions.get(user.id) if user is not None else None
        return given or ("none" if self.private else "read")

    def pulls(self) -> list[Issue]:
        return [issue for issue in self.issues.values() if issue.pull is not None and issue.there]


def may(held: Permission, wanted: Permission) -> bool:
    return RANKS.index(held) >= RANKS.index(wanted)


def association(repository: Repository, user: User) -> str:
    """GitHub's word for what somebody is to a repository; it is no permission."""
    if user.id == repository.owner.id:
        return "OWNER"
    if user.id in repository.permissions:
        member = repository.owner.kind == "Organization" and user.kind == "User"
        return "MEMBER" if member else "COLLABORATOR"
    merged = (
        issue for issue in repository.pulls() if issue.pull and issue.pull.merged and issue.author is user
    )
    return "CONTRIBUTOR" if any(merged) else "NONE"


@dataclass(slots=True)
class World:
    """Everything there is. ``now`` gives the server's time, in seconds since the epoch."""

    users: dict[int, User] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    next_id: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    def user(self, login: str) -> User | None:
        return next((user for user in self.users.values() if user.login.lower() == login.lower()), None)

    def repository(self, full_name: str) -> Repository | None:
        """By the name it has now."""
        wanted = full_name.lower()
        return next((one for one in self.repositories.values() if one.full_name.lower() == wanted), None)

    def formerly(self, full_name: str) -> Repository | None:
        return next((one for one in self.repositories.values() if full_name.lower() in one.former), None)

    def by_id(self, kind: str, id: int) -> Issue | Comment | Repository | User | Thread | None:
        """What a node id names."""
        if kind == "U":
            return self.users.get(id)
        if kind == "R":
            return self.repositories.get(id)
        for repository in self.repositories.values():
            for issue in repository.issues.values():
                if kind in ("I", "PR") and issue.id == id:
                    return issue
                if kind == "IC":
                    for comment in issue.comments:
                        if comment.id == id:
                            return comment
                if kind == "PRRT" and issue.pull is not None:
                    for thread in issue.pull.threads:
                        if thread.id == id:
                            return thread
        return None
