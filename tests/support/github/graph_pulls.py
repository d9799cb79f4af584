"""GraphQL: pull requests and reviews."""

from __future__ import annotations

from typing import Any

from tests.support.github import deeds_pulls, shapes_issues
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.graph_fields import View, connection, field, fields
from tests.support.github.graph_issues import no_reactions
from tests.support.github.graph_repositories import commit_of, pull_state, ref_of
from tests.support.github.settling import linked
from tests.support.github.shapes import node_id
from tests.support.github.shapes_issues import optional_stamp
from tests.support.github.state import Comment, Issue, Review, Thread, User, association, may, stamp

fields(
    "PullRequest",
    state=lambda one, view: pull_state(one),
    isDraft=lambda one, view: pull_of(one).draft,
    merged=lambda one, view: pull_of(one).merged is not None,
    mergedAt=lambda one, view: optional_stamp(pull_of(one).merged),
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
    reactionGroups=no_reactions,
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
