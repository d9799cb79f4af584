"""How the fields of GraphQL's types are found; ``graph_people``, ``graph_issues`` and others say what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pygit2

from tests.support.github.shapes import Addresses
from tests.support.github.state import Check, Issue, Label, Milestone, Repository, Status, Token, User, may

if TYPE_CHECKING:
    from tests.support.github.standin import GitHub

Resolver = Callable[..., Any]
FIELDS: dict[tuple[str, str], Resolver] = {}


class GraphProblem(Exception):
    """An error in an answer, with GitHub's word for its kind."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(slots=True)
class View:
    """Who looks, and where addresses lead."""

    github: GitHub
    token: Token
    base: str

    @property
    def at(self) -> Addresses:
        return Addresses(self.base, self.github.url)

    @property
    def now(self) -> float:
        return self.github.clock.now()

    def sees(self, repository: Repository) -> bool:
        return self.token.installation or may(repository.permission(self.token.user), "read")


@dataclass(frozen=True, slots=True)
class CommitIn:
    """A commit, and the repository it is looked at in."""

    repository: Repository
    commit: pygit2.Commit

    @property
    def oid(self) -> str:
        return str(self.commit.id)


@dataclass(frozen=True, slots=True)
class RefIn:
    repository: Repository
    name: str  # in full
    oid: str


def fields(*kinds: str, **resolvers: Resolver) -> None:
    """Each takes the object, the view, and the field's arguments by name."""
    for kind in kinds:
        for name, resolver in resolvers.items():
            FIELDS[kind, name] = resolver


def field(*kinds: str) -> Callable[[Resolver], Resolver]:
    """The function's name is the field's, in camel case."""

    def add(resolver: Resolver) -> Resolver:
        first, *others = resolver.__name__.strip("_").split("_")
        fields(*kinds, **{first + "".join(one.title() for one in others): resolver})
        return resolver

    return add


def resolve(source: Any, info: Any, **arguments: Any) -> Any:
    kind, name = info.parent_type.name, info.field_name
    resolver = FIELDS.get((kind, name))
    if resolver is not None:
        return resolver(source, info.context, **arguments)
    if isinstance(source, Mapping) and name in source:
        if isinstance(source[name], Exception):
            raise source[name]
        return source[name]
    raise NotImplementedError(f"the stand-in has no {kind}.{name}")


def resolve_type(value: Any, info: Any, kind: Any) -> str:
    match value:
        case User():
            return value.kind
        case Issue():
            return "PullRequest" if value.pull else "Issue"
        case Check():
            return "CheckRun"
        case Status():
            return "StatusContext"
        case CommitIn():
            return "Commit"
        case RefIn():
            return "Ref"
        case Repository():
            return "Repository"
        case Label():
            return "Label"
        case Milestone():
            return "Milestone"
        case Mapping():
            return str(value["__typename"])
    raise NotImplementedError(f"the stand-in has no type for {value!r}")


def connection(
    name: str, items: Sequence[Any], first: int | None = None, last: int | None = None, after: str | None = None,
    before: str | None = None, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A page of ``items``; ``more`` are arguments that make no difference here, or fields besides."""
    if first is None and last is None:
        message = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        problem = GraphProblem(
            "MISSING_PAGINATION_BOUNDARIES", message
        )  # where more than the count is asked for
        return {"nodes": problem, "edges": problem, "pageInfo": problem, "totalCount": len(items), **more}
    for word, size in (("first", first), ("last", last)):
        if size is not None and size > 100:
            message = f"Requesting {size} records on the `{name}` connection exceeds the `{word}` limit of 100 records."
            raise GraphProblem("EXCESSIVE_PAGINATION", message)
    start, end = _place(after) if after else 0, _place(before) - 1 if before else len(items)
    if first is not None:
        end = min(end, start + first)
    elif last is not None:
        start = max(start, end - last)
    page = list(items[start:end])
    edges = [{"cursor": _cursor(start + n + 1), "node": item} for n, item in enumerate(page)]
    info = {
        "hasNextPage": end < len(items), "hasPreviousPage": start > 0,
        "startCursor": edges[0]["cursor"] if edges else None, "endCursor": edges[-1]["cursor"] if edges else None,
    }  # fmt: skip
    return {"nodes": page, "edges": edges, "pageInfo": info, "totalCount": len(items), **more}


def _cursor(place: int) -> str:
    return f"Y3Vyc29y{place:06d}"


def _place(cursor: str) -> int:
    if not cursor.startswith("Y3Vyc29y"):
        raise GraphProblem("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.")
    return int(cursor.removeprefix("Y3Vyc29y"))
