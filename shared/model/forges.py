"""Issues as tasks come from, and what a run does on GitHub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ForgeName = Literal["auto", "local", "github"]
CommitMark = Literal["status", "check", "none"]  # how a commit shows the phases of its task
LandingWay = Literal["leave", "auto", "queue", "now"]
MergeMethod = Literal["merge", "squash", "rebase"]


@dataclass(frozen=True, slots=True)
class Issue:
    """Where a task's text comes from: an issue as it was when it was read."""

    repository: str  # owner/name
    number: int
    url: str
    author: str = ""
    updated: str = ""  # the forge's own time of its last change, ISO 8601
    digest: str = ""  # SHA-256 of the text that was taken, in hexadecimal
    hidden: int = 0  # characters of it that nobody would have seen, and that were left out
    cut: int = 0  # characters past the cap that were left out
    comments: int = 0  # that were taken, all of people with write access
    labels: tuple[str, ...] = ()
    milestone: int | None = None  # its number


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was asked for and is no task of the plan."""

    source: str  # such as ``#12``
    title: str
    reason: str
    pull: int | None = None  # the open pull request that has it in work
    url: str = ""


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """Where the repository is on GitHub, and what a run says there."""

    repository: str = ""  # owner/name; empty: by the remote's address
    remote: str = "origin"
    api: str = ""  # base address of the API; empty: by the remote's host
    draft: bool = True  # pull requests are opened as drafts
    labels: tuple[str, ...] = ()  # of every pull request
    reviewers: tuple[str, ...] = ()  # people, or ``team:slug``
    assignees: tuple[str, ...] = ()
    milestone: bool = False  # a pull request gets that of its issue
    template: str = ""  # a file of the repository with the text of pull requests; empty: the built-in one
    comment: bool = True  # one comment on each issue, edited as its task goes on
    mark: CommitMark = "status"
    rounds: int = 3  # of fixes that ``spinney follow`` may ask for, a pull request
    land: LandingWay = "leave"  # what ``spinney follow`` does with a pull request that is ready
    method: MergeMethod = "merge"
    app: str = ""  # the id of a GitHub App
    app_key_file: str = ""
    installation: str = ""  # the App's; empty: the one of the repository
