"""Whether to try again is decided here, purely; tenacity carries out the single calls. Never one inside another."""

from __future__ import annotations

from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from shared.errors import GitError


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, with this number."""

    attempt: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


def decide(attempt: int, retries: int, reason: str) -> RetryAt | GiveUp:
    """What follows the failure of try number ``attempt`` (from 1) when ``retries`` more are allowed."""
    if attempt <= retries:
        return RetryAt(attempt + 1)
    tries = f" (tried {attempt} times)" if attempt > 1 else ""
    return GiveUp(reason + tries)


class LockHeld(GitError):
    """Another git process holds the lock of a ref; it lets go in a moment."""


def while_locked() -> Retrying:
    """For one ref update: the user's own git may hold the ref's lock for some milliseconds."""
    return Retrying(
        retry=retry_if_exception_type(LockHeld),
        wait=wait_random_exponential(multiplier=0.01, max=0.5),
        stop=stop_after_delay(5.0),
        reraise=True,
    )
