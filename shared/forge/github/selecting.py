"""Which issues a query means: their numbers, by lists of REST or, for words of a search, by GraphQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.config.document import nearest
from shared.errors import UserError
from shared.forge.github import queries
from shared.forge.github.api import Api
from shared.forge.github.errors import Refused
from shared.forge.tracker import IssueQuery, IssueSnapshot

_MOST = 1000  # that a search of GitHub tells of


def numbers(api: Api, repository: str, query: IssueQuery) -> tuple[list[int], bool]:
    """Numbers of open issues, the oldest first, and whether there are more than the limit.

    Lists tell what there is now, also what was labelled a second ago; a search may be behind.
    Raises UserError for a milestone or an assignee that is not there.
    """
    if query.search:
        return _searched(api, repository, query)
    asked: dict[str, str | int] = {"state": "open", "sort": "created", "direction": "asc", "per_page": 100}
    if query.labels:
        asked["labels"] = ",".join(query.labels)
    if query.milestone:
        asked["milestone"] = milestone(api, repository, query.milestone)
    if query.assignee:
        asked["assignee"] = viewer(api) if query.assignee == "@me" else query.assignee
    found: list[int] = []
    try:
        for item in api.pages(f"/repos/{repository}/issues", **asked):
            if "pull_request" in item:
                continue
            if len(found) == query.limit:
                return found, True
            found.append(item["number"])
    except Refused as error:
        if error.status == 422 and query.assignee:
            raise UserError(f"nobody is called {query.assignee!r}, who could be assigned") from error
        if error.status == 410:
            raise UserError(f"{repository} has no issues: they are turned off") from error
        raise
    return found, False


def _searched(api: Api, repository: str, query: IssueQuery) -> tuple[list[int], bool]:
    """Words that mean other repositories as well find nothing there."""
    found: dict[int, None] = {}
    after: str | None = None
    while True:
        variables = {
            "query": f"repo:{repository} is:issue is:open {query.search}",
            "first": 100,
            "after": after,
        }
        told = api.graphql(queries.SEARCH, variables)["search"]
        if told is None:
            raise UserError(f"GitHub does not understand the search {query.search!r}")
        for node in told["nodes"]:
            where = (node or {}).get("repository", {}).get("nameWithOwner", "")
            if where.casefold() == repository.casefold():
                found[node["number"]] = None
        after = told["pageInfo"]["endCursor"]
        if not told["pageInfo"]["hasNextPage"] or len(found) >= _MOST:
            break
    return sorted(found), False


def fits(issue: IssueSnapshot, query: IssueQuery, wanted: Mapping[str, Any]) -> bool:
    """Whether what a search found has the labels, the milestone and the assignee that are wanted too.

    ``wanted`` has the milestone's number and the assignee's login where they were looked up.
    """
    labels = {label.casefold() for label in issue.labels}
    people = {name.casefold() for name in issue.assignees}
    who = str(wanted.get("assignee", ""))
    return (
        issue.state == "open"
        and all(label.casefold() in labels for label in query.labels)
        and ("milestone" not in wanted or str(issue.milestone) == wanted["milestone"])
        and (not who or (not people if who == "none" else who.casefold() in people))
    )


def looked_up(api: Api, repository: str, query: IssueQuery) -> dict[str, str]:
    """What ``fits`` has to know of a query."""
    found = {}
    if query.milestone:
        found["milestone"] = milestone(api, repository, query.milestone)
    if query.assignee:
        found["assignee"] = viewer(api) if query.assignee == "@me" else query.assignee
    return found


def unknown_labels(api: Api, repository: str, labels: Sequence[str]) -> list[str]:
    """What to say of each label that the repository does not have at all: asked only where nothing was found."""
    known = [str(one["name"]) for one in api.pages(f"/repos/{repository}/labels")]
    there = {name.casefold() for name in known}
    missing = [label for label in labels if label.casefold() not in there]
    hints = {label: nearest(label, known) for label in missing}
    return [
        f"{repository} has no label {label!r}" + (f": {hints[label]}" if hints[label] else "")
        for label in missing
    ]


def milestone(api: Api, repository: str, name: str) -> str:
    """The number of the milestone with that title, before the one with that number."""
    known = {
        str(one["title"]): one
        for one in api.pages(f"/repos/{repository}/milestones", state="all", per_page=100)
    }
    if name in known:
        return str(known[name]["number"])
    if any(str(one["number"]) == name for one in known.values()):
        return name
    opened = ", ".join(title for title, one in known.items() if one["state"] == "open") or "none"
    raise UserError(f"{repository} has no milestone {name!r}", f"open ones: {opened}")


def viewer(api: Api) -> str:
    """Who the token belongs to. Raises UserError where it belongs to nobody who could be assigned."""
    try:
        told = api.graphql(queries.VIEWER, {})["viewer"]
    except Refused as error:
        raise UserError("@me: GitHub does not say whose token it is", "name the person instead") from error
    login = str((told or {}).get("login", ""))
    if not login or login.endswith("[bot]"):
        raise UserError("@me: the token belongs to a program", "name a person instead")
    return login
