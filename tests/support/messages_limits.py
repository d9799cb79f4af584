"""Rate limits as the Messages API has them: buckets that fill up steadily, and headers that tell how full they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class RateLimits:
    """A minute's worth of each; ``burst`` is the part of it that may be taken at once."""

    requests: int = 4_000
    input_tokens: int = 2_000_000
    output_tokens: int = 400_000
    burst: float = 1.0


@dataclass(slots=True)
class _Bucket:
    name: str
    limit: int  # a minute
    holds: float
    left: float
    at: float  # monotonic seconds of ``left``

    def fill(self, now: float) -> None:
        self.left = min(self.holds, self.left + (now - self.at) * self.limit / 60)
        self.at = now

    def wait(self, wanted: float) -> float:
        """Seconds until ``wanted`` is there; a wish larger than the bucket needs a full one."""
        missing = min(wanted, self.holds) - self.left
        return max(0.0, missing * 60 / self.limit)


@dataclass(slots=True)
class Buckets:
    limits: RateLimits
    started: float  # monotonic seconds
    refusals: int = 0
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("requests", "input_tokens", "output_tokens"):
            limit = getattr(self.limits, name)
            holds = max(1.0, limit * self.limits.burst)
            self._buckets[name] = _Bucket(name, limit, holds, holds, self.started)

    def take(self, now: float, input_tokens: int) -> float:
        """Seconds that the request came too early; nothing is taken then. Cached tokens do not count."""
        wanted = {"requests": 1.0, "input_tokens": float(input_tokens), "output_tokens": 1.0}
        for bucket in self._buckets.values():
            bucket.fill(now)
        early = max(bucket.wait(wanted[bucket.name]) for bucket in self._buckets.values())
        if early > 1e-6:
            self.refusals += 1
            return early
        self._buckets["requests"].left -= 1
        self._buckets["input_tokens"].left -= input_tokens
        return 0.0

    def put_out(self, output_tokens: int) -> None:
        self._buckets["output_tokens"].left -= output_tokens

    def headers(self, now: float, wall: float) -> dict[str, str]:
        """``wall`` is the time of day of ``now``, in seconds since the epoch."""
        told = {}
        for bucket in self._buckets.values():
            bucket.fill(now)
            name = f"anthropic-ratelimit-{bucket.name.replace('_', '-')}"
            full = datetime.fromtimestamp(math.ceil(wall + bucket.wait(bucket.holds)), UTC)
            told[f"{name}-limit"] = str(bucket.limit)
            told[f"{name}-remaining"] = str(max(0, int(bucket.left)))
            told[f"{name}-reset"] = full.isoformat().replace("+00:00", "Z")
        return told
