"""GraphQL: what can be changed."""

from __future__ import annotations

from typing import Any

from tests.support.github import deeds, deeds_pulls
from tests.support.github.asking import Problem
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.graph_fields import GraphProblem, View, field
from tests.support.github.graph_people import by_node_id
from tests.support.github.graph_pulls import queue_entry
from tests.support.github.state import Comment, Grant, Issue, Permission, Repository, Thread, may

CREATING = frozenset({"addComment", "createPullRequest", "addPullRequestReviewThreadReply"})


def _may(
    view: View, repository: Repository, permission: str, wanted: Permission, grant: Grant = "write"
) -> None:
    """Raises GraphProblem where the token or its person may not."""
    token = view.token
    if not token.may(permission, grant):
        who = "integration" if token.installation else "personal access token"
        raise GraphProblem("FORBIDDEN", f"Resource not accessible by {who}")
    if not may(repository.permission(token.user), wanted):
        message = f"{token.user.login} does not have the correct permissions to execute this"
        raise GraphProblem("FORBIDDEN", message)
    deeds.writable(repository)


def _pull(view: View, id: str) -> Issue:
    found = by_node_id(view, id)
    if not isinstance(found, Issue) or found.pull is None:
        raise GraphProblem("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'.")
    return found


def _head_is(issue: Issue, asked: dict[str, Any]) -> None:
    expected = asked.get("expectedHeadOid")
    if expected is not None and expected != pull_of(issue).head_sha:
        raise Problem(422, "Head sha didn't match expected sha")


def _done(view: View, asked: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"clientMutationId": asked.get("clientMutationId"), "actor": view.token.user, **more}


@field("Mutation")
def add_comment(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = by_node_id(view, input["subjectId"])
    _may(view, issue.repository, "pull_requests" if issue.pull else "issues", "read")
    made = deeds.comment(view.github.world, issue, view.token.user, input["body"], view.now)
    return _done(view, input, subject=issue, commentEdge={"cursor": "", "node": (made, issue)})


@field("Mutation")
def update_issue_comment(_: None, view: View, input: dict[str, Any]) -> Any:
    comment = by_node_id(view, input["id"])
    assert isinstance(comment, Comment)
    issues = (one for repo in view.github.world.repositories.values() for one in repo.issues.values())
    issue = next(one for one in issues if comment in one.comments)
    _may(view, issue.repository, "issues", "read" if comment.author is view.token.user else "write")
    deeds.edit_comment(comment, input["body"], view.now)
    return _done(view, input, issueComment=(comment, issue))


@field("Mutation")
def create_pull_request(_: None, view: View, input: dict[str, Any]) -> Any:
    repository = by_node_id(view, input["repositoryId"])
    assert isinstance(repository, Repository)
    _may(view, repository, "pull_requests", "read")
    made = deeds_pulls.open_pull(
        view.github.world, repository, view.token.user, input["headRefName"], input["baseRefName"], input["title"],
        input.get("body"), view.now, draft=bool(input.get("draft")),
    )  # fmt: skip
    return _done(view, input, pullRequest=made)


@field("Mutation")
def update_pull_request(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "pull_requests", "write")
    if input.get("baseRefName") not in (None, pull_of(issue).base):
        deeds_pulls.retarget(issue, input["baseRefName"], view.now)
    if "title" in input or "body" in input:
        deeds.edit_text(issue, input.get("title", ...), input.get("body", ...), view.now)
    if input.get("state"):
        deeds.set_state(issue, input["state"].lower(), None, view.token.user, view.now)
    world = view.github.world
    if input.get("labelIds") is not None:
        issue.labels = [one for one in issue.repository.labels if f"LA_{one.id}" in input["labelIds"]]
    if input.get("assigneeIds") is not None:
        issue.assignees = [one for one in world.users.values() if f"U_{one.id}" in input["assigneeIds"]]
    if "milestoneId" in input:
        found = [one for one in issue.repository.milestones if f"MI_{one.id}" == input["milestoneId"]]
        issue.milestone = found[0] if found else None
    return _done(view, input, pullRequest=issue)


@field("Mutation")
def close_pull_request(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "pull_requests", "write")
    deeds.set_state(issue, "closed", None, view.token.user, view.now)
    return _done(view, input, pullRequest=issue)


@field("Mutation")
def mark_pull_request_ready_for_review(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "pull_requests", "write")
    pull_of(issue).draft, issue.updated = False, view.now
    return _done(view, input, pullRequest=issue)


@field("Mutation")
def convert_pull_request_to_draft(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "pull_requests", "write")
    pull_of(issue).draft, issue.updated = True, view.now
    return _done(view, input, pullRequest=issue)


@field("Mutation")
def enable_pull_request_auto_merge(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "contents", "write")
    _head_is(issue, input)
    deeds_pulls.enable_auto(issue, view.token.user, input["mergeMethod"].lower(), view.now)
    return _done(view, input, pullRequest=issue)


@field("Mutation")
def disable_pull_request_auto_merge(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "contents", "write")
    pull_of(issue).auto = None
    return _done(view, input, pullRequest=issue)


@field("Mutation")
def enqueue_pull_request(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "contents", "write")
    pull = pull_of(issue)
    _head_is(issue, input)
    if not issue.repository.queue or pull.base != issue.repository.default_branch:
        raise Problem(422, "Branch does not have a merge queue enabled")
    if issue.state == "closed":
        raise Problem(422, "Pull request is closed")
    if pull.draft:
        raise Problem(422, "Pull request is in draft state")
    if lacking := deeds_pulls.missing(issue):
        raise Problem(422, lacking[0])
    pull.queued = True
    return _done(view, input, mergeQueueEntry=queue_entry(issue, view))


@field("Mutation")
def dequeue_pull_request(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["id"])
    _may(view, issue.repository, "contents", "write")
    entry = queue_entry(issue, view) if pull_of(issue).queued else None
    pull_of(issue).queued = False
    return _done(view, input, mergeQueueEntry=entry)


@field("Mutation")
def merge_pull_request(_: None, view: View, input: dict[str, Any]) -> Any:
    issue = _pull(view, input["pullRequestId"])
    _may(view, issue.repository, "contents", "write")
    _head_is(issue, input)
    deeds_pulls.merge(
        issue, view.token.user, view.now, input["mergeMethod"].lower(), None, input.get("commitHeadline"),
        input.get("commitBody"),
    )  # fmt: skip
    return _done(view, input, pullRequest=issue)


def _thread(view: View, id: str) -> tuple[Thread, Issue]:
    thread = by_node_id(view, id)
    for repository in view.github.world.repositories.values():
        for issue in repository.pulls():
            if thread in pull_of(issue).threads:
                return thread, issue
    raise GraphProblem("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'.")


@field("Mutation")
def resolve_review_thread(_: None, view: View, input: dict[str, Any]) -> Any:
    thread, issue = _thread(view, input["threadId"])
    _may(view, issue.repository, "pull_requests", "write")
    thread.resolved, thread.resolved_by = True, view.token.user
    return _done(view, input, thread=(thread, issue))


@field("Mutation")
def add_pull_request_review_thread_reply(_: None, view: View, input: dict[str, Any]) -> Any:
    thread, issue = _thread(view, input["pullRequestReviewThreadId"])
    _may(view, issue.repository, "pull_requests", "read")
    made = Comment(next(view.github.world.next_id), view.token.user, input["body"], view.now, view.now)
    thread.comments.append(made)
    return _done(view, input, comment=(made, thread, issue))
