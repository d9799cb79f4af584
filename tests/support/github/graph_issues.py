"""GraphQL: issues and comments, and what pull requests have in common with them."""

from __future__ import annotations

from typing import Any

from tests.support.github import shapes_issues
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.graph_fields import View, connection, field, fields
from tests.support.github.settling import linked
from tests.support.github.shapes import node_id
from tests.support.github.shapes_issues import optional_stamp
from tests.support.github.state import Comment, Issue, association, may, stamp

_KINDS = ("Issue", "PullRequest")


def no_reactions(*_: Any) -> list[Any]:
    kinds = ("THUMBS_UP", "THUMBS_DOWN", "LAUGH", "HOORAY", "CONFUSED", "HEART", "ROCKET", "EYES")
    return [{"content": kind, "users": {"totalCount": 0}} for kind in kinds]


def _may_update(one: Issue, view: View) -> bool:
    user = view.token.user
    return user is one.author or may(one.repository.permission(user), "triage")


fields(
    *_KINDS,
    id=lambda one, view: node_id("PR" if one.pull else "I", one.id),
    databaseId=lambda one, view: one.id,
    fullDatabaseId=lambda one, view: str(one.id),
    number=lambda one, view: one.number,
    title=lambda one, view: one.title,
    body=lambda one, view: one.body or "",
    bodyText=lambda one, view: one.body or "",
    url=lambda one, view: shapes_issues.page(one, view.at),
    permalink=lambda one, view: shapes_issues.page(one, view.at),
    resourcePath=lambda one, view: "/" + shapes_issues.page(one, view.at).split("/", 3)[3],
    author=lambda one, view: one.author,
    authorAssociation=lambda one, view: association(one.repository, one.author),
    repository=lambda one, view: one.repository,
    locked=lambda one, view: one.locked,
    activeLockReason=lambda one, view: None,
    closed=lambda one, view: one.state == "closed",
    closedAt=lambda one, view: optional_stamp(one.closed),
    createdAt=lambda one, view: stamp(one.created),
    publishedAt=lambda one, view: stamp(one.created),
    updatedAt=lambda one, view: stamp(one.updated),
    lastEditedAt=lambda one, view: optional_stamp(one.edited),
    includesCreatedEdit=lambda one, view: one.edited is not None,
    editor=lambda one, view: one.author if one.edited else None,
    milestone=lambda one, view: one.milestone,
    labels=lambda one, view, orderBy=None, **page: connection("labels", one.labels, **page),
    assignees=lambda one, view, **page: connection("assignees", one.assignees, **page),
    participants=lambda one, view, **page: connection("participants", [one.author], **page),
    comments=lambda one, view, orderBy=None, **page: connection("comments", _comments(one, orderBy), **page),
    reactionGroups=no_reactions,
    projectCards=lambda one, view, **page: connection("projectCards", [], **page),
    projectItems=lambda one, view, includeArchived=True, **page: connection("projectItems", [], **page),
    viewerDidAuthor=lambda one, view: one.author is view.token.user,
    viewerCanUpdate=_may_update,
)


def _comments(issue: Issue, order: Any) -> list[tuple[Comment, Issue]]:
    found = [(one, issue) for one in issue.comments]
    if order is not None:
        found.sort(key=lambda pair: pair[0].updated, reverse=order["direction"] == "DESC")
    return found


fields(
    "Issue",
    state=lambda one, view: one.state.upper(),
    stateReason=lambda one, view, enableDuplicate=False: _reason(one, enableDuplicate),
    isPinned=lambda one, view: False,
    timelineItems=lambda one, view, itemTypes=None, since=None, skip=None, **page: _timeline(
        one, itemTypes, page
    ),
    parent=lambda one, view: one.parent,
    subIssues=lambda one, view, **page: connection("subIssues", one.sub_issues, **page),
    trackedIssues=lambda one, view, **page: connection("trackedIssues", [], **page),
    trackedInIssues=lambda one, view, **page: connection("trackedInIssues", [], **page),
    blockedBy=lambda one, view, orderBy=None, **page: connection("blockedBy", one.blocked_by, **page),
    blocking=lambda one, view, orderBy=None, **page: connection("blocking", _blocked(one), **page),
)


def _timeline(issue: Issue, kinds: Any, page: dict[str, Any]) -> dict[str, Any]:
    """Only changes of the title, and labels that are put on, happen on a stand-in's timeline."""

    def wanted(kind: str) -> bool:
        return kinds is None or kind in kinds

    found: list[dict[str, Any]] = [
        {
            "__typename": "RenamedTitleEvent", "id": node_id("RTE", issue.id), "createdAt": stamp(at), "actor": None,
            "previousTitle": before, "currentTitle": after, "subject": issue,
        }
        for at, before, after in (issue.renamed if wanted("RENAMED_TITLE_EVENT") else ())
    ]  # fmt: skip
    found += [
        {
            "__typename": "LabeledEvent", "id": node_id("LE", issue.id), "createdAt": stamp(at), "actor": who,
            "label": label, "labelable": issue,
        }
        for at, who, label in (issue.labelled if wanted("LABELED_EVENT") else ())
    ]  # fmt: skip
    found.sort(key=lambda one: str(one["createdAt"]))
    count = len(found)
    more = {"filteredCount": count, "pageCount": count, "updatedAt": stamp(issue.updated)}
    return connection("timelineItems", found, **more, **page)


def _reason(issue: Issue, duplicate: bool) -> str | None:
    reason = issue.reason
    return (
        None
        if reason is None
        else "NOT_PLANNED"
        if reason == "duplicate" and not duplicate
        else reason.upper()
    )


def _blocked(issue: Issue) -> list[Issue]:
    return [one for one in issue.repository.issues.values() if issue in one.blocked_by]


@field("Issue")
def sub_issues_summary(issue: Issue, view: View) -> dict[str, int]:
    shown = shapes_issues.sub_issues(issue)
    return {
        "total": shown["total"],
        "completed": shown["completed"],
        "percentCompleted": shown["percent_completed"],
    }


@field("Issue")
def issue_dependencies_summary(issue: Issue, view: View) -> dict[str, int]:
    shown = shapes_issues.dependencies(issue)
    return {
        "blockedBy": shown["blocked_by"], "blocking": shown["blocking"],
        "totalBlockedBy": shown["total_blocked_by"], "totalBlocking": shown["total_blocking"],
    }  # fmt: skip


@field("Issue")
def closed_by_pull_requests_references(
    issue: Issue, view: View, includeClosedPrs: bool = False, **page: Any
) -> Any:
    for unused in ("orderByState", "userLinkedOnly"):
        page.pop(unused, None)
    pulls = [one for one in issue.repository.pulls() if issue in linked(one)]
    wanted = [one for one in pulls if one.state == "open" or pull_of(one).merged or includeClosedPrs]
    if not includeClosedPrs:
        wanted = [one for one in wanted if one.state == "open"]
    return connection("closedByPullRequestsReferences", wanted, **page)


# --- comments: pairs of a comment and what it is on


fields(
    "IssueComment",
    id=lambda pair, view: node_id("IC", pair[0].id),
    databaseId=lambda pair, view: pair[0].id,
    fullDatabaseId=lambda pair, view: str(pair[0].id),
    url=lambda pair, view: f"{shapes_issues.page(pair[1], view.at)}#issuecomment-{pair[0].id}",
    issue=lambda pair, view: pair[1],
    pullRequest=lambda pair, view: pair[1] if pair[1].pull else None,
    authorAssociation=lambda pair, view: association(pair[1].repository, pair[0].author),
    isMinimized=lambda pair, view: False,
    minimizedReason=lambda pair, view: None,
    repository=lambda pair, view: pair[1].repository,
    viewerCanUpdate=lambda pair, view: pair[0].author is view.token.user,
)
fields(
    "IssueComment",
    "PullRequestReviewComment",
    body=lambda pair, view: pair[0].body,
    bodyText=lambda pair, view: pair[0].body,
    author=lambda pair, view: pair[0].author,
    createdAt=lambda pair, view: stamp(pair[0].created),
    publishedAt=lambda pair, view: stamp(pair[0].created),
    updatedAt=lambda pair, view: stamp(pair[0].updated),
    lastEditedAt=lambda pair, view: optional_stamp(pair[0].edited),
    includesCreatedEdit=lambda pair, view: pair[0].edited is not None,
    editor=lambda pair, view: pair[0].author if pair[0].edited else None,
    reactionGroups=no_reactions,
    viewerDidAuthor=lambda pair, view: pair[0].author is view.token.user,
)
