"""GitHub's documented limits as a model that keeps time by what it is told, and a simulation of many tasks against it.

It is stricter than any counting by fixed minutes: a limit holds for every stretch of a minute or an hour, and a
request counts from the moment at which it arrives, some time after it was sent.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from shared.forge.github.limits import Admitted, Kind, Limiter, Sent, WaitUntil
from shared.forge.github.rates import Rate

MINUTE, HOUR = 60.0, 3600.0


@dataclass(slots=True)
class Limit:
    """At most ``most`` in any stretch of ``seconds``."""

    most: int
    seconds: float
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _sum: int = 0

    def broken(self, now: float, amount: int) -> bool:
        while self._seen and self._seen[0][0] + self.seconds <= now:
            self._sum -= self._seen.popleft()[1]
        self._seen.append((now, amount))
        self._sum += amount
        return self._sum > self.most


class Limits:
    """``arrived`` and ``answered`` in order of time; ``trespasses`` is what GitHub would have refused."""

    def __init__(self, hourly: int = 5000) -> None:
        self.trespasses: list[str] = []
        self.requests = 0
        self._hourly = hourly
        self._hours: dict[str, tuple[int, float]] = {}  # by resource: how many are left, and until when
        self._under_way = 0
        self._limits = {
            "points": Limit(900, MINUTE),
            "graphql points": Limit(2000, MINUTE),
            "creations a minute": Limit(80, MINUTE),
            "creations an hour": Limit(500, HOUR),
        }

    def arrived(self, now: float, kind: Kind) -> Rate:
        self.requests += 1
        self._under_way += 1
        if self._under_way > 100:
            self.trespasses.append(f"{now:.1f}: {self._under_way} at once")
        used = {"graphql points" if kind.resource == "graphql" else "points": kind.points}
        if kind.creates:
            used |= {"creations a minute": 1, "creations an hour": 1}
        self.trespasses += [
            f"{now:.1f}: {name}" for name in used if self._limits[name].broken(now, used[name])
        ]
        return self._count(now, kind)

    def _count(self, now: float, kind: Kind) -> Rate:
        """Of the resource's hour, which begins with its first request."""
        left, reset = self._hours.get(kind.resource, (0, -math.inf))
        if now >= reset:
            left, reset = self._hourly, now + HOUR
        self._hours[kind.resource] = (left - 1, reset)
        if left < 1:
            self.trespasses.append(f"{now:.1f}: the hour's requests")
        return Rate(kind.resource, max(left - 1, 0), math.ceil(reset - now), self._hourly)

    def answered(self) -> None:
        self._under_way -= 1


@dataclass(frozen=True, slots=True)
class Outcome:
    seconds: float  # until the last answer
    waited: frozenset[str]  # for what


@dataclass(slots=True)
class _World:
    limiter: Limiter
    limits: Limits
    latency: Callable[[], tuple[float, float]]  # seconds until it arrives, and then until it is answered
    now: float = 0.0
    waited: set[str] = field(default_factory=set)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _queue: list[tuple[Kind, Callable[[], None]]] = field(default_factory=list)

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), act))

    def ask(self, kinds: Sequence[Kind]) -> None:
        """A task's requests, one after another."""
        if kinds:
            self._queue.append((kinds[0], lambda: self.ask(kinds[1:])))

    def run(self) -> None:
        while True:
            wake = self._let_through()
            if not self._events and not self._queue:
                return
            if self._events and self._events[0][0] <= wake:
                self.now, _, act = heapq.heappop(self._events)
                act()
            else:
                assert math.isfinite(wake), "everybody waits for nobody"
                self.now = wake

    def _let_through(self) -> float:
        """Send what may be sent, the first of each kind first; when to look again."""
        wake, blocked, left = math.inf, set(), []
        for kind, then in self._queue:
            if kind not in blocked:
                match self.limiter.look(self.now, kind):
                    case Admitted():
                        self._send(kind, self.limiter.take(self.now, kind), then)
                        continue
                    case WaitUntil(at, why):
                        wake = min(wake, at)
                        self.waited.add(why)
                        blocked.add(kind)
            left.append((kind, then))
        self._queue = left
        return wake

    def _send(self, kind: Kind, sent: Sent, then: Callable[[], None]) -> None:
        there, back = self.latency()

        def arrive() -> None:
            rate = self.limits.arrived(self.now, kind)
            self.at(self.now + back, lambda: answer(rate))

        def answer(rate: Rate) -> None:
            self.limits.answered()
            self.limiter.learn(self.now, Rate(rate.resource, rate.remaining, rate.reset, rate.limit))
            self.limiter.well(sent)
            self.limiter.settle(self.now, sent)
            then()

        self.at(self.now + there, arrive)


def simulate(
    tasks: Sequence[Sequence[Kind]], limits: Limits, seed: int = 0, *, limiter: Limiter | None = None
) -> Outcome:
    """All tasks at once from the beginning, each with its requests in order; answers take 0.1 to 1 second."""
    chance = random.Random(seed)
    world = _World(
        limiter or Limiter(), limits, lambda: (chance.uniform(0.03, 0.5), chance.uniform(0.07, 0.5))
    )
    for kinds in tasks:
        world.ask(kinds)
    world.run()
    return Outcome(world.now, frozenset(world.waited))


def ideal(tasks: Sequence[Sequence[Kind]], hourly: int = 5000) -> float:
    """Seconds that somebody needs who knows to the moment when GitHub will take each request, answers taking no time."""
    world = _World(Limiter(margin=0.0), Limits(hourly), lambda: (0.0, 0.0))
    for kinds in tasks:
        world.ask(kinds)
    world.run()
    assert not world.limits.trespasses
    return world.now


def bound(tasks: Sequence[Sequence[Kind]], hourly: int = 5000) -> float:
    """Seconds before which no schedule that breaks no limit can be done, whatever its order."""
    kinds = [kind for task in tasks for kind in task]
    creations = sum(kind.creates for kind in kinds)
    points = sum(kind.points for kind in kinds if kind.resource != "graphql")
    return max(
        _last(creations, 80) * MINUTE,
        _last(creations, 500) * HOUR,
        _last(points, 900) * MINUTE,
        _last(len(kinds), hourly) * HOUR,
        _last(creations % 500 or 500, 80) * MINUTE + _last(creations, 500) * HOUR if creations else 0.0,
    )


def _last(amount: int, limit: int) -> int:
    """In which stretch, from 0, the last of ``amount`` can be sent."""
    return max(0, math.ceil(amount / limit) - 1)
