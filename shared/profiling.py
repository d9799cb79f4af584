"""Taking a timing: one context manager, on a clock that only goes forward.

    timings = Timings()
    with timed("gate", record=timings) as timing:
        ...
    timing.seconds, timings.total("gate")

Timings nest; each stands for itself, and the outer one includes the inner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Seconds = Callable[[], float]  # a monotonic clock, such as ``SystemClock().monotonic``


@dataclass(slots=True)
class Timing:
    """One measured stretch; ``seconds`` is what has passed so far, and stands still once it has ended."""

    name: str
    started: float  # on the clock's own scale
    clock: Seconds = field(repr=False)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        return (self.clock() if self.ended is None else self.ended) - self.started


@contextmanager
def timed(
    name: str = "",
    clock: Seconds = time.perf_counter,
    record: Callable[[Timing], None] | None = None,
) -> Iterator[Timing]:
    """Time the block, also one that raises; ``record`` is called with the timing when the block has ended."""
    timing = Timing(name, clock(), clock)
    try:
        yield timing
    finally:
        timing.ended = clock()
        if record is not None:
            record(timing)


class Timings:
    """Named timings, kept in the order in which they ended. Used by one thread."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def __call__(self, timing: Timing) -> None:
        self._seconds.setdefault(timing.name, []).append(timing.seconds)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._seconds)

    def of(self, name: str) -> tuple[float, ...]:
        """Seconds of every timing of that name; empty where there was none."""
        return tuple(self._seconds.get(name, ()))

    def total(self, name: str) -> float:
        return sum(self.of(name))
