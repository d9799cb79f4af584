"""Searching issues: the part of GitHub's search syntax that is asked for here; what it does not know it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.support.github.asking import Problem
from tests.support.github.state import Issue, User, World, may

_PART = re.compile(r'(?P<not>-)?(?:(?P<key>[a-z-]+):)?(?P<value>"[^"]*"|\S+)', re.IGNORECASE)


def search(world: World, query: str, viewer: User | None) -> list[Issue]:
    """Newest first. Raises Problem (422) where a qualifier is not known or nothing is asked for."""
    repositories = [one for one in world.repositories.values() if may(one.permission(viewer), "read")]
    issues = [issue for one in repositories for issue in one.issues.values() if issue.there]
    parts = list(_PART.finditer(query))
    if not parts:
        raise Problem(422, "Validation Failed", [{"resource": "Search", "field": "q", "code": "missing"}])
    for part in parts:
        value = part["value"].strip('"')
        test = _test((part["key"] or "").lower(), value, viewer)
        wanted = part["not"] is None
        issues = [issue for issue in issues if test(issue) is wanted]
    return sorted(issues, key=lambda issue: (issue.created, issue.id), reverse=True)


def _test(key: str, value: str, viewer: User | None) -> Callable[[Issue], bool]:
    low = (viewer.login if value == "@me" and viewer else value).lower()
    match key:
        case "":
            return lambda i: low in f"{i.title}\n{i.body or ''}".lower()
        case "repo":
            return lambda i: i.repository.full_name.lower() == low
        case "org" | "user":
            return lambda i: i.repository.owner.login.lower() == low
        case "is" | "state" | "type":
            return lambda i: low in _kinds(i)
        case "label":
            names = [name.strip('"') for name in low.split(",")]
            return lambda i: any(label.name.lower() in names for label in i.labels)
        case "milestone":
            return lambda i: i.milestone is not None and i.milestone.title.lower() == low
        case "assignee":
            return lambda i: any(user.login.lower() == low for user in i.assignees)
        case "author":
            return lambda i: _login(i.author) == low.removeprefix("app/")
        case "no":
            return lambda i: not getattr(i, {"label": "labels", "assignee": "assignees"}.get(low, low))
        case "in":
            return lambda i: True
        case "sort" | "archived" | "draft":
            return lambda i: low != "true" or key != "draft" or bool(i.pull and i.pull.draft)
        case "head":
            return lambda i: i.pull is not None and i.pull.head.lower() == low
        case "base":
            return lambda i: i.pull is not None and i.pull.base.lower() == low
    raise Problem(422, "Validation Failed", [{"resource": "Search", "field": "q", "code": "invalid"}])


def _kinds(issue: Issue) -> set[str]:
    kinds = {issue.state, "pr" if issue.pull else "issue", "locked" if issue.locked else "unlocked"}
    kinds.add("private" if issue.repository.private else "public")
    if issue.pull:
        kinds |= {"merged" if issue.pull.merged else "unmerged", "draft" if issue.pull.draft else "ready"}
    return kinds


def _login(user: User) -> str:
    return user.login.lower().removesuffix("[bot]") if user.kind == "Bot" else user.login.lower()
