"""Whether to try again is decided here, purely; tenacity carries out the single calls. Never one inside another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random_exponential,
)

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


class TryAgain(Exception):
    """What was tried may go well another time; not before ``delay`` seconds, where somebody said so."""

    def __init__(self, reason: str, delay: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.delay = reason, delay


@dataclass(frozen=True, slots=True)
class Policy:
    """How often something is tried in all, and the seconds before the second try and at most before any."""

    tries: int
    first: float
    longest: float

    def waiting(self, state: RetryCallState) -> float:
        """Random, longer each time, and never shorter than what ``TryAgain`` asks for."""
        error = state.outcome.exception() if state.outcome else None
        told = (error.delay if isinstance(error, TryAgain) else None) or 0.0
        # Three quarters of it are sure: no try follows at once, and each wait is longer by half at least than the
        # one before, up to the longest.
        sure = wait_exponential(multiplier=self.first * 0.75, max=self.longest * 0.75)
        by_chance = wait_random_exponential(multiplier=self.first / 4, max=self.longest / 4)
        return told + sure(state) + by_chance(state)

    def options(self, error: type[BaseException]) -> dict[str, Any]:
        return {
            "retry": retry_if_exception_type(error),
            "wait": self.waiting,
            "stop": stop_after_attempt(self.tries),
            "reraise": True,
        }


POLICIES: Mapping[str, Policy] = {
    # One question to a model, before any of the answer was passed on. Only the gateway does this: pauses and
    # outages are not counted, it waits for their end.
    "model": Policy(tries=6, first=0.5, longest=20.0),
    # One step of a model loop, whose answer broke off after it had begun. Only the loop does this.
    "model-step": Policy(tries=3, first=0.5, longest=10.0),
    # One question to GitHub, or a change that surely was not made. Only its client does this: waits for limits are
    # not counted.
    "github": Policy(tries=5, first=1.0, longest=20.0),
    # One command of git to the remote, which did nothing there. Only ``Remote`` does this.
    "git": Policy(tries=3, first=0.7, longest=5.0),
}


def trying(name: str, error: type[BaseException] = TryAgain) -> Retrying:
    """By the policy ``name``, after each ``error``; the last one is raised."""
    return Retrying(**POLICIES[name].options(error))


def trying_async(policy: Policy, error: type[BaseException] = TryAgain) -> AsyncRetrying:
    """The same in a loop of events."""
    return AsyncRetrying(**policy.options(error))
