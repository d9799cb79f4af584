"""How long each execution of a program may take, when a call needs several of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from workflow_manager.backends.gateway_link import Standing


class Link(Protocol):
    """The call's own line to the gateway; what it cannot tell is None."""

    def standing(self) -> Standing | None: ...


class Timing:
    """What earlier executions took counts for a later one; what the gateway held them back for does not.

    ``limit`` is in seconds, for all of them together.
    """

    def __init__(
        self, limit: float, link: Link, beat: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._link, self._beat, self._now = link, beat, now
        self._end = now() + limit  # moves when requests are held back
        self._held: float | None = None  # seconds in all, at the last look
        self._extra = 0.0

    def start(self) -> float:
        """An execution starts: the seconds it may take, at least one."""
        self._look()
        self._extra = 0.0
        return max(1.0, self._end - self._now())

    def extra(self) -> float:
        """Seconds that the gateway has held it back for since. Passes on a sign of life where a model is at work."""
        self._look()
        return self._extra

    def _look(self) -> None:
        """A gateway that does not answer tells nothing. What was held before the first look is not this call's."""
        standing = self._link.standing()
        if standing is None:
            return
        since = standing.held_seconds - (standing.held_seconds if self._held is None else self._held)
        self._held = standing.held_seconds
        self._extra += since
        self._end += since
        if standing.in_flight:
            self._beat()
