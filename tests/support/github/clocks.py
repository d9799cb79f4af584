"""A clock on which an hour of limits passes in seconds."""

from __future__ import annotations

import time


class ScaledClock:
    """Runs ``scale`` times as fast as the system's, from the time it was made."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._began, self._from = time.time(), time.monotonic()

    def now(self) -> float:
        return self._began + (time.monotonic() - self._from) * self._scale

    def monotonic(self) -> float:
        return (time.monotonic() - self._from) * self._scale
