"""Issues and their comments as REST shows them."""

from __future__ import annotations

from tests.support.github.shapes import Addresses, Json, label, milestone, node_id, person, repository
from tests.support.github.state import Comment, Issue, association, stamp


def number_url(issue: Issue, at: Addresses) -> str:
    return f"{at.repository(issue.repository)}/issues/{issue.number}"


def page(issue: Issue, at: Addresses) -> str:
    kind = "pull" if issue.pull else "issues"
    return f"{at.page(issue.repository)}/{kind}/{issue.number}"


def optional_stamp(seconds: float | None) -> str | None:
    return None if seconds is None else stamp(seconds)


def common(issue: Issue, at: Addresses) -> Json:
    """What issues and pull requests say in the same way."""
    repo = issue.repository
    people = [person(one, at) for one in issue.assignees]
    return {
        "id": issue.id, "number": issue.number, "state": issue.state, "title": issue.title, "body": issue.body,
        "locked": issue.locked, "active_lock_reason": None, "user": person(issue.author, at),
        "labels": [label(one, repo, at) for one in issue.labels], "assignees": people,
        "assignee": people[0] if people else None,
        "milestone": milestone(issue.milestone, repo, at) if issue.milestone else None,
        "author_association": association(repo, issue.author), "created_at": stamp(issue.created),
        "updated_at": stamp(issue.updated), "closed_at": optional_stamp(issue.closed),
        "html_url": page(issue, at), "comments_url": f"{number_url(issue, at)}/comments",
    }  # fmt: skip


def issue(issue: Issue, at: Addresses, *, with_repository: bool = False) -> Json:
    url = number_url(issue, at)
    repo = issue.repository
    shown = {
        **common(issue, at), "node_id": node_id("PR" if issue.pull else "I", issue.id), "url": url,
        "repository_url": at.repository(repo), "labels_url": f"{url}/labels{{/name}}", "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline", "comments": len(issue.comments), "state_reason": issue.reason,
        "closed_by": person(issue.closed_by, at) if issue.closed_by else None, "performed_via_github_app": None,
        "reactions": _reactions(url), "sub_issues_summary": sub_issues(issue),
        "issue_dependencies_summary": dependencies(issue),
    }  # fmt: skip
    if issue.parent is not None:
        shown["parent_issue_url"] = number_url(issue.parent, at)
    if issue.pull is not None:
        pulls, page_ = f"{at.repository(repo)}/pulls/{issue.number}", page(issue, at)
        shown["draft"] = issue.pull.draft
        shown["pull_request"] = {
            "url": pulls, "html_url": page_, "diff_url": f"{page_}.diff", "patch_url": f"{page_}.patch",
            "merged_at": optional_stamp(issue.pull.merged),
        }  # fmt: skip
    if with_repository:
        shown["repository"] = repository(repo, at)
    return shown


def found(issue_: Issue, at: Addresses) -> Json:
    """As the search shows it; a missing body is an empty one in its description."""
    return {**issue(issue_, at), "body": issue_.body or "", "score": 1.0}


def comment(comment: Comment, of: Issue, at: Addresses) -> Json:
    url = f"{at.repository(of.repository)}/issues/comments/{comment.id}"
    return {
        "id": comment.id, "node_id": node_id("IC", comment.id), "url": url, "body": comment.body,
        "html_url": f"{page(of, at)}#issuecomment-{comment.id}", "issue_url": number_url(of, at),
        "user": person(comment.author, at), "created_at": stamp(comment.created),
        "updated_at": stamp(comment.updated), "author_association": association(of.repository, comment.author),
        "performed_via_github_app": None, "reactions": _reactions(url),
    }  # fmt: skip


def sub_issues(issue: Issue) -> Json:
    total = len(issue.sub_issues)
    done = sum(one.state == "closed" for one in issue.sub_issues)
    return {"total": total, "completed": done, "percent_completed": done * 100 // total if total else 0}


def dependencies(issue: Issue) -> Json:
    blocking = [one for one in issue.repository.issues.values() if issue in one.blocked_by]
    return {
        "blocked_by": sum(one.state == "open" for one in issue.blocked_by), "total_blocked_by": len(issue.blocked_by),
        "blocking": sum(one.state == "open" for one in blocking), "total_blocking": len(blocking),
    }  # fmt: skip


def _reactions(url: str) -> Json:
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(kinds, 0)}
