"""One circuit breaker and one pause for all callers: while it is open, one of them asks now and then. Pure.

After failures in a row, or a server's wish to wait, nobody asks; then one request goes alone. If it is answered,
all go on, otherwise the next waits longer. So twelve callers ask no more often than one.
"""

from __future__ import annotations

import math

from orchestrator.gateway.rules.admission import Admitted, WaitUntil


class Breaker:
    """``threshold`` failures in a row open it; ``interval`` and ``longest`` are seconds between two probes."""

    def __init__(self, threshold: int = 3, interval: float = 2.0, longest: float = 60.0) -> None:
        self._threshold, self._first, self._longest = threshold, interval, longest
        self._interval = interval
        self._failures = 0
        self._until: float | None = None  # while open: nobody before this moment, on the monotonic clock
        self._probing: float | None = None  # since when one is on its way
        self._down_since: float | None = None
        self.reason = ""

    @property
    def open(self) -> bool:
        return self._until is not None

    def down_for(self, now: float) -> float:
        """Seconds since failures opened it; a rate limit is an answer."""
        return 0.0 if self._down_since is None else now - self._down_since

    @property
    def probed_until(self) -> float:
        """When the probe on its way keeps the others no longer, answered or not."""
        return -math.inf if self._probing is None else self._probing + self._longest

    def look(self, now: float) -> Admitted | WaitUntil:
        if self._until is None:
            return Admitted()
        if now < self.probed_until:
            return WaitUntil(math.inf, self.reason)
        return WaitUntil(self._until, self.reason) if now < self._until else Admitted(probe=True)

    def take(self, now: float, admitted: Admitted) -> None:
        """A request that was let in is sent."""
        if admitted.probe:
            self._probing = now

    def gone(self, admitted: Admitted) -> None:
        """It was given up by its caller before there was an answer: it says nothing about the server."""
        if admitted.probe:
            self._probing = None

    def succeeded(self, now: float, admitted: Admitted) -> None:
        """It was answered. What was sent before the pause does not end it, nor does a probe that is overtaken."""
        self._down_since = None
        if admitted.probe:
            self._probing = None
        if self._until is None or (admitted.probe and now >= self._until):
            self._failures, self._interval, self._until, self.reason = 0, self._first, None, ""

    def failed(self, now: float, admitted: Admitted, reason: str, delay: float | None = None) -> None:
        """A request was not answered; ``delay`` is what the server asked to wait."""
        self._failures += 1
        if admitted.probe:
            self._probing = None
            self._interval = min(2 * self._interval, self._longest)
        if admitted.probe or (self._until is None and self._failures >= self._threshold):
            self._down_since = now if self._down_since is None else self._down_since
            self._hold(now + max(self._interval, delay or 0.0), reason)

    def limited(self, now: float, admitted: Admitted, delay: float, reason: str) -> None:
        """The server answered that nobody may ask for ``delay`` seconds."""
        if admitted.probe:
            self._probing = None
        self._failures, self._interval, self._down_since = 0, self._first, None
        self._hold(now + delay, reason)

    def _hold(self, until: float, reason: str) -> None:
        self._until = max(until, self._until or 0.0)
        self.reason = reason
