"""What an answer of the Messages API means: status, headers and body in, one of six outcomes out. Pure.

Waiting times are durations, so that a clock that jumps neither shortens nor lengthens them. Statuses, types of
errors and headers: https://platform.claude.com/docs/en/api/errors and …/api/rate-limits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_LEAST = 1.0  # seconds: a server that says "now" while it refuses means "soon"
_UNREADABLE = 60.0  # seconds to wait where the server's wish cannot be read: its limits are per minute
LONGEST = 40 * 86_400.0  # seconds; limits start anew every month, so whoever asks for more does not mean it
# What the API answers where an account's money, not its speed, is the limit.
_SPEND_CODES = frozenset({"enforced_spend_limit_reached"})
_SPEND_TYPES = frozenset({"billing_error"})
_SPEND_WORDS = ("api usage limits", "credit balance is too low")


@dataclass(frozen=True, slots=True)
class Answered:
    """What was asked for."""


@dataclass(frozen=True, slots=True)
class Transient:
    """It may go well another time: at the earliest after ``delay`` seconds, where the server said so."""

    reason: str
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Limited:
    """Too much was asked in too short a time; nobody may ask for ``delay`` seconds."""

    delay: float
    reason: str = "rate limit"


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """The account may not spend more; asking again changes nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadKey:
    """The key is not good, or not for this; asking again changes nothing.

    ``sure`` where it is good for nothing: otherwise another request, by another agent, may be allowed (``Rights``).
    """

    reason: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class ClientFault:
    """This request is wrong; others may be right."""

    reason: str


Outcome = Answered | Transient | Limited | SpendLimit | BadKey | ClientFault


def meaning(status: int, headers: Mapping[str, str], body: bytes, now: float, asked: bytes = b"") -> Outcome:
    """``headers`` have names in lower case; ``now`` is seconds since the epoch, for servers that tell no date.

    ``asked`` is the request's body: complaints about it may repeat it, and an agent must not put words about
    the account into the server's mouth.
    """
    if 200 <= status < 300:
        return Answered()
    error = _error(body)
    reason = str(error.get("message") or "").strip()[:500] or f"status {status}"
    if _is_spend_limit(status, error, asked):
        return SpendLimit(reason)
    if status == 429:
        return _limited(headers, reason, now)
    if status in (401, 403):
        return BadKey(reason, sure=status == 401)
    if _is_transient(status, headers):
        return _transient(headers, reason, now)
    if 300 <= status < 400:
        return ClientFault("the server redirects to another address; the key does not go there")
    return ClientFault(reason)


def error_event(kind: str, message: str) -> Outcome:
    """What an error at the beginning of a stream means, whose status said that all was well."""
    if kind in _SPEND_TYPES:
        return SpendLimit(message)
    if kind in ("authentication_error", "permission_error"):
        return BadKey(message, sure=kind == "authentication_error")
    if kind in ("overloaded_error", "api_error", "timeout_error", "rate_limit_error"):
        return Transient(message or kind)
    return ClientFault(message or kind)


def _limited(headers: Mapping[str, str], reason: str, now: float) -> Outcome:
    """A limit of speed says when it ends; one that does not is a limit of money."""
    delay = retry_after(headers, now)
    if delay is None:
        delay = max(
            (rate.reset for rate in rates(headers, now).values() if rate.remaining == 0), default=None
        )
    if delay is None:
        return SpendLimit(reason)
    if delay > LONGEST:
        return SpendLimit(f"{reason} (it asks to wait for {delay / 86_400:.0f} days)")
    return Limited(max(delay, _LEAST), f"rate limit: {reason}")


def _transient(headers: Mapping[str, str], reason: str, now: float) -> Outcome:
    delay = retry_after(headers, now)
    if delay is not None and delay > LONGEST:
        return ClientFault(f"{reason} (it asks to wait for {delay / 86_400:.0f} days)")
    return Transient(reason, None if delay is None else max(delay, _LEAST))


def _is_transient(status: int, headers: Mapping[str, str]) -> bool:
    wish = headers.get("x-should-retry", "")
    return wish == "true" or (wish != "false" and (status in (408, 409) or status >= 500))


def _is_spend_limit(status: int, error: Mapping[str, Any], asked: bytes) -> bool:
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    message, said = str(error.get("message") or "").lower(), asked.decode(errors="replace").lower()
    return (
        status == 402
        or error.get("type") in _SPEND_TYPES
        or code in _SPEND_CODES
        or (status == 400 and any(words in message and words not in said for words in _SPEND_WORDS))
    )


def _error(body: bytes) -> Mapping[str, Any]:
    """The error in an answer's body; empty where there is none that can be read."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait, at least 0; None where it asks for nothing."""
    if "retry-after-ms" in headers and (exact := _number(headers["retry-after-ms"])) is not None:
        return max(exact / 1000, 0.0)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text, headers, now)
    return _UNREADABLE if seconds is None else max(seconds, 0.0)


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of one limit is left."""

    remaining: int
    reset: float  # seconds from now until all of it is there again
    limit: int = 0  # all of it; 0 where the server does not say


KINDS = ("requests", "tokens", "input-tokens", "output-tokens")


def rates(headers: Mapping[str, str], now: float) -> dict[str, Rate]:
    """What the server says is left of each of its limits; one that cannot be read is left out."""
    found = {}
    for kind in KINDS:
        remaining = _number(headers.get(f"anthropic-ratelimit-{kind}-remaining", ""))
        reset = _until(headers.get(f"anthropic-ratelimit-{kind}-reset", ""), headers, now)
        if remaining is not None and reset is not None and reset <= LONGEST:
            limit = _number(headers.get(f"anthropic-ratelimit-{kind}-limit", "")) or 0
            found[kind] = Rate(max(int(remaining), 0), max(reset, 0.0), max(int(limit), 0))
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(text: str, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the date in ``text``, by the server's own clock where it tells the time."""
    date = _date(text)
    if date is None:
        return None
    told = _date(headers.get("date", ""))
    return date - (now if told is None else told)


def _date(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date or one of RFC 3339."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
