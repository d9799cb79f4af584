"""What can be done to issues and their comments, with GitHub's rules and refusals; REST and GraphQL both do it here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.support.github.asking import Problem, invalid
from tests.support.github.settling import close
from tests.support.github.state import Comment, Issue, Label, Milestone, Repository, User, World, may

LONGEST_BODY = 65_536  # characters
LONGEST_TITLE = 256


def checked_text(resource: str, field: str, text: str, longest: int) -> str:
    """``text`` as it is kept; refused where it is too long."""
    if len(text) > longest:
        message = f"{field} is too long (maximum is {longest} characters)"
        raise invalid(resource, field, "custom", message)
    return text.replace("\0", "\ufffd")


def checked_title(resource: str, title: Any) -> str:
    if not isinstance(title, str) or not title.strip("\0 \t\r\n"):
        raise invalid(
            resource, "title", "missing_field" if title is None else "custom", "title can't be blank"
        )
    return checked_text(resource, "title", title, LONGEST_TITLE)


def checked_body(resource: str, body: str | None) -> str | None:
    return None if body is None else checked_text(resource, "body", body, LONGEST_BODY)


def writable(repository: Repository) -> None:
    if repository.archived:
        raise Problem(403, "Repository was archived so is read-only.")


def new_issue(
    world: World, repository: Repository, author: User, title: str, body: str | None, now: float
) -> Issue:
    issue = Issue(
        next(world.next_id), next(repository.next_number), repository, author, checked_title("Issue", title),
        checked_body("Issue", body), now, now,
    )  # fmt: skip
    repository.issues[issue.number] = issue
    return issue


def comment(world: World, issue: Issue, author: User, body: str, now: float) -> Comment:
    if issue.locked and not may(issue.repository.permission(author), "write"):
        raise Problem(403, "Unable to create comment because issue is locked.")
    if not body:
        raise invalid("IssueComment", "body", "custom", "body can't be blank")
    made = Comment(next(world.next_id), author, checked_body("IssueComment", body) or "", now, now)
    issue.comments.append(made)
    issue.updated = now
    return made


def edit_comment(comment: Comment, body: str, now: float) -> None:
    comment.body = checked_body("IssueComment", body) or ""
    comment.edited = comment.updated = now


def edit_text(issue: Issue, title: Any, body: Any, now: float) -> None:
    """A title or body of ``...`` stays as it is."""
    resource = "PullRequest" if issue.pull else "Issue"
    if title is not ... and title is not None:
        before, issue.title = issue.title, checked_title(resource, title)
        if issue.title != before:
            issue.renamed.append((now, before, issue.title))
    if body is not ...:
        issue.body = checked_body(resource, body)
        issue.edited = now
    issue.updated = now


def set_state(issue: Issue, state: str, reason: str | None, who: User, now: float) -> None:
    if state == "closed":
        close(issue, who, now, reason)
    elif state == "open" and issue.state == "closed":
        if issue.pull is not None:
            _reopen_pull(issue)
        issue.state, issue.closed, issue.closed_by, issue.updated = "open", None, None, now
        issue.reason = None if issue.pull else "reopened"
    if state == "closed" and reason and issue.pull is None:
        issue.reason = reason


def _reopen_pull(issue: Issue) -> None:
    pull, heads = issue.pull, issue.repository.bare.heads()
    assert pull is not None
    if pull.merged:
        raise invalid("PullRequest", "state", "invalid", "Cannot reopen a merged pull request.")
    if pull.head not in heads or pull.base not in heads:
        message = f"The {pull.head} branch has been deleted."
        raise invalid("PullRequest", "state", "invalid", f"state cannot be changed. {message}")
    pull.head_sha, pull.base_sha = heads[pull.head], heads[pull.base]


def labels(world: World, repository: Repository, names: Iterable[Any]) -> list[Label]:
    """Those called so, case aside, made where they are missing."""
    found: dict[int, Label] = {}
    for wanted in names:
        name = wanted if isinstance(wanted, str) else wanted["name"]
        label = find_label(repository, name) or new_label(world, repository, name)
        found[label.id] = label
    return list(found.values())


def set_labels(issue: Issue, wanted: list[Label], who: User, now: float) -> None:
    """Those that are there already are not put on again."""
    issue.labelled += [(now, who, label) for label in wanted if label not in issue.labels]
    issue.labels = wanted


def add_labels(issue: Issue, wanted: list[Label], who: User, now: float) -> None:
    set_labels(issue, [*issue.labels, *(label for label in wanted if label not in issue.labels)], who, now)


def find_label(repository: Repository, name: str) -> Label | None:
    return next((one for one in repository.labels if one.name.lower() == name.lower()), None)


def new_label(
    world: World, repository: Repository, name: str, color: str = "ededed", text: str | None = None
) -> Label:
    if not name or len(name) > 50:
        raise invalid("Label", "name", "invalid")
    if find_label(repository, name):
        raise invalid("Label", "name", "already_exists")
    made = Label(next(world.next_id), name, color, text)
    repository.labels.append(made)
    return made


def find_milestone(repository: Repository, number: Any) -> Milestone | None:
    """None where ``number`` is; refused where there is no such one."""
    if number is None:
        return None
    for milestone in repository.milestones:
        if str(milestone.number) == str(number):
            return milestone
    raise invalid("Issue", "milestone")


def people(
    world: World, repository: Repository, logins: Sequence[Any], resource: str, field: str
) -> list[User]:
    """Those who can be assigned or asked for a review; refused where one cannot."""
    found: list[User] = []
    for wanted in logins:
        login = wanted if isinstance(wanted, str) else wanted["login"]
        user = world.user(login)
        if user is None or not may(repository.permission(user), "read"):
            raise invalid(resource, field)
        if user not in found:
            found.append(user)
    return found[:10]
