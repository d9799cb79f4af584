"""Who waits for something outside hears of it where no board shows it: before a run, and in commands that only look."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

SOON = 1.0  # seconds; what takes less is not worth a line

Say = Callable[[str], None]
Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""Do something in so many seconds; what is returned calls it off."""


def _later(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer.cancel


class Waits:
    """``say`` is given a line, from any thread."""

    def __init__(self, say: Say, later: Later = _later) -> None:
        self._say, self._later = say, later
        self._said: set[str] = set()

    @contextlib.contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Say once ``what`` is going on, if it takes more than a second."""
        call_off = self._later(SOON, lambda: self._once(f"{what} …"))
        try:
            yield
        finally:
            call_off()

    def held(self, why: str, until: float) -> None:
        """GitHub is waited for until then, in seconds since the epoch; without a reason it goes on."""
        if why:
            clock = datetime.fromtimestamp(until).astimezone().strftime("%H:%M:%S")
            self._say(f"GitHub asks to wait until {clock}: {why}")

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


SILENT = Waits(lambda text: None, lambda seconds, act: lambda: None)
