"""How long each execution of a program may take, when a call needs several of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from workflow_manager.backends.anthropic.patience import Link, Patience


class Timing:
    """What earlier executions took counts for a later one; what the gateway held them back for does not."""

    def __init__(
        self, limit: float, link: Link, beat: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience = Patience(limit, link, beat, now)
        self._now = now
        self._started, self._left = now(), limit

    def start(self) -> float:
        """An execution starts: the seconds it may take, at least one."""
        self._patience.look()
        self._started, self._left = self._now(), self._patience.left()
        return max(1.0, self._left)

    def extra(self) -> float:
        """Seconds that the gateway has held it back for since. Passes on a sign of life where a model is at work."""
        self._patience.look()
        return self._patience.left() - self._left + self._now() - self._started
