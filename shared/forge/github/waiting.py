"""Where the threads of a run wait until GitHub may be asked, in the order in which they came."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.errors import Interrupted
from shared.forge.github.errors import Unreachable
from shared.forge.github.limits import Admitted, Kind, Limiter, Sent, WaitUntil
from shared.forge.github.rates import Rate
from shared.forge.github.wire import Limited

PATIENCE = 3660.0  # seconds: GitHub's longest limit is an hour, and its clock shows whole seconds
_LOOK = 0.5  # seconds between looks whether the run is to stop
_WORTH_TELLING = 1.0  # seconds
_LAST = 253_402_200_000.0  # seconds since the epoch: the end of the calendar


@dataclass(frozen=True, slots=True)
class Waiting:
    """Requests wait for GitHub until ``until``, seconds since the epoch."""

    until: float
    why: str

    def __str__(self) -> str:
        return f"waits for GitHub ({self.why}) until {_time_of_day(self.until)}"


Tell = Callable[[Waiting | None], None]


def _time_of_day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, _LAST)).astimezone().strftime("%Y-%m-%d %H:%M")


class Turnstile:
    """One for the process. ``tell`` hears of a wait of more than a second, and of its end as None; it may be called
    from any thread, and one at a time. ``wait`` is how a moment is spent."""

    def __init__(
        self,
        limiter: Limiter,
        clock: Clock,
        stop: threading.Event,
        tell: Tell = lambda waiting: None,
        wait: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        self._limiter, self._clock, self._stop, self._tell, self._wait = limiter, clock, stop, tell, wait
        self._changed = threading.Condition()
        self._told: Waiting | None = None
        self._queue: list[tuple[object, Kind]] = []  # of those who wait, the first first

    def enter(self, kind: Kind) -> Sent:
        """Wait until a request of ``kind`` may be sent. ``leave`` must follow.

        Raises Interrupted where the run stops and this would have to wait, Unreachable where GitHub wants to be left
        alone for over an hour.
        """
        ticket = (object(), kind)
        with self._changed:
            self._queue.append(ticket)
            try:
                return self._admitted(ticket)
            finally:
                self._queue.remove(ticket)
                self._tell_end()
                self._changed.notify_all()

    def _admitted(self, ticket: tuple[object, Kind]) -> Sent:
        kind = ticket[1]
        while True:
            now = self._clock.monotonic()
            seconds = _LOOK
            if ticket is next(other for other in self._queue if other[1] == kind):
                match self._limiter.look(now, kind):
                    case Admitted():
                        return self._limiter.take(now, kind)
                    case WaitUntil(at, why):
                        self._bear(at - now, why)
                        seconds = min(at - now, _LOOK)
            self._refuse_stopped()  # a run that stops may still say so, if it need not wait for that
            self._wait(self._changed, seconds)

    def _refuse_stopped(self) -> None:
        if self._stop.is_set():
            raise Interrupted("stopped while waiting for GitHub")

    def _bear(self, seconds: float, why: str) -> None:
        """Tell of a wait that can be timed; raise where it is too long to be borne."""
        if math.isinf(seconds):
            return
        until = self._clock.now() + seconds
        if seconds > PATIENCE:
            raise Unreachable(
                f"GitHub asks not to be asked before {_date(until)}: {why}", "go on with the run then"
            )
        # Of several waits the longest is told: otherwise they would take turns, twice a second.
        news = self._told is None or until > self._told.until + _WORTH_TELLING
        if seconds > _WORTH_TELLING and news:
            self._told = Waiting(until, why)
            self._tell(self._told)

    def _tell_end(self) -> None:
        if self._told is not None and not self._queue:
            self._told = None
            self._tell(None)

    def leave(self, sent: Sent) -> None:
        with self._changed:
            self._limiter.settle(self._clock.monotonic(), sent)
            self._changed.notify_all()

    def learn(self, sent: Sent, rate: Rate | None, limited: Limited | None = None) -> None:
        """What the answer to ``sent`` says of limits."""
        with self._changed:
            now = self._clock.monotonic()
            if rate is not None:
                self._limiter.learn(now, rate)
            if limited is None:
                self._limiter.well(sent)
            else:
                self._limiter.pause(now, sent, limited.delay, limited.why, limited.resource)

    def sleep(self, seconds: float) -> None:
        """Before something is tried again. Raises Interrupted where the run stops."""
        with self._changed:
            end = self._clock.monotonic() + seconds
            while (left := end - self._clock.monotonic()) > 0:
                self._refuse_stopped()
                self._wait(self._changed, min(left, _LOOK))
