"""What an answer of GitHub's API means: status, headers and body in, one of six outcomes out. Pure.

gidgethub's core reads what is well formed; limits that come as 403, 429 or inside a 200 and bodies that cannot be
read are dealt with here. Statuses, headers and words:
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and …/graphql/overview/rate-limits-….
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import gidgethub
from gidgethub import sansio

from shared.forge.github.rates import HOUR, LEAST, reset_in, wished
from shared.text import printable

VERSION = "2026-03-10"  # of the API
OLDER = "2022-11-28"  # what servers of companies know that are some years old
_AGENT = "spinney"
_LINK, _ETAG = 4096, 256  # characters; usual ones have some hundred, and less than one
# GitHub's words for its limits, and the pages that its refusals point to.
_LIMIT_WORDS = ("secondary rate limit", "rate limit exceeded", "abuse detection", "exceeded a rate limit")
_LIMIT_PAGES = ("rate-limit", "abuse-rate")
_LIMIT_TYPES = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
_PASSING_TYPES = frozenset({"INTERNAL", "SERVICE_UNAVAILABLE", "TIMEOUT", "RESOURCE_LIMITS_EXCEEDED"})
_HEAVY_TYPES = frozenset({"TIMEOUT", "RESOURCE_LIMITS_EXCEEDED"})
_PASSING_WORDS = ("something went wrong", "timedout", "timed out", "timeout", "couldn't respond")


Path = tuple[str | int, ...]  # from the top of an answer down to one of its parts


@dataclass(frozen=True, slots=True)
class Data:
    """What was asked for. ``next`` is the address of the next page, ``hidden`` the paths of GraphQL's parts that are
    None because they were refused, not because there is nothing."""

    value: Any
    next: str | None = None
    etag: str = ""
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModified:
    """What was there is there still; it counts against no hourly limit."""


@dataclass(frozen=True, slots=True)
class Moved:
    url: str


@dataclass(frozen=True, slots=True)
class Limited:
    """Too much was asked; nobody may ask for ``delay`` seconds, None where GitHub does not say how long.

    ``resource`` is set where only one of the hourly limits is used up.
    """

    delay: float | None
    why: str
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """It was not done and will not be. ``codes`` say why for programs, ``hints`` for people."""

    status: int
    why: str
    codes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """No sense could be made of it, or the server is unwell: after ``delay`` seconds it may be better.

    ``heavy``: so much was asked for that less would help, and asking again would not.
    """

    why: str
    delay: float | None = None
    heavy: bool = False


Outcome = Data | NotModified | Moved | Limited | Refusal | Broken


def headers(token: str = "", *, etag: str = "", version: str = VERSION) -> dict[str, str]:
    """What is sent along with every request; names in lower case. An App's signed statement is a ``token`` too."""
    made = sansio.create_headers(_AGENT, accept="application/vnd.github+json")
    made["x-github-api-version"] = version
    if token:
        made["authorization"] = f"Bearer {token}"
    if etag:
        made["if-none-match"] = etag
    return made


def meaning(status: int, told: Mapping[str, str], body: bytes, now: float) -> Outcome:
    """``told`` are the headers, with names in lower case; ``now`` is seconds since the epoch, for want of a date."""
    if status == 304:
        return NotModified()
    if 300 <= status < 400:
        where = told.get("location", "")
        return Moved(where) if where else Broken(f"status {status} that does not say where to")
    if status >= 500:
        return Broken(_broken(status, _object(body)), wished(told, now))
    if not 200 <= status < 300:
        said = _object(body)
        return _limited(status, told, said, now) or _refused(status, told, said)
    if len(told.get("link", "")) > _LINK:
        return Broken("the answer's links to other pages are too long to be right")
    try:
        value, _, further = sansio.decipher_response(status, _readable(told), body)
    except (gidgethub.GitHubException, ValueError, LookupError, TypeError, RecursionError):
        return Broken("the answer cannot be read")
    if body.strip() and isinstance(value, str | None) and not _is_json(told):
        return Broken("the answer is not JSON")
    return Data(value, further, _etag(told))


def _etag(told: Mapping[str, str]) -> str:
    """It is sent back as it came, so that it has to be one."""
    etag = told.get("etag", "")
    return etag if etag.isascii() and etag.isprintable() and len(etag) <= _ETAG else ""


def meaning_of_graphql(
    status: int, told: Mapping[str, str], body: bytes, now: float, *, mutates: bool
) -> Outcome:
    """The ``data`` of a GraphQL answer, whose errors come with status 200."""
    outcome = meaning(status, told, body, now)
    if not isinstance(outcome, Data):
        return outcome
    answer = outcome.value
    if not isinstance(answer, dict):
        return Broken("the answer is not one of GraphQL")
    errors = [error for error in _list(answer.get("errors")) if isinstance(error, dict)]
    data = answer.get("data")
    if any(_kind(error) in _LIMIT_TYPES or _speaks_of_limits(error) for error in (*errors, answer)):
        why = _joined(errors) or _text(answer.get("message"))
        return _limited(403, told, {"message": f"rate limit exceeded: {why}"}, now) or Broken(why)
    if not isinstance(data, dict):
        return _no_data(errors) if errors else Broken("the answer has no data")
    if errors and all(part is None for part in data.values()):
        missing = {_kind(error) for error in errors} == {"NOT_FOUND"}
        return Data(data) if missing and not mutates else _no_data(errors)
    if mutates:
        return Data(data)
    if passing := [error for error in errors if _passes(error)]:
        return _no_data(passing)  # half an answer must not be taken for a whole one
    return Data(data, hidden=tuple(_path(error) for error in errors if _kind(error) != "NOT_FOUND"))


def _path(error: Mapping[str, Any]) -> Path:
    """An error without one may be about anything."""
    return tuple(part for part in _list(error.get("path")) if isinstance(part, str | int))


def _passes(error: Mapping[str, Any]) -> bool:
    kind = _kind(error)
    return kind in _PASSING_TYPES or (
        not kind and any(words in _text(error.get("message")).lower() for words in _PASSING_WORDS)
    )


def _no_data(errors: Iterable[Mapping[str, Any]]) -> Refusal | Broken:
    """An answer that is only errors."""
    errors = tuple(errors)
    why = _joined(errors)
    kinds = tuple(dict.fromkeys(kind for error in errors if (kind := _kind(error))))
    if _PASSING_TYPES & set(kinds) or (not kinds and any(words in why.lower() for words in _PASSING_WORDS)):
        return Broken(why, heavy=bool(_HEAVY_TYPES & set(kinds)))
    return Refusal(200, why or "GitHub refuses and does not say why", kinds)


def _kind(error: Mapping[str, Any]) -> str:
    """``type`` of errors at the work, ``extensions.code`` of errors in the question."""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return _text(error.get("type") or code)


def _joined(errors: Iterable[Mapping[str, Any]]) -> str:
    told = dict.fromkeys(_text(error.get("message")) for error in errors)
    return printable("; ".join(message for message in told if message), limit=500)


def _limited(status: int, told: Mapping[str, str], said: Mapping[str, Any], now: float) -> Limited | None:
    used_up = told.get("x-ratelimit-remaining", "").strip() == "0"
    if status != 429 and not (
        status == 403 and ("retry-after" in told or used_up or _speaks_of_limits(said))
    ):
        return None
    why = _text(said.get("message")) or "rate limit"
    delay = wished(told, now)
    if delay is not None:
        return Limited(delay, why)
    if used_up and (reset := reset_in(told, now)) is not None and reset > -HOUR:
        return Limited(max(reset, LEAST), why, told.get("x-ratelimit-resource", ""))
    return Limited(None, why)


def _speaks_of_limits(said: Mapping[str, Any]) -> bool:
    message, page = _text(said.get("message")).lower(), _text(said.get("documentation_url")).lower()
    return any(words in message for words in _LIMIT_WORDS) or any(part in page for part in _LIMIT_PAGES)


def _refused(status: int, told: Mapping[str, str], said: Mapping[str, Any]) -> Refusal:
    """gidgethub's core leaves out what GitHub says of each mistake, and stumbles over unusual ones."""
    given = said.get("errors")
    errors = [given] if isinstance(given, str) else _list(given)
    details = dict.fromkeys(words for error in errors if (words := _mistake(error)))
    why = ": ".join(filter(None, (_text(said.get("message")), "; ".join(details))))
    codes = (_text(error.get("code")) for error in errors if isinstance(error, dict))
    return Refusal(
        status,
        printable(why, limit=500) or f"status {status}",
        tuple(dict.fromkeys(code for code in codes if code)),
        _hints(status, told),
    )


def _mistake(error: object) -> str:
    """``field code``, or the sentence that there is for mistakes of no usual kind."""
    if not isinstance(error, dict):
        return _text(error)
    return _text(error.get("message")) or f"{_text(error.get('field'))} {_text(error.get('code'))}".strip()


def _hints(status: int, told: Mapping[str, str]) -> tuple[str, ...]:
    """What GitHub's headers say would help."""
    hints = []
    needed, scopes = (
        told.get("x-accepted-github-permissions", ""),
        _words(told.get("x-accepted-oauth-scopes")),
    )
    if status in (403, 404) and needed:
        hints.append(f"the token needs the permission {printable(needed, limit=200)}")
    elif status in (403, 404) and scopes and scopes.isdisjoint(_words(told.get("x-oauth-scopes"))):
        hints.append(f"the token needs one of the scopes {', '.join(sorted(scopes))}")
    if "required" in told.get("x-github-sso", ""):
        hints.append("the organisation wants the token authorised for its single sign-on")
    return tuple(hints)


def _words(text: str | None) -> set[str]:
    return {word.strip() for word in printable(text or "", limit=500).split(",") if word.strip()}


def _broken(status: int, said: Mapping[str, Any]) -> str:
    return _text(said.get("message")) or f"status {status}"


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _readable(told: Mapping[str, str]) -> dict[str, str]:
    """The headers that gidgethub's core may see: it stumbles over limits that are no numbers."""
    return {name: told[name] for name in ("content-type", "link") if name in told}


def _is_json(told: Mapping[str, str]) -> bool:
    return told.get("content-type", "").split(";")[0].strip().lower() == "application/json"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return printable(value, limit=500).strip() if isinstance(value, str) else ""
