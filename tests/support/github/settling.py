"""What GitHub does by itself when branches moved: heads follow, what arrived in its base is merged, issues close."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.support.github.state import Issue, Pull, Repository, User

_KEYWORD = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:(?P<repo>[\w.-]+/[\w.-]+)?#(?P<number>\d+)"
    r"|https?://[^\s/]+/(?P<path>[\w.-]+/[\w.-]+)/issues/(?P<number2>\d+))\b",
    re.IGNORECASE,
)
_NOT_READ = re.compile(r"<!--.*?(?:-->|\Z)|```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def settle(repository: Repository, now: float) -> None:
    """Look at the branches; cheap when none has moved."""
    heads = repository.bare.heads()
    while heads != repository.heads:
        before, repository.heads = repository.heads, heads
        repository.pushed |= {name: now for name, tip in heads.items() if before.get(name) != tip}
        for issue in [one for one in repository.pulls() if one.state == "open"]:
            _follow(issue, before, heads, now)
        heads = repository.bare.heads()  # a branch that was merged may have been deleted


def _follow(issue: Issue, before: dict[str, str], heads: dict[str, str], now: float) -> None:
    pull, repository = _pull(issue), issue.repository
    base, ours = heads.get(pull.base), pull.head_repository is repository
    head = heads.get(pull.head) if ours else pull.head_sha
    if base is None:
        _without_base(issue, now)
        return
    tip = head or pull.head_sha
    if base != before.get(pull.base) and repository.bare.contains(base, tip):
        pull.head_sha = tip
        arrived(issue, base, None, now, before.get(pull.base) or pull.base_sha)
        return
    if head is None:
        close(issue, None, now)
    elif head != pull.head_sha:
        pull.head_sha, pull.queued, issue.updated = head, False, now
        for thread in pull.threads:
            thread.outdated = True
        pointed(issue)
        if repository.bare.contains(base, head):
            close(issue, None, now)
    if base != pull.base_sha and issue.state == "open":
        pull.base_sha = base


def _without_base(issue: Issue, now: float) -> None:
    """Its base was deleted: it goes where that branch has gone, or is closed."""
    pull = _pull(issue)
    landed = [one for one in issue.repository.pulls() if _pull(one).head == pull.base and _pull(one).merged]
    if not landed or _pull(landed[-1]).base not in issue.repository.heads:
        close(issue, None, now)
        return
    pull.base = _pull(landed[-1]).base
    pull.base_sha = issue.repository.heads[pull.base]
    issue.updated = now


def arrived(issue: Issue, commit: str, who: User | None, now: float, base_before: str) -> None:
    """It is merged: ``commit`` brought it into its base."""
    pull, repository = _pull(issue), issue.repository
    between = repository.bare.between(base_before, pull.head_sha)
    pull.merged_at_head = tuple(str(one.id) for one in between)
    pull.base_sha, pull.merged, pull.merge_commit = base_before, now, commit
    pull.merged_by, pull.auto, pull.queued = who or repository.owner, None, False
    close(issue, who, now)
    pointed(issue)
    if pull.base == repository.default_branch:
        messages = "\n".join(one.message for one in between)
        for closed in closed_by(f"{issue.body or ''}\n{messages}", repository):
            close(closed, who, now, reason="completed")


def close(issue: Issue, who: User | None, now: float, reason: str | None = None) -> None:
    if issue.state == "closed":
        return
    issue.state, issue.closed, issue.updated = "closed", now, now
    issue.closed_by = who or issue.author
    issue.reason = None if issue.pull else reason or "completed"


def pointed(issue: Issue) -> None:
    """Keep the ref by which anybody can fetch a pull request."""
    issue.repository.bare.set(f"refs/pull/{issue.number}/head", _pull(issue).head_sha)


def linked(issue: Issue) -> Iterable[Issue]:
    """The issues that a pull request will close: keywords count only where it goes into the default branch."""
    pull = _pull(issue)
    if pull.base != issue.repository.default_branch:
        return ()
    return closed_by(issue.body or "", issue.repository)


def closed_by(text: str, repository: Repository) -> list[Issue]:
    found: dict[int, Issue] = {}
    for match in _KEYWORD.finditer(_NOT_READ.sub(" ", text)):
        name = match["repo"] or match["path"] or repository.full_name
        issue = repository.issues.get(int(match["number"] or match["number2"]))
        if name.lower() == repository.full_name.lower() and issue is not None and issue.pull is None:
            found[issue.number] = issue
    return [issue for issue in found.values() if issue.there]


def _pull(issue: Issue) -> Pull:
    assert issue.pull is not None
    return issue.pull
