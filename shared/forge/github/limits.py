"""How fast everything in a run together may ask GitHub: one limiter for all of it. Pure.

Limits as documented in https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: 100 requests at
once, points a minute (900 for REST, 2,000 for GraphQL; a question 1, a change 5), 80 creations a minute and 500 an
hour, and hourly ones of which every answer says what is left. GitHub counts a request when it arrives, which is some
time between our sending it and its answer: until then it counts as under way, and from then on for the whole window.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal

from shared.forge.github.rates import Rate

MINUTE, HOUR = 60.0, 3600.0  # seconds
_MARGIN = 0.5  # seconds, for what is counted a little later than it is answered
_FIRST_PAUSE = 60.0  # seconds, where GitHub does not say how long; each further one is twice as long
Resource = Literal["core", "graphql", "search"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may be sent."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Not before ``at``, seconds on the limiter's clock; infinite where only another request's end can help."""

    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What a request uses of the limits."""

    resource: Resource = "core"
    points: int = 1
    creates: bool = False  # content that others are told of

    @classmethod
    def of(cls, method: str, path: str, *, creates: bool = False) -> Kind:
        reads = method in ("GET", "HEAD", "OPTIONS")
        return cls("search" if path.startswith("/search/") else "core", 1 if reads else 5, creates)

    @classmethod
    def of_graphql(cls, *, mutates: bool, creates: bool = False) -> Kind:
        return cls("graphql", 5 if mutates else 1, creates)


class _Window:
    """At most ``limit`` in any stretch of ``seconds``."""

    def __init__(self, limit: int, seconds: float, what: str) -> None:
        self.limit, self.what = limit, what
        self._seconds = seconds
        self._under_way = 0
        self._ended: deque[tuple[float, int]] = deque()
        self._sum = 0  # of what has ended and still counts

    def free_at(self, now: float, amount: int) -> float:
        while self._ended and self._ended[0][0] + self._seconds <= now:
            self._sum -= self._ended.popleft()[1]
        excess = self._under_way + self._sum + amount - self.limit
        if excess <= 0:
            return now
        for ended, taken in self._ended:
            excess -= taken
            if excess <= 0:
                return ended + self._seconds
        return math.inf

    def take(self, amount: int) -> None:
        self._under_way += amount

    def settle(self, now: float, amount: int) -> None:
        self._under_way -= amount
        self._ended.append((now, amount))
        self._sum += amount


@dataclass(slots=True)
class _Left:
    """What GitHub said is left of an hourly limit, less what was sent since."""

    remaining: int
    reset: float


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A request that was let through and has not ended."""

    kind: Kind
    at: float


@dataclass(slots=True)
class _Pause:
    began: float = -math.inf
    until: float = -math.inf
    why: str = ""
    next: float = _FIRST_PAUSE  # seconds, of one whose length GitHub leaves to us


class Limiter:
    """``look`` says whether a request may be sent, ``take`` that it is, ``settle`` that it has ended.

    ``learn`` takes in what an answer says is left, ``pause`` that GitHub refused. Nothing here waits, and nothing
    here is safe for several threads.
    """

    def __init__(
        self,
        *,
        at_once: int = 100,
        points: int = 900,
        graphql_points: int = 2000,
        creations: int = 80,
        creations_an_hour: int = 500,
        searches: int = 30,
        margin: float = _MARGIN,
    ) -> None:
        minute, hour = MINUTE + margin, HOUR + margin
        self._at_once = at_once
        self._open: Counter[str] = Counter()  # by resource
        self._points = _Window(points, minute, f"{points} points a minute")
        self._graphql = _Window(graphql_points, minute, f"{graphql_points} points of GraphQL a minute")
        self._searches = _Window(searches, minute, f"{searches} searches a minute")
        self._creations = (
            _Window(creations, minute, f"{creations} creations a minute"),
            _Window(creations_an_hour, hour, f"{creations_an_hour} creations an hour"),
        )
        self._left: dict[str, _Left] = {}
        self._pause = _Pause()

    def look(self, now: float, kind: Kind) -> Admitted | WaitUntil:
        waits = [(self._pause.until, self._pause.why), self._told(now, kind)]
        waits += [(window.free_at(now, amount), window.what) for window, amount in self._windows(kind)]
        if self._open.total() >= self._at_once:
            waits.append((math.inf, f"{self._at_once} requests at once"))
        at, why = max(waits)
        return WaitUntil(at, why) if at > now else Admitted()

    def take(self, now: float, kind: Kind) -> Sent:
        for window, amount in self._windows(kind):
            window.take(amount)
        self._open[kind.resource] += 1
        return Sent(kind, now)

    def settle(self, now: float, sent: Sent) -> None:
        """Its answer is there, or it is sure that there will be none."""
        for window, amount in self._windows(sent.kind):
            window.settle(now, amount)
        self._open[sent.kind.resource] -= 1

    def learn(self, now: float, rate: Rate) -> None:
        """Answers come in any order, so within an hour the least that was told holds."""
        left, reset = self._left.get(rate.resource), now + rate.reset
        if left is None or left.reset <= now or reset > left.reset + MINUTE:
            self._left[rate.resource] = _Left(rate.remaining, reset)
        else:
            left.remaining = min(left.remaining, rate.remaining)
            left.reset = max(left.reset, reset)

    def pause(self, now: float, sent: Sent, delay: float | None, why: str, resource: str = "") -> float:
        """GitHub refused ``sent``: nobody asks before the moment that is returned, of ``resource`` where one is named.

        Requests that were under way when it began are refused with it; a later one doubles a length that is ours.
        """
        if resource and delay is not None:
            self._left[resource] = _Left(0, now + delay)
            return now + delay
        pause = self._pause
        again = sent.at >= pause.began
        if delay is None:
            if not again:
                return max(pause.until, now)
            delay, pause.next = pause.next, min(pause.next * 2, HOUR)
        if now + delay > pause.until:
            pause.until, pause.why = now + delay, why
        if again:
            pause.began = now
        return pause.until

    def well(self, sent: Sent) -> None:
        """What was asked after the last pause was answered: the next one is a first one again."""
        if sent.at >= self._pause.until:
            self._pause.next = _FIRST_PAUSE

    def _windows(self, kind: Kind) -> list[tuple[_Window, int]]:
        found = [(self._graphql if kind.resource == "graphql" else self._points, kind.points)]
        if kind.resource == "search":
            found.append((self._searches, 1))
        if kind.creates:
            found += [(window, 1) for window in self._creations]
        return found

    def _told(self, now: float, kind: Kind) -> tuple[float, str]:
        """Those under way may not be in what GitHub last told."""
        left = self._left.get(kind.resource)
        if left is None or left.reset <= now or left.remaining > self._open[kind.resource]:
            return now, ""
        if left.remaining:  # it may be that those under way were counted already
            return math.inf, f"requests under way, as few of the hour's are left ({kind.resource})"
        return left.reset, f"its hourly limit ({kind.resource})"
