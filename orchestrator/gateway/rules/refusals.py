"""When a request that is refused for its speed is given up: it may be larger than what a minute allows at all. Pure.

A rate limit alone burns no tries, however long it is. But a request that is refused again and again while others of
its model are answered would wait for ever, and make everybody wait with it each time.
"""

from __future__ import annotations

_MOST = 8


class Refusals:
    """Of one request; ``longest`` is how many seconds it waits where nobody is answered who could be compared."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._count = 0
        self._first = (0.0, 0)  # when, and how many others had been answered by then

    def is_last(self, now: float, answered: int) -> bool:
        """Count one more, when ``answered`` requests in all have been answered. Whether it is to be given up."""
        if not self._count:
            self._first = now, answered
        self._count += 1
        since, before = self._first
        return self._count >= _MOST and (answered > before or now - since > self._longest)
