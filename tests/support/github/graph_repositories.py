"""GraphQL: repositories, their refs and commits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.support.github.deeds_pulls import pull_of
from tests.support.github.graph_fields import CommitIn, GraphProblem, RefIn, View, connection, field, fields
from tests.support.github.shapes import node_id
from tests.support.github.state import Issue, Repository, User, may, stamp


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


fields(
    "Repository",
    id=lambda repo, view: node_id("R", repo.id),
    databaseId=lambda repo, view: repo.id,
    name=lambda repo, view: repo.name,
    nameWithOwner=lambda repo, view: repo.full_name,
    owner=lambda repo, view: repo.owner,
    url=lambda repo, view: view.at.page(repo),
    resourcePath=lambda repo, view: _path(view.at.page(repo)),
    isPrivate=lambda repo, view: repo.private,
    isArchived=lambda repo, view: repo.archived,
    isFork=lambda repo, view: False,
    isTemplate=lambda repo, view: False,
    isDisabled=lambda repo, view: False,
    isLocked=lambda repo, view: False,
    isMirror=lambda repo, view: False,
    isEmpty=lambda repo, view: not repo.heads,
    isInOrganization=lambda repo, view: repo.owner.kind == "Organization",
    parent=lambda repo, view: None,
    description=lambda repo, view: None,
    visibility=lambda repo, view: "PRIVATE" if repo.private else "PUBLIC",
    hasIssuesEnabled=lambda repo, view: repo.has_issues,
    hasProjectsEnabled=lambda repo, view: False,
    hasWikiEnabled=lambda repo, view: False,
    mergeCommitAllowed=lambda repo, view: "merge" in repo.methods,
    squashMergeAllowed=lambda repo, view: "squash" in repo.methods,
    rebaseMergeAllowed=lambda repo, view: "rebase" in repo.methods,
    autoMergeAllowed=lambda repo, view: repo.allow_auto_merge,
    deleteBranchOnMerge=lambda repo, view: repo.delete_branch_on_merge,
    viewerPermission=lambda repo, view: _permission(repo, view),
    viewerCanAdminister=lambda repo, view: repo.permission(view.token.user) == "admin",
    viewerDefaultMergeMethod=lambda repo, view: repo.methods[0].upper(),
    createdAt=lambda repo, view: stamp(repo.created),
    updatedAt=lambda repo, view: stamp(repo.created),
    pushedAt=lambda repo, view: stamp(repo.created),
    defaultBranchRef=lambda repo, view: ref_of(repo, f"refs/heads/{repo.default_branch}"),
    label=lambda repo, view, name: next((one for one in repo.labels if one.name.lower() == name.lower()), None),
    labels=lambda repo, view, query=None, **page: connection(
        "labels", [one for one in repo.labels if (query or "").lower() in one.name.lower()], **page
    ),
    milestone=lambda repo, view, number: next((one for one in repo.milestones if one.number == number), None),
    mergeQueue=lambda repo, view, branch=None: _queue(repo, view) if repo.queue else None,
)  # fmt: skip


def _permission(repo: Repository, view: View) -> str | None:
    held = repo.permission(view.token.user)
    return None if held == "none" else held.upper()


def _queue(repo: Repository, view: View) -> dict[str, Any]:
    page = f"{view.at.page(repo)}/queue/{repo.default_branch}"
    return {
        "__typename": "MergeQueue", "id": node_id("MQ", repo.id), "nextEntryEstimatedTimeToMerge": None,
        "repository": repo, "resourcePath": _path(page), "url": page,
    }  # fmt: skip


@field("Repository")
def milestones(
    repo: Repository, view: View, query: str | None = None, states: Any = None, **page: Any
) -> Any:
    found = [one for one in repo.milestones if states is None or one.state.upper() in states]
    return connection(
        "milestones", [one for one in found if (query or "").lower() in one.title.lower()], **page
    )


@field("Repository")
def assignable_users(repo: Repository, view: View, query: str | None = None, **page: Any) -> Any:
    return connection("assignableUsers", _with(repo, view, "triage"), **page)


@field("Repository")
def collaborators(repo: Repository, view: View, query: str | None = None, **page: Any) -> Any:
    people = [one for one in _with(repo, view, "read") if (query or "").lower() in one.login.lower()]
    made = connection("collaborators", people, **page)
    for edge in made["edges"] if page.get("first") or page.get("last") else ():
        edge["permission"] = repo.permission(edge["node"]).upper()
    return made


def _with(repo: Repository, view: View, wanted: Any) -> list[User]:
    users = view.github.world.users
    return [
        users[id] for id, held in repo.permissions.items() if may(held, wanted) and users[id].kind == "User"
    ]


@field("Repository")
def issue(repo: Repository, view: View, number: int) -> Issue:
    found = repo.issues.get(number)
    if found is None or found.pull is not None or not found.there:
        raise GraphProblem("NOT_FOUND", f"Could not resolve to an Issue with the number of {number}.")
    return found


@field("Repository")
def pull_request(repo: Repository, view: View, number: int) -> Issue:
    found = repo.issues.get(number)
    if found is None or found.pull is None:
        raise GraphProblem("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
    return found


@field("Repository")
def issue_or_pull_request(repo: Repository, view: View, number: int) -> Issue:
    found = repo.issues.get(number)
    if found is None or not found.there:
        message = f"Could not resolve to an issue or pull request with the number of {number}."
        raise GraphProblem("NOT_FOUND", message)
    return found


@field("Repository")
def issues(
    repo: Repository, view: View, labels: Any = None, states: Any = None, orderBy: Any = None, filterBy: Any = None,
    **page: Any,
) -> Any:  # fmt: skip
    asked = dict(filterBy or {})
    found = [one for one in repo.issues.values() if one.pull is None and one.there]
    found = [one for one in found if _fits(one, view, asked)]
    for wanted in (states, asked.get("states")):
        found = [one for one in found if wanted is None or one.state.upper() in wanted]
    found = _labelled(found, labels, every=False)  # any of them, as GitHub has it
    return connection("issues", _ordered(found, orderBy), **page)


def _fits(issue: Issue, view: View, asked: dict[str, Any]) -> bool:
    logins = {user.login.lower() for user in issue.assignees}
    if "assignee" in asked:
        wanted = asked["assignee"]
        if wanted is None or wanted == "":
            return not logins
        login = view.token.user.login if wanted == "@me" else wanted
        if not logins if wanted == "*" else login.lower() not in logins:
            return False
    if asked.get("createdBy") and asked["createdBy"].lower() != issue.author.login.lower():
        return False
    if "milestoneNumber" in asked and str(asked["milestoneNumber"]) != str(
        issue.milestone and issue.milestone.number
    ):
        return False
    if "milestone" in asked and str(asked["milestone"]) != str(issue.milestone and issue.milestone.id):
        return False
    if asked.get("labels") and not _labelled([issue], asked["labels"], every=True):
        return False
    return str(asked.get("since") or "") <= stamp(issue.updated)


def _labelled(found: Iterable[Issue], labels: Any, *, every: bool) -> list[Issue]:
    if not labels:
        return list(found)
    wanted = {name.lower() for name in labels}
    test = wanted.issubset if every else (lambda names: bool(wanted & names))
    return [one for one in found if test({label.name.lower() for label in one.labels})]


def _ordered(found: list[Issue], order: Any) -> list[Issue]:
    if order is None:
        return sorted(found, key=lambda one: one.number)
    keys = {
        "CREATED_AT": lambda i: i.created,
        "UPDATED_AT": lambda i: i.updated,
        "COMMENTS": lambda i: len(i.comments),
    }
    key: Any = keys[order["field"]]
    return sorted(found, key=lambda one: (key(one), one.number), reverse=order["direction"] == "DESC")


@field("Repository")
def pull_requests(
    repo: Repository, view: View, baseRefName: str | None = None, headRefName: str | None = None, labels: Any = None,
    states: Any = None, orderBy: Any = None, **page: Any,
) -> Any:  # fmt: skip
    found = [
        one
        for one in repo.pulls()
        if baseRefName in (None, pull_of(one).base)
        and headRefName in (None, pull_of(one).head)
        and (states is None or pull_state(one) in states)
    ]
    return connection("pullRequests", _ordered(_labelled(found, labels, every=False), orderBy), **page)


def pull_state(issue: Issue) -> str:
    return "MERGED" if pull_of(issue).merged else issue.state.upper()


# --- refs and commits


def ref_of(repo: Repository, name: str) -> RefIn | None:
    oid = repo.bare.get(name)
    return RefIn(repo, name, oid) if oid else None


def commit_of(repo: Repository, oid: str | None) -> CommitIn | None:
    commit = repo.bare.commit(oid) if oid else None
    return CommitIn(repo, commit) if commit else None


@field("Repository")
def ref(repo: Repository, view: View, qualifiedName: str) -> RefIn | None:
    name = qualifiedName if qualifiedName.startswith("refs/") else f"refs/heads/{qualifiedName}"
    return ref_of(repo, name)


@field("Repository")
def refs(repo: Repository, view: View, refPrefix: str, query: str | None = None, **page: Any) -> Any:
    for unused in ("direction", "orderBy"):
        page.pop(unused, None)
    prefix = refPrefix if refPrefix.endswith("/") else f"{refPrefix}/"
    found = [RefIn(repo, *one) for one in sorted(repo.bare.refs(prefix).items()) if (query or "") in one[0]]
    return connection("refs", found, **page)


@field("Repository")
def _object(repo: Repository, view: View, expression: str | None = None, oid: str | None = None) -> Any:
    return commit_of(repo, oid or repo.bare.find(expression or ""))


fields(
    "Ref",
    id=lambda ref, view: f"REF_{ref.repository.id}_{ref.name}",
    name=lambda ref, view: ref.name.split("/", 2)[2],
    prefix=lambda ref, view: "/".join(ref.name.split("/")[:2]) + "/",
    repository=lambda ref, view: ref.repository,
    target=lambda ref, view: commit_of(ref.repository, ref.oid),
    branchProtectionRule=lambda ref, view: None,
)
fields(
    "Commit",
    id=lambda one, view: f"C_{one.oid}",
    oid=lambda one, view: one.oid,
    abbreviatedOid=lambda one, view: one.oid[:7],
    message=lambda one, view: one.commit.message.rstrip("\n"),
    messageHeadline=lambda one, view: one.commit.message.partition("\n")[0],
    messageBody=lambda one, view: one.commit.message.partition("\n")[2].strip("\n"),
    committedDate=lambda one, view: stamp(one.commit.committer.time),
    authoredDate=lambda one, view: stamp(one.commit.author.time),
    pushedDate=lambda one, view: None,
    author=lambda one, view: _actor(one.commit.author),
    committer=lambda one, view: _actor(one.commit.committer),
    authors=lambda one, view, **page: connection("authors", [_actor(one.commit.author)], **page),
    repository=lambda one, view: one.repository,
    url=lambda one, view: f"{view.at.page(one.repository)}/commit/{one.oid}",
    parents=lambda one, view, **page: connection(
        "parents", [commit_of(one.repository, str(parent)) for parent in one.commit.parent_ids], **page
    ),
    associatedPullRequests=lambda one, view, orderBy=None, **page: connection(
        "associatedPullRequests",
        [
            pull
            for pull in one.repository.pulls()
            if pull_of(pull).head_sha == one.oid or one.oid in pull_of(pull).merged_at_head
        ],
        **page,
    ),
)


def _actor(who: Any) -> dict[str, Any]:
    return {"name": who.name, "email": who.email, "user": None, "avatarUrl": "https://example.com/avatar"}
