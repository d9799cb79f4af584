"""Whether a request may be sent now; said by the limiter and by the breaker in the same words. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may be sent. A probe is sent alone, to see whether things are well again."""

    probe: bool = False


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Not before ``at``, seconds on the monotonic clock; infinite where only another request's end can help."""

    at: float
    reason: str

    @property
    def timed(self) -> bool:
        return math.isfinite(self.at)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request will probably use of the limits, on the high side."""

    input: int = 0  # tokens that no cache is read for
    output: int = 0
