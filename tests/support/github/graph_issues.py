"""GraphQL: issues, comments, pull requests, reviews."""

from __future__ import annotations

from typing import Any

from tests.support.github import deeds_pulls, shapes_issues
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.graph_fields import View, connection, field, fields
from tests.support.github.graph_people import commit_of, pull_state, ref_of
from tests.support.github.settling import linked
from tests.support.github.shapes import node_id
from tests.support.github.state import Comment, Issue, Review, Thread, User, association, may, stamp

_KINDS = ("Issue", "PullRequest")


def _stamp(seconds: float | None) -> str | None:
    return None if seconds is None else stamp(seconds)


def _no_reactions(*_: Any) -> list[Any]:
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
    closedAt=lambda one, view: _stamp(one.closed),
    createdAt=lambda one, view: stamp(one.created),
    publishedAt=lambda one, view: stamp(one.created),
    updatedAt=lambda one, view: stamp(one.updated),
    lastEditedAt=lambda one, view: _stamp(one.edited),
    includesCreatedEdit=lambda one, view: one.edited is not None,
    editor=lambda one, view: one.author if one.edited else None,
    milestone=lambda one, view: one.milestone,
    labels=lambda one, view, orderBy=None, **page: connection("labels", one.labels, **page),
    assignees=lambda one, view, **page: connection("assignees", one.assignees, **page),
    participants=lambda one, view, **page: connection("participants", [one.author], **page),
    comments=lambda one, view, orderBy=None, **page: connection("comments", _comments(one, orderBy), **page),
    reactionGroups=_no_reactions,
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
    """Only changes of the title happen on a stand-in's timeline."""
    wanted = kinds is None or "RENAMED_TITLE_EVENT" in kinds
    found = [
        {
            "__typename": "RenamedTitleEvent", "id": node_id("RTE", issue.id), "createdAt": stamp(at), "actor": None,
            "previousTitle": before, "currentTitle": after, "subject": issue,
        }
        for at, before, after in (issue.renamed if wanted else ())
    ]  # fmt: skip
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
    lastEditedAt=lambda pair, view: _stamp(pair[0].edited),
    includesCreatedEdit=lambda pair, view: pair[0].edited is not None,
    editor=lambda pair, view: pair[0].author if pair[0].edited else None,
    reactionGroups=_no_reactions,
    viewerDidAuthor=lambda pair, view: pair[0].author is view.token.user,
)


# --- pull requests


fields(
    "PullRequest",
    state=lambda one, view: pull_state(one),
    isDraft=lambda one, view: pull_of(one).draft,
    merged=lambda one, view: pull_of(one).merged is not None,
    mergedAt=lambda one, view: _stamp(pull_of(one).merged),
    mergedBy=lambda one, view: pull_of(one).merged_by,
    mergeCommit=lambda one, view: commit_of(one.repository, pull_of(one).merge_commit),
    potentialMergeCommit=lambda one, view: None,
    headRefName=lambda one, view: pull_of(one).head,
    headRefOid=lambda one, view: pull_of(one).head_sha,
    headRef=lambda one, view: _head_ref(one),
    headRepository=lambda one, view: pull_of(one).head_repository,
    headRepositoryOwner=lambda one, view: _owner(one),
    isCrossRepository=lambda one, view: pull_of(one).head_repository is not one.repository,
    maintainerCanModify=lambda one, view: False,
    baseRefName=lambda one, view: pull_of(one).base,
    baseRefOid=lambda one, view: pull_of(one).base_sha,
    baseRef=lambda one, view: ref_of(one.repository, f"refs/heads/{pull_of(one).base}"),
    baseRepository=lambda one, view: one.repository,
    mergeable=lambda one, view: _mergeable(one, view),
    mergeStateStatus=lambda one, view: deeds_pulls.merge_state(one),
    reviewDecision=lambda one, view: deeds_pulls.decision(one),
    isInMergeQueue=lambda one, view: pull_of(one).queued,
    isMergeQueueEnabled=lambda one, view: one.repository.queue,
    mergeQueueEntry=lambda one, view: queue_entry(one, view) if pull_of(one).queued else None,
    autoMergeRequest=lambda one, view: _auto(one),
    closingIssuesReferences=lambda one, view, orderBy=None, userLinkedOnly=False, **page: connection(
        "closingIssuesReferences", list(linked(one)), **page
    ),
    reviewRequests=lambda one, view, **page: connection("reviewRequests", _requests(one), **page),
    reviewThreads=lambda one, view, **page: connection(
        "reviewThreads", [(thread, one) for thread in pull_of(one).threads], **page
    ),
    viewerCanEnableAutoMerge=lambda one, view: one.repository.allow_auto_merge,
    viewerLatestReview=lambda one, view: None,
    totalCommentsCount=lambda one, view: (
        len(one.comments) + sum(len(t.comments) for t in pull_of(one).threads)
    ),
)


def _head_ref(issue: Issue) -> Any:
    pull = pull_of(issue)
    return ref_of(pull.head_repository, f"refs/heads/{pull.head}") if pull.head_repository else None


def _owner(issue: Issue) -> User | None:
    repository = pull_of(issue).head_repository
    return repository.owner if repository else None


def _mergeable(issue: Issue, view: View) -> str:
    able = view.github.known_mergeable(issue)
    return "UNKNOWN" if able is None else "MERGEABLE" if able else "CONFLICTING"


def _auto(issue: Issue) -> dict[str, Any] | None:
    pull = pull_of(issue)
    if pull.auto is None:
        return None
    return {
        "authorEmail": None, "commitBody": None, "commitHeadline": None, "enabledAt": stamp(pull.auto_since),
        "enabledBy": pull.auto_by, "mergeMethod": pull.auto.upper(), "pullRequest": issue,
    }  # fmt: skip


def queue_entry(issue: Issue, view: View) -> dict[str, Any]:
    waiting = [one for one in issue.repository.pulls() if pull_of(one).queued]
    return {
        "__typename": "MergeQueueEntry", "id": node_id("MQE", issue.id), "enqueuedAt": stamp(view.now),
        "enqueuer": view.token.user, "estimatedTimeToMerge": None, "jump": False, "pullRequest": issue,
        "position": waiting.index(issue) + 1, "solo": False, "state": "QUEUED",
    }  # fmt: skip


def _requests(issue: Issue) -> list[dict[str, Any]]:
    pull = pull_of(issue)
    asked: list[Any] = [*pull.reviewers]
    asked += [
        {"__typename": "Team", "name": slug, "slug": slug, "combinedSlug": f"{issue.repository.owner.login}/{slug}",
         "organization": issue.repository.owner, "id": f"T_{slug}"}
        for slug in pull.teams
    ]  # fmt: skip
    return [
        {
            "id": f"RR_{n}",
            "databaseId": n,
            "asCodeOwner": False,
            "pullRequest": issue,
            "requestedReviewer": one,
        }
        for n, one in enumerate(asked)
    ]


@field("PullRequest")
def commits(issue: Issue, view: View, **page: Any) -> Any:
    pull, bare = pull_of(issue), issue.repository.bare
    oids = pull.merged_at_head or tuple(str(one.id) for one in bare.between(pull.base_sha, pull.head_sha))
    found = [
        {"id": f"PURC_{oid}", "commit": commit_of(issue.repository, oid), "pullRequest": issue}
        for oid in oids
    ]
    return connection("commits", found, **page)


@field("PullRequest")
def files(issue: Issue, view: View, **page: Any) -> Any:
    pull = pull_of(issue)
    found = []
    for patch in issue.repository.bare.diff(pull.base_sha, pull.head_sha):
        _, added, deleted = patch.line_stats
        kinds = {"A": "ADDED", "D": "DELETED", "M": "MODIFIED", "R": "RENAMED", "C": "COPIED"}
        kind = kinds.get(patch.delta.status_char(), "CHANGED")
        found.append(
            {"path": patch.delta.new_file.path, "additions": added, "deletions": deleted, "changeType": kind}
        )
    return connection("files", found, **page)


def _stat(name: str) -> Any:
    def read(issue: Issue, view: View) -> int:
        pull = pull_of(issue)
        return int(getattr(issue.repository.bare.diff(pull.base_sha, pull.head_sha).stats, name))

    return read


fields(
    "PullRequest",
    additions=_stat("insertions"), deletions=_stat("deletions"), changedFiles=_stat("files_changed"),
)  # fmt: skip


# --- reviews: pairs of a review and its pull request, threads likewise


@field("PullRequest")
def reviews(issue: Issue, view: View, author: str | None = None, states: Any = None, **page: Any) -> Any:
    found = [
        (one, issue)
        for one in pull_of(issue).reviews
        if author in (None, one.author.login) and (states is None or one.state in states)
    ]
    return connection("reviews", found, **page)


@field("PullRequest")
def latest_reviews(issue: Issue, view: View, **page: Any) -> Any:
    last: dict[int, Review] = {one.author.id: one for one in pull_of(issue).reviews}
    return connection("latestReviews", [(one, issue) for one in last.values()], **page)


@field("PullRequest")
def latest_opinionated_reviews(issue: Issue, view: View, writersOnly: bool = False, **page: Any) -> Any:
    return connection(
        "latestOpinionatedReviews", [(one, issue) for one in deeds_pulls.latest_reviews(issue)], **page
    )


fields(
    "PullRequestReview",
    id=lambda pair, view: node_id("PRR", pair[0].id),
    databaseId=lambda pair, view: pair[0].id,
    fullDatabaseId=lambda pair, view: str(pair[0].id),
    author=lambda pair, view: pair[0].author,
    authorAssociation=lambda pair, view: association(pair[1].repository, pair[0].author),
    authorCanPushToRepository=lambda pair, view: may(pair[1].repository.permission(pair[0].author), "write"),
    body=lambda pair, view: pair[0].body,
    bodyText=lambda pair, view: pair[0].body,
    state=lambda pair, view: pair[0].state,
    submittedAt=lambda pair, view: stamp(pair[0].submitted),
    createdAt=lambda pair, view: stamp(pair[0].submitted),
    updatedAt=lambda pair, view: stamp(pair[0].submitted),
    publishedAt=lambda pair, view: stamp(pair[0].submitted),
    lastEditedAt=lambda pair, view: None,
    includesCreatedEdit=lambda pair, view: False,
    url=lambda pair, view: f"{shapes_issues.page(pair[1], view.at)}#pullrequestreview-{pair[0].id}",
    commit=lambda pair, view: commit_of(pair[1].repository, pair[0].commit),
    pullRequest=lambda pair, view: pair[1],
    repository=lambda pair, view: pair[1].repository,
    isMinimized=lambda pair, view: False,
    reactionGroups=_no_reactions,
    comments=lambda pair, view, **page: connection("comments", _said_in(pair), **page),
)


def _said_in(pair: tuple[Review, Issue]) -> list[tuple[Comment, Thread, Issue]]:
    review, issue = pair
    return [(t.comments[0], t, issue) for t in pull_of(issue).threads if t.review is review]


fields(
    "PullRequestReviewThread",
    id=lambda pair, view: node_id("PRRT", pair[0].id),
    isResolved=lambda pair, view: pair[0].resolved,
    isOutdated=lambda pair, view: pair[0].outdated,
    isCollapsed=lambda pair, view: pair[0].resolved,
    resolvedBy=lambda pair, view: pair[0].resolved_by,
    path=lambda pair, view: pair[0].path,
    line=lambda pair, view: None if pair[0].outdated else pair[0].line,
    originalLine=lambda pair, view: pair[0].line,
    startLine=lambda pair, view: None,
    originalStartLine=lambda pair, view: None,
    diffSide=lambda pair, view: "RIGHT",
    startDiffSide=lambda pair, view: None,
    subjectType=lambda pair, view: "FILE" if pair[0].line is None else "LINE",
    pullRequest=lambda pair, view: pair[1],
    repository=lambda pair, view: pair[1].repository,
    viewerCanReply=lambda pair, view: True,
    viewerCanResolve=lambda pair, view: True,
    comments=lambda pair, view, skip=None, **page: connection(
        "comments", [(one, pair[0], pair[1]) for one in pair[0].comments], **page
    ),
)
fields(
    "PullRequestReviewComment",
    id=lambda one, view: node_id("PRRC", one[0].id),
    databaseId=lambda one, view: one[0].id,
    fullDatabaseId=lambda one, view: str(one[0].id),
    authorAssociation=lambda one, view: association(one[2].repository, one[0].author),
    path=lambda one, view: one[1].path,
    line=lambda one, view: None if one[1].outdated else one[1].line,
    originalLine=lambda one, view: one[1].line,
    position=lambda one, view: None if one[1].outdated else one[1].line,
    originalPosition=lambda one, view: one[1].line or 1,
    outdated=lambda one, view: one[1].outdated,
    diffHunk=lambda one, view: "@@ -1 +1 @@",
    url=lambda one, view: f"{shapes_issues.page(one[2], view.at)}#discussion_r{one[0].id}",
    commit=lambda one, view: commit_of(one[2].repository, one[1].commit),
    originalCommit=lambda one, view: commit_of(one[2].repository, one[1].commit),
    pullRequest=lambda one, view: one[2],
    pullRequestReview=lambda one, view: (one[1].review, one[2]),
    repository=lambda one, view: one[2].repository,
    replyTo=lambda one, view: None if one[0] is one[1].comments[0] else (one[1].comments[0], one[1], one[2]),
    state=lambda one, view: "SUBMITTED",
    subjectType=lambda one, view: "FILE" if one[1].line is None else "LINE",
    isMinimized=lambda one, view: False,
    minimizedReason=lambda one, view: None,
)
