"""Pull requests, their reviews and their checks as REST shows them."""

from __future__ import annotations

from typing import Any

import pygit2

from tests.support.github import shapes_issues
from tests.support.github.shapes import Addresses, Json, node_id, person, repository
from tests.support.github.state import (
    Check,
    Comment,
    Issue,
    Pull,
    Repository,
    Review,
    Status,
    Thread,
    association,
    stamp,
)

_LINKS = {
    "comments": "comments_url", "commits": "commits_url", "statuses": "statuses_url", "html": "html_url",
    "issue": "issue_url", "review_comments": "review_comments_url", "review_comment": "review_comment_url",
    "self": "url",
}  # fmt: skip


def pull_of(issue: Issue) -> Pull:
    assert issue.pull is not None
    return issue.pull


def url(issue: Issue, at: Addresses) -> str:
    return f"{at.repository(issue.repository)}/pulls/{issue.number}"


def simple(issue: Issue, at: Addresses, version: str) -> Json:
    """As lists show it."""
    pull, url_, page = pull_of(issue), url(issue, at), shapes_issues.page(issue, at)
    shown = {
        **shapes_issues.common(issue, at), "url": url_, "node_id": node_id("PR", issue.id),
        "diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": shapes_issues.number_url(issue, at),
        "commits_url": f"{url_}/commits", "review_comments_url": f"{url_}/comments",
        "review_comment_url": f"{at.repository(issue.repository)}/pulls/comments{{/number}}",
        "statuses_url": f"{at.repository(issue.repository)}/statuses/{pull.head_sha}", "draft": pull.draft,
        "merged_at": shapes_issues.optional_stamp(pull.merged), "merge_commit_sha": pull.merge_commit,
        "requested_reviewers": [person(one, at) for one in pull.reviewers],
        "requested_teams": [team(slug, issue.repository, at) for slug in pull.teams],
        "head": _end(pull.head, pull.head_sha, pull.head_repository, issue.repository, at),
        "base": _end(pull.base, pull.base_sha, issue.repository, issue.repository, at),
        "auto_merge": _auto(pull, at),
    }  # fmt: skip
    shown["_links"] = {name: {"href": shown[key]} for name, key in _LINKS.items()}
    if version >= "2026-03-10":
        del shown["merge_commit_sha"], shown["assignee"]
    return shown


def whole(issue: Issue, at: Addresses, version: str, *, mergeable: bool | None, state: str) -> Json:
    pull, bare = pull_of(issue), issue.repository.bare
    commits: list[Any] = list(pull.merged_at_head)
    stats = None
    if bare.commit(pull.base_sha) and bare.commit(pull.head_sha):
        commits = commits or bare.between(pull.base_sha, pull.head_sha)
        stats = bare.diff(pull.base_sha, pull.head_sha).stats
    return {
        **simple(issue, at, version), "merged": pull.merged is not None, "mergeable": mergeable,
        "rebaseable": mergeable, "mergeable_state": state,
        "merged_by": person(pull.merged_by, at) if pull.merged_by else None, "comments": len(issue.comments),
        "review_comments": sum(len(thread.comments) for thread in pull.threads), "maintainer_can_modify": False,
        "commits": len(commits), "additions": stats.insertions if stats else 0,
        "deletions": stats.deletions if stats else 0, "changed_files": stats.files_changed if stats else 0,
    }  # fmt: skip


def _end(branch: str, sha: str, of: Repository | None, repo: Repository, at: Addresses) -> Json:
    owner = (of or repo).owner
    shown = repository(of, at) if of else None
    return {
        "label": f"{owner.login}:{branch}", "ref": branch, "sha": sha, "user": person(owner, at), "repo": shown
    }  # fmt: skip


def _auto(pull: Pull, at: Addresses) -> Json | None:
    if pull.auto is None or pull.auto_by is None:
        return None
    return {
        "enabled_by": person(pull.auto_by, at), "merge_method": pull.auto, "commit_title": "", "commit_message": ""
    }  # fmt: skip


def team(slug: str, repo: Repository, at: Addresses) -> Json:
    page = f"{at.web}/orgs/{repo.owner.login}/teams/{slug}"
    url_ = f"{at.api}/organizations/{repo.owner.id}/team/1"
    return {
        "id": 1, "node_id": node_id("T", 1), "name": slug, "slug": slug, "description": None, "privacy": "closed",
        "notification_setting": "notifications_enabled", "permission": "push", "url": url_, "html_url": page,
        "members_url": f"{url_}/members{{/member}}", "repositories_url": f"{url_}/repos", "parent": None,
        "type": "organization", "organization_id": repo.owner.id,
    }  # fmt: skip


def review(review: Review, of: Issue, at: Addresses) -> Json:
    page = f"{shapes_issues.page(of, at)}#pullrequestreview-{review.id}"
    return {
        "id": review.id, "node_id": node_id("PRR", review.id), "user": person(review.author, at),
        "body": review.body, "state": review.state, "html_url": page, "pull_request_url": url(of, at),
        "author_association": association(of.repository, review.author),
        "_links": {"html": {"href": page}, "pull_request": {"href": url(of, at)}},
        "submitted_at": stamp(review.submitted), "commit_id": review.commit,
    }  # fmt: skip


def review_comment(comment: Comment, thread: Thread, of: Issue, at: Addresses) -> Json:
    url_ = f"{at.repository(of.repository)}/pulls/comments/{comment.id}"
    page = f"{shapes_issues.page(of, at)}#discussion_r{comment.id}"
    answers = {} if comment is thread.comments[0] else {"in_reply_to_id": thread.comments[0].id}
    line = {} if thread.line is None else {"line": thread.line, "original_line": thread.line, "side": "RIGHT"}
    return {
        "id": comment.id, "node_id": node_id("PRRC", comment.id), "url": url_, "html_url": page,
        "pull_request_review_id": thread.review.id, "diff_hunk": "@@ -1 +1 @@", "path": thread.path,
        "commit_id": thread.commit, "original_commit_id": thread.commit, "user": person(comment.author, at),
        "body": comment.body, "created_at": stamp(comment.created), "updated_at": stamp(comment.updated),
        "pull_request_url": url(of, at), "author_association": association(of.repository, comment.author),
        "_links": {"self": {"href": url_}, "html": {"href": page}, "pull_request": {"href": url(of, at)}},
        "subject_type": "file" if thread.line is None else "line", **line, **answers,
    }  # fmt: skip


def minimal(issue: Issue, at: Addresses) -> Json:
    pull, repo = pull_of(issue), issue.repository
    part = {"id": repo.id, "url": at.repository(repo), "name": repo.name}
    return {
        "id": issue.id, "number": issue.number, "url": url(issue, at),
        "head": {"ref": pull.head, "sha": pull.head_sha, "repo": part},
        "base": {"ref": pull.base, "sha": pull.base_sha, "repo": part},
    }  # fmt: skip


def file(patch: pygit2.Patch, of: Issue, at: Addresses) -> Json:
    delta = patch.delta
    kinds = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}
    _, added, deleted = patch.line_stats
    page, path = at.page(of.repository), delta.new_file.path
    return {
        "sha": str(delta.new_file.id), "filename": path, "status": kinds[delta.status_char()], "additions": added,
        "deletions": deleted, "changes": added + deleted, "blob_url": f"{page}/blob/{path}",
        "raw_url": f"{page}/raw/{path}", "contents_url": f"{at.repository(of.repository)}/contents/{path}",
        "patch": patch.data.decode(errors="replace"),
    }  # fmt: skip


def status(status: Status, repo: Repository, at: Addresses) -> Json:
    shown = person(status.author, at)
    return {
        "id": status.id, "node_id": node_id("SC", status.id), "state": status.state, "context": status.context,
        "url": f"{at.repository(repo)}/statuses/{status.sha}", "description": status.description,
        "target_url": status.target, "avatar_url": shown["avatar_url"], "creator": shown,
        "created_at": stamp(status.created), "updated_at": stamp(status.created),
    }  # fmt: skip


def check(check: Check, repo: Repository, at: Addresses, pulls: list[Issue]) -> Json:
    url_ = f"{at.repository(repo)}/check-runs/{check.id}"
    page = (
        f"{at.page(repo)}/actions/runs/{check.run}/job/{check.id}"
        if check.job is not None
        else f"{at.page(repo)}/runs/{check.id}"
    )
    return {
        "id": check.id, "node_id": node_id("CR", check.id), "head_sha": check.sha, "name": check.name,
        "external_id": check.external, "url": url_, "html_url": page, "details_url": check.details or page,
        "status": check.status, "conclusion": check.conclusion, "started_at": stamp(check.started),
        "completed_at": shapes_issues.optional_stamp(check.completed), "app": app(check.app, repo, at),
        "output": {
            "title": check.title, "summary": check.summary, "text": check.text,
            "annotations_count": len(check.annotations), "annotations_url": f"{url_}/annotations",
        },
        "check_suite": {"id": check.run or check.id}, "pull_requests": [minimal(one, at) for one in pulls],
    }  # fmt: skip


def job(check: Check, repo: Repository, at: Addresses) -> Json:
    url_ = f"{at.repository(repo)}/actions"
    page = f"{at.page(repo)}/actions/runs/{check.run}/job/{check.id}"
    return {
        "id": check.id, "node_id": node_id("CR", check.id), "run_id": check.run, "run_attempt": 1,
        "run_url": f"{url_}/runs/{check.run}", "head_sha": check.sha, "url": f"{url_}/jobs/{check.id}",
        "html_url": page, "status": check.status, "conclusion": check.conclusion, "name": check.name,
        "created_at": stamp(check.started), "started_at": stamp(check.started), "steps": [], "labels": [],
        "completed_at": shapes_issues.optional_stamp(check.completed), "head_branch": None,
        "check_run_url": f"{at.repository(repo)}/check-runs/{check.id}", "workflow_name": "CI",
        "runner_id": 1, "runner_name": "a runner", "runner_group_id": 1, "runner_group_name": "runners",
    }  # fmt: skip


def app(slug: str, repo: Repository, at: Addresses) -> Json:
    return {
        "id": 15368, "slug": slug, "node_id": node_id("A", 15368), "owner": person(repo.owner, at), "name": slug,
        "description": None, "external_url": f"{at.web}/apps/{slug}", "html_url": f"{at.web}/apps/{slug}",
        "created_at": stamp(0), "updated_at": stamp(0), "permissions": {"checks": "write"}, "events": [],
    }  # fmt: skip
