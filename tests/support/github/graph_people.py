"""GraphQL: the query's own fields, people, labels and milestones."""

from __future__ import annotations

from typing import Any

from tests.support.github import searching
from tests.support.github.asking import Problem
from tests.support.github.graph_fields import GraphProblem, View, connection, field, fields
from tests.support.github.shapes import node_id
from tests.support.github.state import Repository, User, stamp

_NO_ACCESS = "Could not resolve to a Repository with the name '{name}'."


# --- query


@field("Query")
def viewer(_: None, view: View) -> User:
    return view.token.user


@field("Query")
def rate_limit(_: None, view: View, **more: Any) -> dict[str, Any]:
    one = view.github.limits.overview(view.token)["graphql"]
    return {
        "cost": 1, "limit": one["limit"], "nodeCount": 0, "remaining": one["remaining"], "used": one["used"],
        "resetAt": stamp(one["reset"]),
    }  # fmt: skip


@field("Query")
def repository(_: None, view: View, owner: str, name: str, **more: Any) -> Repository:
    found = view.github.world.repository(f"{owner}/{name}")
    if found is None and more.get("followRenames", True):
        found = view.github.world.formerly(f"{owner}/{name}")
    if found is None or not view.sees(found):
        raise GraphProblem("NOT_FOUND", _NO_ACCESS.format(name=f"{owner}/{name}"))
    return found


def _by_login(kind: str, view: View, login: str) -> User:
    user = view.github.world.user(login)
    if user is None or (kind and user.kind != kind):
        raise GraphProblem(
            "NOT_FOUND", f"Could not resolve to {kind or 'a RepositoryOwner'} with the login of '{login}'."
        )
    return user


fields(
    "Query",
    user=lambda _, view, login: _by_login("User", view, login),
    organization=lambda _, view, login: _by_login("Organization", view, login),
    repositoryOwner=lambda _, view, login: _by_login("", view, login),
    node=lambda _, view, id: by_node_id(view, id),
    nodes=lambda _, view, ids: [by_node_id(view, id) for id in ids],
)


def by_node_id(view: View, id: str) -> Any:
    kind, _, number = id.rpartition("_")
    found = view.github.world.by_id(kind, int(number)) if number.isdigit() else None
    if found is None:
        raise GraphProblem("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'")
    return found


@field("Query")
def search(_: None, view: View, query: str, type: str, **page: Any) -> dict[str, Any]:
    if not type.startswith("ISSUE"):
        raise NotImplementedError(f"the stand-in does not search for {type}")
    try:
        found = searching.search(view.github.world, query, view.token.user)
    except Problem:
        found = []  # GraphQL's search says nothing of what it does not understand
    counts = dict.fromkeys(("codeCount", "discussionCount", "repositoryCount", "userCount", "wikiCount"), 0)
    return connection("search", found[:1000], **page, issueCount=len(found), **counts)


# --- people


fields(
    "User", "Bot", "Organization",
    login=lambda user, view: user.login.removesuffix("[bot]") if user.kind == "Bot" else user.login,
    id=lambda user, view: node_id("U", user.id),
    databaseId=lambda user, view: user.id,
    name=lambda user, view: user.login.title(),
    email=lambda user, view: "",
    url=lambda user, view: f"{view.github.url}/{user.login}",
    resourcePath=lambda user, view: f"/{user.login}",
    avatarUrl=lambda user, view, **size: f"{view.github.url}/avatars/u/{user.id}",
    createdAt=lambda user, view: stamp(0),
    isViewer=lambda user, view: user is view.token.user,
)  # fmt: skip


# --- labels and milestones


fields("Label", "Milestone", createdAt=lambda one, view: stamp(getattr(one, "created", 0)))
fields(
    "Label",
    id=lambda label, view: node_id("LA", label.id),
    name=lambda label, view: label.name,
    color=lambda label, view: label.color,
    description=lambda label, view: label.description,
    isDefault=lambda label, view: False,
)
fields(
    "Milestone",
    id=lambda one, view: node_id("MI", one.id),
    number=lambda one, view: one.number,
    title=lambda one, view: one.title,
    description=lambda one, view: None,
    dueOn=lambda one, view: None,
    state=lambda one, view: one.state.upper(),
    closed=lambda one, view: one.state == "closed",
    closedAt=lambda one, view: None,
    progressPercentage=lambda one, view: 0.0,
)
