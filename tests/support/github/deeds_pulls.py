"""Opening, judging and merging pull requests, with GitHub's rules and refusals."""

from __future__ import annotations

import pygit2

from tests.support.github.asking import Problem, invalid
from tests.support.github.bare import Conflict
from tests.support.github.deeds import checked_body, checked_title
from tests.support.github.settling import arrived, close, pointed, settle
from tests.support.github.state import Issue, Pull, Repository, Review, User, World, may

_NOT_ALLOWED = {
    "merge": "Merge commits are not allowed on this repository.",
    "squash": "Squash merges are not allowed on this repository.",
    "rebase": "Rebase merges are not allowed on this repository.",
}


def pull_of(issue: Issue) -> Pull:
    assert issue.pull is not None
    return issue.pull


def open_pull(
    world: World, repository: Repository, author: User, head: str, base: str, title: object, body: str | None,
    now: float, *, draft: bool = False,
) -> Issue:  # fmt: skip
    heads = repository.bare.heads()
    branch = head.partition(":")[2] if ":" in head else head
    title = checked_title("PullRequest", title)
    body = checked_body("PullRequest", body)
    for field, name in (("head", branch), ("base", base)):
        if name not in heads:
            raise invalid("PullRequest", field)
    for other in repository.pulls():
        if other.state == "open" and (pull_of(other).head, pull_of(other).base) == (branch, base):
            message = f"A pull request already exists for {repository.owner.login}:{branch}."
            raise invalid("PullRequest", code="custom", message=message)
    if repository.bare.contains(heads[base], heads[branch]):
        message = f"No commits between {base} and {branch}"
        raise invalid("PullRequest", code="custom", message=message)
    if draft and not repository.drafts:
        raise Problem(422, "Draft pull requests are not supported in this repository.")
    pull = Pull(branch, base, heads[branch], heads[base], repository, draft)
    issue = Issue(
        next(world.next_id),
        next(repository.next_number),
        repository,
        author,
        title,
        body,
        now,
        now,
        pull=pull,
    )
    repository.issues[issue.number] = issue
    pointed(issue)
    return issue


def retarget(issue: Issue, base: str, now: float) -> None:
    pull, heads = pull_of(issue), issue.repository.bare.heads()
    if issue.state == "closed":
        message = "Cannot change the base branch of a closed pull request."
        raise invalid("PullRequest", "base", "invalid", message)
    if base not in heads:
        raise invalid("PullRequest", "base")
    for other in issue.repository.pulls():
        same = (pull_of(other).head, pull_of(other).base) == (pull.head, base)
        if other.state == "open" and other is not issue and same:
            message = f"A pull request already exists for base branch '{base}' and head branch '{pull.head}'"
            raise invalid("PullRequest", "base", "invalid", message)
    if issue.repository.bare.contains(heads[base], pull.head_sha):
        message = f"There are no new commits between base branch '{base}' and head branch '{pull.head}'"
        raise invalid("PullRequest", "base", "invalid", message)
    pull.base, pull.base_sha, issue.updated = base, heads[base], now


# --- how it stands


def mergeable(issue: Issue) -> bool:
    """By git alone."""
    pull, bare = pull_of(issue), issue.repository.bare
    if not (bare.commit(pull.base_sha) and bare.commit(pull.head_sha)):
        return False
    return not bare.conflicts(pull.base_sha, pull.head_sha)


def missing(issue: Issue) -> list[str]:
    """What the repository's rules still want before it may be merged, in GitHub's words."""
    pull, repository = pull_of(issue), issue.repository
    found = []
    if pull.base == repository.default_branch:
        states = contexts(repository, pull.head_sha)
        for name in repository.required_checks:
            if states.get(name) != "success":
                found.append(f'Required status check "{name}" is {states.get(name, "expected")}.')
        if decision(issue) == "CHANGES_REQUESTED":
            found.append("Changes have been requested.")
        elif decision(issue) == "REVIEW_REQUIRED":
            found.append("At least 1 approving review is required by reviewers with write access.")
    return found


def contexts(repository: Repository, sha: str) -> dict[str, str]:
    """The latest of each check and status of a commit: success, failure or pending."""
    found: dict[str, str] = {}
    for status in repository.statuses:
        if status.sha == sha:
            found[status.context] = "failure" if status.state == "error" else status.state
    for check in repository.checks:
        if check.sha == sha:
            good = check.conclusion in ("success", "neutral", "skipped")
            found[check.name] = "pending" if check.status != "completed" else "success" if good else "failure"
    return found


def latest_reviews(issue: Issue) -> list[Review]:
    """Of each person with write access the last that judges."""
    last: dict[int, Review] = {}
    for review in pull_of(issue).reviews:
        if review.state != "COMMENTED" and may(issue.repository.permission(review.author), "write"):
            last[review.author.id] = review
    return list(last.values())


def decision(issue: Issue) -> str | None:
    """None where nobody has to review."""
    if not issue.repository.approvals:
        return None
    states = [review.state for review in latest_reviews(issue)]
    if "CHANGES_REQUESTED" in states:
        return "CHANGES_REQUESTED"
    return "APPROVED" if states.count("APPROVED") >= issue.repository.approvals else "REVIEW_REQUIRED"


def merge_state(issue: Issue) -> str:
    """As GraphQL names it."""
    pull = pull_of(issue)
    if issue.state == "closed":
        return "UNKNOWN"
    if not mergeable(issue):
        return "DIRTY"
    if pull.draft:
        return "DRAFT"
    if missing(issue):
        return "BLOCKED"
    states = contexts(issue.repository, pull.head_sha).values()
    return "CLEAN" if all(state == "success" for state in states) else "UNSTABLE"


# --- bringing it in


def refuse_merge(issue: Issue, method: str, sha: str | None, *, by_queue: bool = False) -> None:
    pull, repository = pull_of(issue), issue.repository
    if issue.state == "closed":
        raise Problem(405, "Pull Request is not mergeable")
    if pull.draft:
        raise Problem(405, "Pull Request is still a draft")
    if method not in repository.methods:
        raise Problem(405, _NOT_ALLOWED[method])
    if sha is not None and sha != pull.head_sha:
        raise Problem(409, "Head branch was modified. Review and try the merge again.")
    if lacking := missing(issue):
        raise Problem(405, lacking[0])
    if repository.queue and pull.base == repository.default_branch and not by_queue:
        words = "Repository rule violations found\n\nChanges must be made through the merge queue\n\n"
        raise Problem(405, words)
    if not mergeable(issue):
        raise Problem(405, "Pull Request is not mergeable")


def merge(
    issue: Issue, who: User, now: float, method: str = "merge", sha: str | None = None, title: str | None = None,
    message: str | None = None, *, by_queue: bool = False,
) -> str:  # fmt: skip
    """The commit that brought it in. Raises Problem as the API refuses."""
    refuse_merge(issue, method, sha, by_queue=by_queue)
    pull, repository = pull_of(issue), issue.repository
    base = pull.base_sha
    person = signature(who, now)
    try:
        if method == "rebase":
            made = repository.bare.rebase(base, pull.head_sha, person)
        elif method == "squash":
            text = f"{title or f'{issue.title} (#{issue.number})'}\n\n{message or ''}".rstrip() + "\n"
            made = repository.bare.squash(base, pull.head_sha, text, person)
        else:
            first = title or f"Merge pull request #{issue.number} from {repository.owner.login}/{pull.head}"
            text = f"{first}\n\n{issue.title if message is None else message}".rstrip() + "\n"
            made = repository.bare.merge(base, pull.head_sha, text, person)
    except Conflict:
        raise Problem(405, "Pull Request is not mergeable") from None
    repository.bare.set(f"refs/heads/{pull.base}", made)
    arrived(issue, made, who, now, base)
    settle(repository, now)
    if repository.delete_branch_on_merge and pull.head_repository is repository:
        repository.bare.delete(f"refs/heads/{pull.head}")
        settle(repository, now)
    return made


def advance(repository: Repository, now: float) -> None:
    """Auto-merge brings in what has become ready."""
    for issue in repository.pulls():
        pull = pull_of(issue)
        ready = (
            issue.state == "open" and pull.auto and not pull.draft and not missing(issue) and mergeable(issue)
        )
        if ready and pull.auto and pull.auto_by:
            method, who = pull.auto, pull.auto_by
            merge(issue, who, now, method)


def enable_auto(issue: Issue, who: User, method: str, now: float) -> None:
    pull, repository = pull_of(issue), issue.repository
    if not repository.allow_auto_merge:
        raise Problem(422, "Auto merge is not allowed for this repository")
    if issue.state == "closed":
        raise Problem(422, "Pull request is closed")
    if method not in repository.methods:
        raise Problem(422, _NOT_ALLOWED[method])
    if pull.draft:
        raise Problem(422, "Pull request is in draft state")
    if merge_state(issue) == "CLEAN":
        raise Problem(422, "Pull request is in clean status")
    pull.auto, pull.auto_by, pull.auto_since = method, who, now


def discard(issue: Issue, who: User | None, now: float) -> None:
    close(issue, who, now)


def signature(who: User, now: float) -> pygit2.Signature:
    return pygit2.Signature(who.login, f"{who.id}+{who.login}@users.noreply.example", int(now), 0)
