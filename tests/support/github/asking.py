"""One request and its answer, as the parts of the stand-in see them, and which part answers what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlencode

from tests.support.github.shapes import Addresses
from tests.support.github.state import Grant, Issue, Permission, Repository, Token, User, World, may

if TYPE_CHECKING:
    from tests.support.github.standin import GitHub

T = TypeVar("T")
DOCS = "https://docs.github.com/rest"


@dataclass(slots=True)
class Answer:
    data: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # instead of data

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.status in (204, 304) else json.dumps(self.data, separators=(",", ":")).encode()


class Problem(Exception):
    """An answer that says no."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Any] = (),
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        data = {"message": message, "documentation_url": DOCS, "status": str(status), **more}
        self.answer = Answer(
            {**data, "errors": list(errors)} if errors else data, status, dict(headers or {})
        )


def not_found() -> Problem:
    return Problem(404, "Not Found")


def invalid(resource: str, field: str = "", code: str = "invalid", message: str = "") -> Problem:
    """422, in GitHub's words."""
    error = {"resource": resource, "code": code, **({"field": field} if field else {})}
    return Problem(422, "Validation Failed", [{**error, "message": message} if message else error])


@dataclass(slots=True)
class Asked:
    """A request that has found its part; ``repository`` and ``issue`` where the path names one."""

    github: GitHub
    method: str
    path: str
    template: str
    params: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    token: Token | None
    base: str  # address of the API that was asked
    repo: Repository = None  # type: ignore[assignment]

    @property
    def user(self) -> User:
        if self.token is None:
            raise Problem(401, "Requires authentication")
        return self.token.user

    @property
    def at(self) -> Addresses:
        return Addresses(self.base, self.github.url)

    @property
    def now(self) -> float:
        return self.github.clock.now()

    @property
    def world(self) -> World:
        return self.github.world

    @property
    def version(self) -> str:
        return self.headers.get("x-github-api-version", "2022-11-28")

    def demand(self, wanted: Permission) -> None:
        """Refused where the person has less than ``wanted`` in the repository."""
        if not may(self.repo.permission(self.user), wanted):
            raise Problem(403, "Must have admin rights to Repository." if wanted == "admin" else "Forbidden")

    def number(self, name: str) -> int:
        try:
            return int(self.params[name])
        except ValueError:
            raise not_found() from None

    def issue(self) -> Issue:
        """The issue of the path; one that was moved or deleted says so."""
        issue = self.repo.issues.get(self.number("issue_number"))
        if issue is None:
            raise not_found()
        if issue.deleted:
            raise Problem(410, "This issue was deleted")
        if issue.moved_to is not None:
            to = issue.moved_to
            address = f"{self.base}/repositories/{to.repository.id}/issues/{to.number}"
            raise moved(address, self.method)
        return issue

    def pull(self) -> Issue:
        issue = self.repo.issues.get(self.number("pull_number"))
        if issue is None or issue.pull is None or not issue.there:
            raise not_found()
        return issue

    def page(self, items: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
        """The part that was asked for, and the header that leads to the others."""
        size = min(100, max(1, _int(self.query.get("per_page"), 30)))
        page = max(1, _int(self.query.get("page"), 1))
        last = max(1, -(-len(items) // size))
        wanted = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        if page >= last:
            del wanted["next"], wanted["last"]
        if page == 1:
            del wanted["prev"], wanted["first"]
        links = [f'<{self._address(number)}>; rel="{rel}"' for rel, number in wanted.items()]
        headers = {"Link": ", ".join(links)} if links else {}
        return items[(page - 1) * size : page * size], headers

    def _address(self, page: int) -> str:
        path = self.path
        if self.repo is not None:  # GitHub's own links go by the id
            path = re.sub(r"^/repos/[^/]+/[^/]+", f"/repositories/{self.repo.id}", path)
        return f"{self.base}{path}?{urlencode({**self.query, 'page': page})}"


def moved(address: str, method: str) -> Problem:
    """GitHub's answer where something has another address now."""
    status, message = (301, "Moved Permanently") if method == "GET" else (307, "Temporary Redirect")
    return Problem(status, message, headers={"Location": address}, url=address)


def _int(text: str | None, otherwise: int) -> int:
    try:
        return int(text) if text else otherwise
    except ValueError:
        return otherwise


Handler = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str  # as the published description spells it
    handler: Handler
    needs: tuple[tuple[str, Grant], ...]  # any of these permissions of the token
    pattern: re.Pattern[str]
    limit: str  # the resource whose primary limit it counts against
    creates: bool  # content, of which there is a limit of its own


ROUTES: list[Route] = []
_GREEDY = {"ref", "branch", "basehead", "path"}


def route(
    method: str, template: str, *needs: str, limit: str = "core", creates: bool = False
) -> Callable[[Handler], Handler]:
    """``needs``: permissions such as ``issues=write``, of which one is enough."""

    def add(handler: Handler) -> Handler:
        wanted = tuple(tuple(need.split("=")) for need in needs)
        ROUTES.append(Route(method, template, handler, wanted, _pattern(template), limit, creates))  # type: ignore[arg-type]
        return handler

    return add


def _pattern(template: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"(?P<{name}>{'.+' if name in _GREEDY else '[^/]+'})"

    escaped = re.sub(r"\\([{}])", r"\1", re.escape(template))
    return re.compile(re.sub(r"{(\w+)}", part, escaped))


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The most literal one that fits."""
    fits = [(r, m) for r in ROUTES if r.method == method and (m := r.pattern.fullmatch(path))]
    if not fits:
        return None
    found, match = min(fits, key=lambda one: (one[0].template.count("{"), -len(one[0].template)))
    return found, {name: unquote(value) for name, value in match.groupdict().items()}
