"""GitHub's rate limits, as its documentation counts them, against the stand-in's clock.

Primary: requests an hour for each token and resource. Secondary: points a minute (900 for REST, 2,000 for GraphQL; a
write is five, a question one), 80 pieces of content a minute and 500 an hour, 100 requests at once.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from shared.clock import Clock
from tests.support.github.asking import Problem
from tests.support.github.state import Token

_SECONDARY = (
    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)
_EXCEEDED = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID {id}."
)
_BLOCKED = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
    "Please retry your request again later. If you reach out to GitHub Support for help, please include the request ID {id}."
)
_HOURLY = {"core": 5000, "graphql": 5000, "search": 30}


@dataclass(slots=True)
class _Window:
    """How much happened in the last ``seconds``."""

    seconds: float
    most: float
    taken: deque[tuple[float, float]] = field(default_factory=deque)
    sum: float = 0.0

    def over(self, now: float, more: float) -> bool:
        while self.taken and self.taken[0][0] <= now - self.seconds:
            self.sum -= self.taken.popleft()[1]
        return self.sum + more > self.most

    def take(self, now: float, more: float) -> None:
        self.taken.append((now, more))
        self.sum += more


@dataclass(slots=True)
class _Primary:
    limit: int
    reset: float  # seconds since the epoch
    used: int = 0


@dataclass(slots=True)
class _Account:
    """What one token has used."""

    primary: dict[str, _Primary] = field(default_factory=dict)
    points: dict[str, _Window] = field(default_factory=dict)
    minute: _Window = field(default_factory=lambda: _Window(60, 80))
    hour: _Window = field(default_factory=lambda: _Window(3600, 500))
    open: int = 0


class Limits:
    """``refusals`` says which limit each refused request had reached. ``enforced`` False only counts."""

    def __init__(self, clock: Clock) -> None:
        self.enforced = True
        self.at_once = 100
        self.refusals: list[str] = []
        self.most_at_once = 0
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    def use_clock(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts.clear()

    def enter(self, token: Token | None, resource: str, write: bool, creates: bool, request_id: str) -> None:
        """Raises Problem where a limit is reached; otherwise ``leave`` must follow."""
        account, now = self._account(token), self._clock.now()
        primary = self._primary(account, token, resource)
        points = account.points.setdefault(resource, _Window(60, 2000 if resource == "graphql" else 900))
        cost = 5 if write else 1
        if primary is not None and primary.used >= primary.limit:
            self._refuse(f"primary limit of {resource}", _primary_problem(token, resource))
        for name, reached, words in (
            ("100 at once", account.open >= self.at_once, _EXCEEDED),
            ("points a minute", points.over(now, cost), _EXCEEDED),
            ("creations a minute", creates and account.minute.over(now, 1), _BLOCKED),
            ("creations an hour", creates and account.hour.over(now, 1), _BLOCKED),
        ):
            if reached:
                problem = Problem(403, words.format(id=request_id), headers={"Retry-After": "60"})
                problem.answer.data["documentation_url"] = _SECONDARY
                self._refuse(name, problem)
        points.take(now, cost)
        if creates:
            account.minute.take(now, 1)
            account.hour.take(now, 1)
        account.open += 1
        self.most_at_once = max(self.most_at_once, account.open)

    def _refuse(self, name: str, problem: Problem) -> None:
        self.refusals.append(name)
        if self.enforced:
            raise problem

    def leave(self, token: Token | None, resource: str, cost: int) -> None:
        """``cost`` 0 for what does not count, such as an answer that says that nothing has changed."""
        account = self._account(token)
        account.open -= 1
        if primary := self._primary(account, token, resource):
            primary.used += cost

    def use_up(self, token: Token | None, resource: str, left: int = 0) -> None:
        """Leave so much of the primary limit."""
        primary = self._primary(self._account(token), token, resource)
        assert primary is not None
        primary.used = primary.limit - left

    def headers(self, token: Token | None, resource: str) -> dict[str, str]:
        primary = self._primary(self._account(token), token, resource)
        if primary is None:
            return {}
        return {
            "X-RateLimit-Limit": str(primary.limit),
            "X-RateLimit-Remaining": str(max(0, primary.limit - primary.used)),
            "X-RateLimit-Used": str(primary.used),
            "X-RateLimit-Reset": str(math.ceil(primary.reset)),
            "X-RateLimit-Resource": resource,
        }

    def overview(self, token: Token | None) -> dict[str, Any]:
        account = self._account(token)
        found = {}
        for resource in _HOURLY:
            one = self._primary(account, token, resource)
            assert one is not None
            left = max(0, one.limit - one.used)
            found[resource] = {
                "limit": one.limit,
                "used": one.used,
                "remaining": left,
                "reset": math.ceil(one.reset),
            }
        return found

    def _account(self, token: Token | None) -> _Account:
        return self._accounts.setdefault(token.value if token else "", _Account())

    def _primary(self, account: _Account, token: Token | None, resource: str) -> _Primary | None:
        if resource not in _HOURLY:
            return None
        now = self._clock.now()
        found = account.primary.get(resource)
        if found is None or found.reset <= now:
            limit = _HOURLY[resource] if resource == "search" else token.hourly if token else 60
            found = _Primary(limit, now + (60 if resource == "search" else 3600))
            account.primary[resource] = found
        return found


def _primary_problem(token: Token | None, resource: str) -> Problem:
    who = f"user ID {token.user.id}" if token and not token.installation else "installation ID 1"
    problem = Problem(403, f"API rate limit exceeded for {who}.")
    if resource == "graphql":  # says so with status 200
        problem.answer.status = 200
        problem.answer.data = {
            "errors": [{"type": "RATE_LIMITED", "message": f"API rate limit exceeded for {who}."}]
        }
    return problem
