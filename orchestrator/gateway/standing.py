"""How each caller stands: its open requests, and how long they have been held back in all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from orchestrator.gateway.rules.admission import WaitUntil
from orchestrator.gateway.turnstile import Wish
from shared.callers import Caller
from shared.clock import Clock


@dataclass(slots=True)
class Standing:
    """Of one caller. Time in which several of its requests are held counts once."""

    clock: Clock
    asked: int = 0  # requests so far
    busy: int = 0  # requests that are open, or still arriving
    open: set[asyncio.Task[None]] = field(default_factory=set)
    wishes: list[Wish] = field(default_factory=list)  # of those that are open
    prefix: int = 0  # tokens of its last prompt that the provider keeps for the next
    _holding: int = 0
    _since: float = 0.0
    _held: float = 0.0

    def hold(self, wasted: float = 0.0) -> None:
        """A request waits from now on, after ``wasted`` seconds of a try that came to nothing."""
        if not self._holding:
            self._since = self.clock.monotonic() - wasted
        self._holding += 1

    def release(self) -> None:
        """It has been sent, or ended."""
        self._holding -= 1
        if not self._holding:
            self._held += self.clock.monotonic() - self._since

    @property
    def held(self) -> float:
        """Seconds, up to now."""
        return self._held + (self.clock.monotonic() - self._since if self._holding else 0.0)

    def said(self) -> dict[str, object]:
        """As ``GET /spinney/standing`` says it."""
        waits = [wish.waits_for for wish in self.wishes if wish.waits_for is not None]
        return {
            "in_flight": len(self.open),
            "held_seconds": round(self.held, 3),
            "waiting_for": self._text(max(waits, key=lambda wait: wait.at)) if waits else "",
        }

    def _text(self, wait: WaitUntil) -> str:
        return wait.reason + (f", {wait.at - self.clock.monotonic():.0f} s more" if wait.timed else "")


class Standings:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[Caller, Standing] = {}

    def of(self, caller: Caller) -> Standing:
        if caller not in self._of:
            self._of[caller] = Standing(self._clock)
        return self._of[caller]

    def everyone(self) -> list[asyncio.Task[None]]:
        """The tasks of all open requests."""
        return [task for standing in self._of.values() for task in standing.open]
