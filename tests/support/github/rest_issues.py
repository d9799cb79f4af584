"""REST: issues, their comments, labels, milestones and relations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.github import deeds, shapes, shapes_issues
from tests.support.github.asking import Answer, Asked, Problem, invalid, not_found, route
from tests.support.github.searching import search
from tests.support.github.state import Comment, Issue, may, stamp

_REPO = "/repos/{owner}/{repo}"
_ISSUES = _REPO + "/issues"
_ISSUE = _ISSUES + "/{issue_number}"
_READ = ("issues=read", "pull_requests=read")
_WRITE = ("issues=write", "pull_requests=write")


@route("GET", _ISSUES, "issues=read")
def list_issues(asked: Asked) -> Answer:
    if not asked.repo.has_issues:
        raise Problem(410, "Issues has been disabled in this repository.")
    part, headers = asked.page(
        _ordered(asked, [one for one in asked.repo.issues.values() if _wanted(asked, one)])
    )
    return Answer([shapes_issues.issue(one, asked.at) for one in part], headers=headers)


def _wanted(asked: Asked, issue: Issue) -> bool:
    query = asked.query
    state = query.get("state", "open")
    names = {label.name.lower() for label in issue.labels}
    labels = {name.strip().lower() for name in query.get("labels", "").split(",") if name.strip()}
    logins = {user.login.lower() for user in issue.assignees}
    assignee, milestone = query.get("assignee"), query.get("milestone")
    number = str(issue.milestone.number) if issue.milestone else "none"
    return (
        issue.there
        and state in ("all", issue.state)
        and labels <= names
        and query.get("creator", issue.author.login).lower() == issue.author.login.lower()
        and query.get("since", "") <= stamp(issue.updated)
        and (assignee is None or (bool(logins) if assignee == "*" else not logins if assignee == "none" else assignee.lower() in logins))
        and (milestone is None or (number != "none" if milestone == "*" else number == milestone))
    )  # fmt: skip


def _ordered(asked: Asked, issues: Sequence[Issue]) -> list[Issue]:
    keys = {
        "created": lambda i: i.created,
        "updated": lambda i: i.updated,
        "comments": lambda i: len(i.comments),
    }
    key: Any = keys.get(asked.query.get("sort", "created"), keys["created"])
    down = asked.query.get("direction", "desc") == "desc"
    return sorted(issues, key=lambda issue: (key(issue), issue.number), reverse=down)


@route("POST", _ISSUES, "issues=write", creates=True)
def create(asked: Asked) -> Answer:
    if not asked.repo.has_issues:
        raise Problem(410, "Issues has been disabled in this repository.")
    deeds.writable(asked.repo)
    body = asked.body
    milestone = deeds.find_milestone(asked.repo, body.get("milestone"))
    people = deeds.people(asked.world, asked.repo, body.get("assignees", []), "Issue", "assignees")
    issue = deeds.new_issue(asked.world, asked.repo, asked.user, body["title"], body.get("body"), asked.now)
    if may(asked.repo.permission(asked.user), "triage"):  # of others these are passed over
        wanted = deeds.labels(asked.world, asked.repo, body.get("labels", []))
        deeds.set_labels(issue, wanted, asked.user, asked.now)
        issue.milestone, issue.assignees = milestone, people
    url = shapes_issues.number_url(issue, asked.at)
    return Answer(shapes_issues.issue(issue, asked.at), 201, {"Location": url})


@route("GET", _ISSUE, *_READ)
def get(asked: Asked) -> Answer:
    return Answer(shapes_issues.issue(asked.issue(), asked.at))


@route("PATCH", _ISSUE, *_WRITE)
def update(asked: Asked) -> Answer:
    issue, body = asked.issue(), asked.body or {}
    deeds.writable(asked.repo)
    if issue.author is not asked.user:
        asked.demand("triage")
    if "milestone" in body:
        issue.milestone = deeds.find_milestone(asked.repo, body["milestone"])
    if "assignees" in body:
        issue.assignees = deeds.people(asked.world, asked.repo, body["assignees"], "Issue", "assignees")
    if "labels" in body:
        wanted = deeds.labels(asked.world, asked.repo, body["labels"])
        deeds.set_labels(issue, wanted, asked.user, asked.now)
    if "title" in body or "body" in body:
        deeds.edit_text(issue, body.get("title", ...), body.get("body", ...), asked.now)
    if "state" in body:
        deeds.set_state(issue, body["state"], body.get("state_reason"), asked.user, asked.now)
    issue.updated = asked.now
    return Answer(shapes_issues.issue(issue, asked.at))


@route("PUT", _ISSUE + "/lock", *_WRITE)
def lock(asked: Asked) -> Answer:
    asked.demand("triage")
    asked.issue().locked = True
    return Answer(status=204)


@route("DELETE", _ISSUE + "/lock", *_WRITE)
def unlock(asked: Asked) -> Answer:
    asked.demand("triage")
    asked.issue().locked = False
    return Answer(status=204)


# --- comments


@route("GET", _ISSUE + "/comments", *_READ)
def comments(asked: Asked) -> Answer:
    issue = asked.issue()
    since = asked.query.get("since", "")
    part, headers = asked.page([one for one in issue.comments if since <= stamp(one.updated)])
    return Answer([shapes_issues.comment(one, issue, asked.at) for one in part], headers=headers)


@route("GET", _ISSUES + "/comments", *_READ)
def all_comments(asked: Asked) -> Answer:
    pairs = [(one, issue) for issue in asked.repo.issues.values() if issue.there for one in issue.comments]
    since = asked.query.get("since", "")
    pairs = [pair for pair in pairs if since <= stamp(pair[0].updated)]
    pairs.sort(key=lambda pair: pair[0].id, reverse=asked.query.get("direction") == "desc")
    part, headers = asked.page(pairs)
    return Answer([shapes_issues.comment(one, issue, asked.at) for one, issue in part], headers=headers)


@route("POST", _ISSUE + "/comments", *_WRITE, creates=True)
def create_comment(asked: Asked) -> Answer:
    issue = asked.issue()
    deeds.writable(asked.repo)
    made = deeds.comment(asked.world, issue, asked.user, asked.body["body"], asked.now)
    shown = shapes_issues.comment(made, issue, asked.at)
    return Answer(shown, 201, {"Location": shown["url"]})


def _comment(asked: Asked) -> tuple[Comment, Issue]:
    wanted = asked.number("comment_id")
    for issue in asked.repo.issues.values():
        for one in issue.comments:
            if one.id == wanted and issue.there:
                return one, issue
    raise not_found()


@route("GET", _ISSUES + "/comments/{comment_id}", *_READ)
def get_comment(asked: Asked) -> Answer:
    return Answer(shapes_issues.comment(*_comment(asked), asked.at))


@route("PATCH", _ISSUES + "/comments/{comment_id}", *_WRITE)
def update_comment(asked: Asked) -> Answer:
    comment, issue = _comment(asked)
    if comment.author is not asked.user:
        asked.demand("write")
    deeds.edit_comment(comment, asked.body["body"], asked.now)
    return Answer(shapes_issues.comment(comment, issue, asked.at))


@route("DELETE", _ISSUES + "/comments/{comment_id}", *_WRITE)
def delete_comment(asked: Asked) -> Answer:
    comment, issue = _comment(asked)
    if comment.author is not asked.user:
        asked.demand("write")
    issue.comments.remove(comment)
    return Answer(status=204)


# --- labels, assignees, milestones


@route("GET", _REPO + "/labels", *_READ)
def repository_labels(asked: Asked) -> Answer:
    part, headers = asked.page(asked.repo.labels)
    return Answer([shapes.label(one, asked.repo, asked.at) for one in part], headers=headers)


@route("POST", _REPO + "/labels", *_WRITE)
def create_label(asked: Asked) -> Answer:
    asked.demand("triage")
    body = asked.body
    made = deeds.new_label(
        asked.world, asked.repo, body["name"], body.get("color", "ededed"), body.get("description")
    )
    shown = shapes.label(made, asked.repo, asked.at)
    return Answer(shown, 201, {"Location": shown["url"]})


@route("GET", _ISSUE + "/labels", *_READ)
def labels(asked: Asked) -> Answer:
    part, headers = asked.page(asked.issue().labels)
    return Answer([shapes.label(one, asked.repo, asked.at) for one in part], headers=headers)


def _label_names(asked: Asked) -> list[Any]:
    asked.demand("triage")
    body = asked.body
    return list(body.get("labels", []) if isinstance(body, dict) else body or [])


def _labelled(asked: Asked, issue: Issue) -> Answer:
    issue.updated = asked.now
    return Answer([shapes.label(one, asked.repo, asked.at) for one in issue.labels])


@route("POST", _ISSUE + "/labels", *_WRITE)
def add_labels(asked: Asked) -> Answer:
    issue = asked.issue()
    wanted = deeds.labels(asked.world, asked.repo, _label_names(asked))
    deeds.add_labels(issue, wanted, asked.user, asked.now)
    return _labelled(asked, issue)


@route("PUT", _ISSUE + "/labels", *_WRITE)
def set_labels(asked: Asked) -> Answer:
    issue = asked.issue()
    wanted = deeds.labels(asked.world, asked.repo, _label_names(asked))
    deeds.set_labels(issue, wanted, asked.user, asked.now)
    return _labelled(asked, issue)


@route("DELETE", _ISSUE + "/labels/{name}", *_WRITE)
def remove_label(asked: Asked) -> Answer:
    asked.demand("triage")
    issue = asked.issue()
    label = deeds.find_label(asked.repo, asked.params["name"])
    if label not in issue.labels:
        raise Problem(404, "Label does not exist")
    issue.labels.remove(label)  # type: ignore[arg-type]
    return _labelled(asked, issue)


@route("POST", _ISSUE + "/assignees", *_WRITE)
def add_assignees(asked: Asked) -> Answer:
    issue = asked.issue()
    logins = [one for one in asked.body["assignees"] if asked.world.user(one)]  # others are passed over
    for user in deeds.people(asked.world, asked.repo, logins, "Issue", "assignees"):
        if user not in issue.assignees:
            issue.assignees.append(user)
    issue.updated = asked.now
    return Answer(shapes_issues.issue(issue, asked.at), 201)


@route("GET", _REPO + "/milestones", *_READ)
def milestones(asked: Asked) -> Answer:
    state = asked.query.get("state", "open")
    part, headers = asked.page([one for one in asked.repo.milestones if state in ("all", one.state)])
    return Answer([shapes.milestone(one, asked.repo, asked.at) for one in part], headers=headers)


# --- relations, search


@route("GET", _ISSUE + "/sub_issues", "issues=read")
def sub_issues(asked: Asked) -> Answer:
    part, headers = asked.page(asked.issue().sub_issues)
    return Answer([shapes_issues.issue(one, asked.at) for one in part], headers=headers)


@route("POST", _ISSUE + "/sub_issues", "issues=write")
def add_sub_issue(asked: Asked) -> Answer:
    parent = asked.issue()
    child = next((one for one in asked.repo.issues.values() if one.id == asked.body["sub_issue_id"]), None)
    if child is None or child.parent is not None:
        raise invalid("Issue", "sub_issue_id")
    parent.sub_issues.append(child)
    child.parent = parent
    return Answer(shapes_issues.issue(parent, asked.at), 201)


@route("GET", _ISSUE + "/dependencies/blocked_by", "issues=read")
def blocked_by(asked: Asked) -> Answer:
    part, headers = asked.page(asked.issue().blocked_by)
    return Answer([shapes_issues.issue(one, asked.at) for one in part], headers=headers)


@route("GET", "/search/issues", limit="search")
def search_issues(asked: Asked) -> Answer:
    found = search(asked.world, asked.query["q"], asked.token.user if asked.token else None)
    part, headers = asked.page(found[:1000])
    items = [shapes_issues.found(one, asked.at) for one in part]
    counts = {"total_count": len(found), "incomplete_results": False, "search_type": "lexical"}
    return Answer({**counts, "items": items}, headers=headers)
