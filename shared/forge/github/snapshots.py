"""Reading issues out of GitHub's answers: pure. Texts stay as they are; whoever uses them cleans them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from shared.forge.github import bodies
from shared.forge.tracker import (
    Comment,
    IssueRef,
    IssueSnapshot,
    IssueState,
    Labelling,
    LinkedPull,
    Relation,
)

Takes = Callable[[str, str], bool]  # login and association of a comment's author: may that person write?
TEAM = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})  # associations of people who belong to a repository
_GHOST = "ghost"  # as GitHub calls whoever has no account any more


def snapshot(node: Mapping[str, Any], takes: Takes, repository: str) -> IssueSnapshot:
    """An issue by the fragment of ``queries.issue_fields``, or a pull request, which is told apart."""
    if node["__typename"] != "Issue":
        return IssueSnapshot(
            ref=IssueRef(node["number"], repository), url=node["url"], title=node["title"], body="", author="",
            state=_state(node.get("pullState", "")), updated="", is_pull_request=True,
        )  # fmt: skip
    said, theirs = comments(node, takes)
    return IssueSnapshot(
        ref=IssueRef(node["number"], node["repository"]["nameWithOwner"]),
        url=node["url"],
        title=node["title"],
        body=node["body"] or "",
        author=_login(node),
        state=_state(node["state"]),
        updated=node["updatedAt"],
        created=node["createdAt"],
        edited=_edited(node),
        state_reason=str(node.get("stateReason") or "").lower(),
        locked=bool(node["locked"]),
        labels=tuple(label["name"] for label in _nodes(node, "labels")),
        labelled=tuple(_labellings(node)),
        milestone=(node.get("milestone") or {}).get("number"),
        assignees=tuple(user["login"] for user in _nodes(node, "assignees")),
        parent=relation(node["parent"]) if node.get("parent") else None,
        sub_issues=_related(node, "subIssues"),
        blocked_by=_related(node, "blockedBy"),
        comments=said,
        other_comments=theirs,
        pulls=tuple(_linked(node, takes)),
    )


def comments(node: Mapping[str, Any], takes: Takes) -> tuple[tuple[Comment, ...], int]:
    """Those of people who may write, oldest first, and how many there are of everybody else or further back.

    What Spinney itself said is neither; nor is what a maintainer has hidden.
    """
    taken: list[Comment] = []
    not_counted = 0
    # The newest are looked at first: who may write is asked of a few people only.
    for said in reversed(list(_nodes(node, "comments"))):
        if bodies.marker_of(said["body"] or ""):
            not_counted += 1
        elif (
            not said.get("isMinimized")
            and _is_person(said)
            and takes(_login(said), said["authorAssociation"])
        ):
            taken.append(
                Comment(_login(said), said["body"] or "", said["createdAt"], said["lastEditedAt"] or "")
            )
    total = (node.get("comments") or {}).get("totalCount", 0)
    return tuple(reversed(taken)), max(0, total - len(taken) - not_counted)


def own_comments(node: Mapping[str, Any]) -> Iterator[tuple[str, int, str, str]]:
    """Marker, id, address and text of what Spinney said with this account, oldest first."""
    for said in _nodes(node, "comments"):
        marker = bodies.marker_of(said["body"] or "")
        if marker and said.get("viewerDidAuthor") and said.get("databaseId") is not None:
            yield marker, said["databaseId"], said["url"], said["body"]


def relation(node: Mapping[str, Any]) -> Relation:
    ref = IssueRef(node["number"], node["repository"]["nameWithOwner"])
    return Relation(ref, _state(node["state"]), node["title"])


def standing(node: Mapping[str, Any], ref: IssueRef) -> Relation:
    """How an issue or a pull request stands, by ``queries.states``."""
    return Relation(ref, _state(node.get("state") or node.get("pullState", "")), node["title"])


def _related(node: Mapping[str, Any], field: str) -> tuple[Relation, ...]:
    return tuple(relation(one) for one in _nodes(node, field))


def contributors(node: Mapping[str, Any]) -> Iterator[str]:
    """Who of those that an issue brings along may be a member who does not show it, before all the others."""
    for field in ("comments", "closedByPullRequestsReferences"):
        for one in _nodes(node, field):
            if one["authorAssociation"] == "CONTRIBUTOR" and _is_person(one) and not one.get("isMinimized"):
                yield _login(one)


def _labellings(node: Mapping[str, Any]) -> Iterator[Labelling]:
    for one in _nodes(node, "labelled"):
        who = one.get("actor") or {}
        yield Labelling(
            one["label"]["name"], one["createdAt"], who.get("login") or _GHOST, who.get("__typename") == "Bot"
        )


def _linked(node: Mapping[str, Any], takes: Takes) -> Iterator[LinkedPull]:
    for pull in _nodes(node, "closedByPullRequestsReferences"):
        if pull["state"] == "OPEN":
            here = node["repository"]["nameWithOwner"] == pull["repository"]["nameWithOwner"]
            own = here and not pull["isCrossRepository"]
            trusted = _trusted(pull, takes, here=here, own=own)
            yield LinkedPull(pull["number"], pull["url"], pull["headRefName"], _login(pull), own, trusted)


def _trusted(pull: Mapping[str, Any], takes: Takes, *, here: bool, own: bool) -> bool:
    """Everybody can open one that says that it closes an issue, also from a branch of the repository itself."""
    if pull["viewerDidAuthor"]:
        return True
    if not _is_person(pull):
        return own and (pull["author"] or {}).get("__typename") == "Bot"
    association = pull["authorAssociation"] if here else "NONE"  # it is of the pull request's repository
    return association in TEAM or takes(_login(pull), association)


def _nodes(node: Mapping[str, Any], field: str) -> Iterable[Mapping[str, Any]]:
    """What may not be seen is null."""
    return (one for one in (node.get(field) or {}).get("nodes") or () if one)


def _login(node: Mapping[str, Any]) -> str:
    return (node.get("author") or {}).get("login") or _GHOST


def _is_person(said: Mapping[str, Any]) -> bool:
    return (said.get("author") or {}).get("__typename") == "User"


def _state(word: str) -> IssueState:
    return "open" if word.lower() == "open" else "closed"


def _edited(node: Mapping[str, Any]) -> str:
    """When the body or the title was last changed; times of GitHub sort as texts."""
    renamed = [str(one.get("createdAt", "")) for one in _nodes(node, "renamed")]
    return max(str(node.get("lastEditedAt") or ""), *renamed, "")
