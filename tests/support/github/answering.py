"""From a request to its answer: who asks, what it may, what it asks for, and whether both are as described."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tests.support.github import description, rest_git, rest_issues, rest_meta, rest_pulls  # noqa: F401 routes
from tests.support.github.asking import Answer, Asked, Problem, Route, find_route, moved, not_found
from tests.support.github.calls import Call
from tests.support.github.settling import settle
from tests.support.github.state import Repository, Token, may

if TYPE_CHECKING:
    from tests.support.github.standin import GitHub

VERSIONS = ("2022-11-28", "2026-03-10")
_RENAMED = re.compile(r"/repositories/(\d+)(/.*|)")
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)(/.*|)")


@dataclass(slots=True)
class Request:
    """What came over the network."""

    method: str
    path: str  # below the API's base
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    base: str
    id: str


@dataclass(slots=True)
class Admitted:
    """A request that may be answered, once ``Limits.leave`` is sure to follow."""

    request: Request
    token: Token | None
    route: Route
    params: dict[str, str]
    path: str
    call: Call


def authenticate(github: GitHub, header: str) -> Token | None:
    """Raises Problem where a credential is there and is no good."""
    scheme, _, value = header.partition(" ")
    if not header:
        return None
    value = value.strip()
    token = github.world.tokens.get(value)
    if scheme.lower() in ("bearer", "token") and value.count(".") == 2:
        return github.app_token(value)
    if token is None or (token.expires is not None and token.expires <= github.clock.now()):
        raise Problem(401, "Bad credentials")
    return token


def admit(github: GitHub, request: Request, call: Call) -> Admitted:
    """Raises Problem where the request is refused before it is looked at."""
    if not request.headers.get("user-agent"):
        github.violated("a request without User-Agent")
        raise Problem(403, "Request forbidden by administrative rules.")
    version = request.headers.get("x-github-api-version", VERSIONS[0])
    if version not in github.versions:
        raise Problem(400, f"API version {version} is not supported")
    token = authenticate(github, request.headers.get("authorization", ""))
    call.user = token.user.login if token else ""
    path = request.path
    if match := _RENAMED.fullmatch(path):
        repository = github.world.repositories.get(int(match[1]))
        if repository is None:
            raise not_found()
        path = f"/repos/{repository.full_name}{match[2]}"
    found = find_route(request.method, path)
    if found is None:
        github.violated(f"{request.method} {request.path} is not served by the stand-in")
        raise not_found()
    route, params = found
    call.template = route.template
    write = request.method not in ("GET", "HEAD")
    try:
        github.limits.enter(token, route.limit, write, route.creates, request.id)
    except Problem as problem:
        problem.answer.headers |= github.limits.headers(token, route.limit)
        raise
    return Admitted(request, token, route, params, path, call)


def answer(github: GitHub, admitted: Admitted) -> Answer:
    """The state is changed in here, and only in here."""
    request, route = admitted.request, admitted.route
    try:
        body = _json(request)
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        problems = description.request_problems(request.method, route.template, query, body)
        for problem in problems:
            github.violated(problem)
        admitted.call.body = body
        asked = Asked(
            github, request.method, admitted.path, route.template, admitted.params, query, request.headers, body,
            admitted.token, request.base,
        )  # fmt: skip
        if "owner" in admitted.params:
            asked.repo = _repository(github, admitted)
        _permitted(admitted, asked)
        if problems:
            raise Problem(422, f"Invalid request.\n\n{problems[0]}")
        made = route.handler(asked)
    except Problem as problem:
        made = problem.answer
    for mistake in description.answer_problems(request.method, route.template, made.status, made.data):
        github.violated(f"the stand-in's own answer: {mistake}")
    return _conditional(request, made)


def _json(request: Request) -> Any:
    if not request.body:
        return None
    try:
        body = json.loads(request.body)
        json.dumps(body, ensure_ascii=False).encode()  # surrogates by themselves are no text
    except ValueError:
        raise Problem(400, "Problems parsing JSON") from None
    return body


def _repository(github: GitHub, admitted: Admitted) -> Repository:
    """The repository of the path, as it is now; one that was renamed says so, one that is hidden is not there."""
    name = f"{admitted.params['owner']}/{admitted.params['repo']}"
    user = admitted.token.user if admitted.token else None
    repository = github.world.repository(name)
    if repository is None:
        former = github.world.formerly(name)
        if former is None or not may(former.permission(user), "read"):
            raise not_found()
        match = _REPOSITORY.fullmatch(admitted.path)
        assert match is not None
        query = f"?{admitted.request.query}" if admitted.request.query else ""
        address = f"{admitted.request.base}/repositories/{former.id}{match[2]}{query}"
        raise moved(address, admitted.request.method)
    if not may(repository.permission(user), "read") and not (admitted.token and admitted.token.installation):
        raise not_found()
    settle(repository, github.clock.now())
    return repository


def _permitted(admitted: Admitted, asked: Asked) -> None:
    needs, token = admitted.route.needs, admitted.token
    write = asked.method not in ("GET", "HEAD")
    if token is None:
        if write or admitted.route.template == "/user":
            raise Problem(401, "Requires authentication")
        return
    if needs and not any(token.may(name, grant) for name, grant in needs):
        who = "integration" if token.installation else "personal access token"
        raise Problem(403, f"Resource not accessible by {who}")


def accepted(route: Route) -> dict[str, str]:
    """Which permissions would have been enough."""
    needs = "; ".join(f"{name}={grant}" for name, grant in route.needs)
    return {"X-Accepted-GitHub-Permissions": needs or "allows_permissionless_access=true"}


def _conditional(request: Request, made: Answer) -> Answer:
    """Marked with its digest; nothing but that where the client has it already."""
    if request.method != "GET" or made.status != 200:
        return made
    body = made.body()
    etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
    made.headers["ETag"] = etag
    made.headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
    wanted = request.headers.get("if-none-match", "")
    if etag.removeprefix("W/") in wanted:
        return Answer(status=304, headers=made.headers)
    made.raw = body
    return made
