"""Where requests wait until limits, breaker and budgets let them through, in the order in which they came.

Everything here happens in the gateway's loop. A request that waits for room in a budget does not keep those
behind it; one that waits for a pause or a limit does, as that holds for all.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.gateway.rules.admission import Admitted, Estimate, WaitUntil
from orchestrator.gateway.rules.breaker import Breaker
from orchestrator.gateway.rules.ledger import Fits, Ledger, MustWait, Reservation, TooMuch, Worst
from orchestrator.gateway.rules.limits import Limiter, Sent
from orchestrator.gateway.rules.stops import Stop, Stopped, Stops
from shared.callers import Caller
from shared.clock import Clock

Tell = Callable[[str, dict[str, Any]], None]
_WORTH_TELLING = 1.0  # seconds


@dataclass(slots=True, eq=False)
class Wish:
    """A request that wants to be sent. ``worst`` is None for those that cost nothing.

    ``modest`` is the worst of the same request if it asked for no more than most do.
    """

    caller: Caller
    model: str
    estimate: Estimate
    worst: Worst | None
    modest: Worst | None = None
    waits_for: WaitUntil | None = None  # while it waits


@dataclass(slots=True, eq=False)
class Pass:
    """The permission to send a request once; to be given back through ``Turnstile.leave``."""

    admitted: Admitted
    sent: Sent
    reservation: Reservation | None
    answered: bool = False  # it has said what it can about the server


@dataclass(slots=True, eq=False)
class _Waiter:
    wish: Wish
    future: asyncio.Future[Pass] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turnstile:
    """``outage`` is how many seconds without any answer end everything, as a spend limit does."""

    def __init__(
        self, limiter: Limiter, breaker: Breaker, ledger: Ledger, *, clock: Clock, tell: Tell, outage: float
    ) -> None:
        self._limiter, self._breaker, self._ledger = limiter, breaker, ledger
        self._clock, self._tell, self._outage = clock, tell, outage
        self._stops = Stops()
        self._answered: Counter[str] = Counter()  # requests that are paid for, by model
        self._waiting: list[_Waiter] = []
        self._timer: asyncio.TimerHandle | None = None
        self._told: float | None = (
            None  # until when, on the monotonic clock, it was told that requests are held
        )

    async def enter(self, wish: Wish) -> Pass:
        """Wait for a turn. Raises Stopped."""
        waiter = _Waiter(wish)
        self._waiting.append(waiter)
        self.look()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and not waiter.future.exception():
                self.leave(waiter.future.result())
            raise
        finally:
            wish.waits_for = None
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def leave(self, turn: Pass, output: int = 0) -> None:
        """The request has ended, with so many tokens of output."""
        if not turn.answered:
            self._breaker.gone(turn.admitted)
        self._limiter.settle(turn.sent, self._clock.monotonic(), output)
        if turn.reservation is not None:
            self._ledger.release(turn.reservation)
        self.look()

    def succeeded(self, turn: Pass) -> None:
        """It is being answered."""
        turn.answered = True
        if turn.reservation is not None:
            self._answered[turn.sent.model] += 1
        self._breaker.succeeded(self._clock.monotonic(), turn.admitted)
        self.look()

    def answered(self, model: str) -> int:
        """How many requests to ``model`` were answered."""
        return self._answered[model]

    def failed(self, turn: Pass, reason: str, delay: float | None) -> None:
        turn.answered = True
        self._breaker.failed(self._clock.monotonic(), turn.admitted, reason, delay)
        self.leave(turn)

    def limited(self, turn: Pass, delay: float, reason: str) -> None:
        turn.answered = True
        self._breaker.limited(self._clock.monotonic(), turn.admitted, delay, reason)
        self.leave(turn)

    def stop(self, stop: Stop) -> Stopped:
        """End this task's requests, or all: those that wait, and all that come. Returns what to raise."""
        if self._stops.add(stop):
            if stop.kind == "budget":
                self._tell("budget.spent", {"task": stop.task, "reason": stop.reason})
            elif stop.kind != "stopped":
                self._tell("model.refused", {"kind": stop.kind, "reason": stop.reason})
            self.look()
        return Stopped(self._stops.of(stop.task) or stop)

    def look(self) -> None:
        """Let through whoever may go now, and see to it that the next look is in time."""
        now = self._clock.monotonic()
        if self._waiting and self._is_hopeless(now):
            reason = f"no answer from the model API for {self._outage:.0f} s: {self._breaker.reason}"
            self.stop(Stop("outage", reason))
        blocked: WaitUntil | None = None
        for waiter in list(self._waiting):
            if not waiter.future.done():
                blocked = self._look_at(waiter, now, blocked)
        self._waiting = [waiter for waiter in self._waiting if not waiter.future.done()]
        self._say(now, blocked)
        self._set_timer(now, blocked)

    def _look_at(self, waiter: _Waiter, now: float, blocked: WaitUntil | None) -> WaitUntil | None:
        """Returns what keeps everybody behind it."""
        wish = waiter.wish
        room = self._room(wish)
        if isinstance(room, Stop):
            self._stops.add(room)
            waiter.future.set_exception(Stopped(room))
            return blocked
        if isinstance(room, MustWait):
            wish.waits_for = WaitUntil(math.inf, "what others may still spend of the budget")
            return blocked
        turn = blocked or self._breaker.look(now)
        if isinstance(turn, Admitted) and isinstance(
            wait := self._limiter.look(now, wish.model, wish.estimate), WaitUntil
        ):
            turn = wait
        if isinstance(turn, WaitUntil):
            wish.waits_for = turn
            return turn
        waiter.future.set_result(self._let_in(wish, turn, now))
        return None

    def _room(self, wish: Wish) -> Fits | MustWait | Stop:
        """A stop is told the first time."""
        stop = self._stops.of(wish.caller.task)
        if stop is not None or wish.worst is None:
            return stop or Fits()
        room = self._ledger.look(wish.caller, wish.worst, wish.modest)
        if isinstance(room, TooMuch):
            self._tell("budget.spent", {"task": room.task, "reason": room.reason})
            return Stop("budget", room.reason, room.task)
        return room

    def _is_hopeless(self, now: float) -> bool:
        """Whether it is down for too long, and nobody is about to find out whether it still is."""
        waits = isinstance(self._breaker.look(now), WaitUntil) and now >= self._breaker.probed_until
        return waits and self._breaker.down_for(now) > self._outage

    def _let_in(self, wish: Wish, admitted: Admitted, now: float) -> Pass:
        self._breaker.take(now, admitted)
        sent = self._limiter.take(now, wish.model, wish.estimate)
        held = None if wish.worst is None else self._ledger.reserve(wish.caller, wish.worst)
        return Pass(admitted, sent, held)

    def _say(self, now: float, blocked: WaitUntil | None) -> None:
        """Tell of a pause that is worth it, when it begins, when it gets longer, and when it is over."""
        if blocked is not None and blocked.timed and blocked.at - now > _WORTH_TELLING:
            if self._told is None or abs(blocked.at - self._told) > _WORTH_TELLING:
                self._told = blocked.at
                until = self._clock.now() + blocked.at - now
                self._tell("model.held", {"until": until, "reason": blocked.reason})
        elif self._told is not None and blocked is None and not self._breaker.open:
            self._told = None
            self._tell("model.released", {})

    def _set_timer(self, now: float, blocked: WaitUntil | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if blocked is None:
            return
        moments = [blocked.at]
        if self._breaker.open:
            hopeless = now + self._outage - self._breaker.down_for(now)
            moments += [moment for moment in (hopeless, self._breaker.probed_until) if moment > now]
        if math.isfinite(soonest := min(moments)):
            # Not before its time by the clock that is asked, whatever the loop's own resolution.
            later = max(soonest - now, 0.0) + 0.002
            self._timer = asyncio.get_running_loop().call_later(later, self.look)
