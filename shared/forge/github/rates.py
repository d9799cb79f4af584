"""What the headers of GitHub's answers say of time and of limits. Pure.

Waiting times are durations by the server's own clock, so that clocks that differ neither shorten nor lengthen them;
what makes no sense says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

LEAST = 1.0  # seconds: a server that says "now" while it refuses means "soon"
HOUR = 3600.0  # seconds; the longest of GitHub's limits


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of one of the hourly limits is left."""

    resource: str  # core, graphql, search
    remaining: int
    reset: float  # seconds from now until all of it is there again
    limit: int = 0


def rate(told: Mapping[str, str], now: float, resource: str = "core") -> Rate | None:
    """What the headers say is left of the hourly limit that was used; None where they say nothing of sense.

    ``resource`` is the one that was asked for, where an older server does not name it.
    """
    remaining, limit = _number(told.get("x-ratelimit-remaining")), _number(told.get("x-ratelimit-limit"))
    reset = reset_in(told, now)
    if remaining is None or reset is None or not 0 <= reset <= 2 * HOUR or not 0 <= remaining < 1e9:
        return None
    return Rate(
        told.get("x-ratelimit-resource", resource),
        int(remaining),
        reset,
        int(limit) if limit and 0 < limit < 1e9 else 0,
    )


def server_time(told: Mapping[str, str]) -> float | None:
    """Seconds since the epoch by the server's clock, which shows whole ones."""
    return _date(told.get("date", ""))


def wished(told: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait; None where it asks for nothing that can be understood."""
    text = told.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return max(seconds, LEAST) if seconds >= 0 else None
    date = _date(text)
    seconds = -math.inf if date is None else date - _now(told, now)
    return max(seconds, LEAST) if seconds > -HOUR else None


def reset_in(told: Mapping[str, str], now: float) -> float | None:
    at = _number(told.get("x-ratelimit-reset"))
    return None if at is None else at - _now(told, now)


def _now(told: Mapping[str, str], now: float) -> float:
    """By the server's clock where it tells the time. It is cut to a second, so that a wait is never too short."""
    date = server_time(told)
    return now if date is None else date


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
