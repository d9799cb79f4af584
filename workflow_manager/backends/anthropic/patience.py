"""How long an agent may take. What the gateway held its requests back for does not count: nobody was at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from workflow_manager.backends.gateway_link import Standing


class Link(Protocol):
    """This agent's own line to the gateway, beside its requests; what it cannot tell is None."""

    def standing(self) -> Standing | None: ...
    def cancel(self) -> None: ...


class Patience:
    """Asks the gateway how things stand, passes on signs of life, and knows how many seconds are left."""

    def __init__(
        self,
        limit: float,
        link: Link,
        beat: Callable[[], None],
        *,
        resumed: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._link, self._beat, self._now = limit, link, beat, now
        self._started = now()
        self._held = 0.0
        before = link.standing() if resumed else None
        self._before = before.held_seconds if before is not None else 0.0  # for an earlier manager

    def left(self) -> float:
        return self._limit + self._held - (self._now() - self._started)

    @property
    def taken(self) -> float:
        """Seconds at work."""
        return self._now() - self._started - self._held

    def alive(self) -> None:
        """An answer is on its way."""
        self._beat()

    def look(self) -> None:
        """Ask the gateway once. One that does not answer tells nothing: its requests will say what is wrong."""
        standing = self._link.standing()
        if standing is None:
            return
        self._held = standing.held_seconds - self._before
        if standing.in_flight:
            self._beat()

    def hang_up(self) -> None:
        """Have the gateway abort what is open."""
        self._link.cancel()
