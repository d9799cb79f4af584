"""How fast all agents together may ask: one limiter for all of them. Pure.

What the configuration says holds for any stretch of a minute. What the server's headers say is left fills up again
steadily until the moment at which they say it is all there: https://platform.claude.com/docs/en/api/rate-limits.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.gateway.rules.admission import Admitted, Estimate, WaitUntil
from orchestrator.gateway.rules.outcomes import KINDS, Rate

# A little more than a minute: two requests do not take the same time to their server.
_WINDOW = 60.5
_FIRST_OUTPUT = 1000  # tokens expected of an answer before there was one


class Window:
    """At most ``limit`` in any minute; 0 is no limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken: deque[tuple[float, int]] = deque()
        self._sum = 0

    def free_at(self, now: float, amount: int, pending: int = 0) -> float:
        """When ``amount`` fits beside ``pending`` others; more than there ever is counts as all there is."""
        if not self.limit:
            return now
        while self._taken and self._taken[0][0] + _WINDOW <= now:
            self._sum -= self._taken.popleft()[1]
        excess = self._sum + pending + min(amount, self.limit) - self.limit
        if excess <= 0:
            return now
        for at, taken in self._taken:
            excess -= taken
            if excess <= 0:
                return at + _WINDOW
        return math.inf

    def take(self, now: float, amount: int) -> None:
        if self.limit:
            self._taken.append((now, amount))
            self._sum += amount


class _Left:
    """What the server said is left of one limit, less what was sent since, and more as time goes by."""

    def __init__(self, now: float, rate: Rate) -> None:
        self._amount, self._at = float(rate.remaining), now
        self._limit = rate.limit or math.inf
        self._reset = now + rate.reset
        self._fills = rate.limit / 60  # a second, as limits are those of a minute

    def free_at(self, now: float, amount: int) -> float:
        """When ``amount`` is there; more than there ever is counts as all there is."""
        missing = min(amount, self._limit) - self._amount
        filled = self._at + missing / self._fills if self._fills else self._reset
        return max(now, min(filled, self._reset) if now < self._reset else filled) if missing > 0 else now

    def take(self, now: float, amount: int) -> None:
        self._amount = self.amount(now) - amount
        self._at = now

    def amount(self, now: float) -> float:
        return min(self._limit, self._amount + (now - self._at) * self._fills)


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A request that was let through and has not ended."""

    model: str
    estimate: Estimate
    before: Mapping[str, int]  # by kind of limit, what was sent of this model up to this one


class Limiter:
    """``look`` says whether a request may be sent, ``take`` that it is, ``settle`` what it used."""

    def __init__(
        self, requests: int = 0, input_tokens: int = 0, output_tokens: int = 0, at_once: int = 0
    ) -> None:
        self._requests, self._input, self._output = map(Window, (requests, input_tokens, output_tokens))
        self._at_once = at_once
        self._open = 0
        self._pending_output = 0  # expected of those that are open
        self._usual_output = _FIRST_OUTPUT
        self._left: dict[tuple[str, str], _Left] = {}  # by model and kind of limit
        self._last: dict[str, Sent] = {}  # by model
        self._taken: Counter[tuple[str, str]] = Counter()  # by model and kind, since the beginning

    def look(self, now: float, model: str, estimate: Estimate) -> Admitted | WaitUntil:
        if self._at_once and self._open >= self._at_once:
            return WaitUntil(math.inf, f"{self._open} requests at once")
        waits = [*self._configured(now, estimate), *self._told(now, model, estimate)]
        at, what = max(waits, default=(now, ""))
        return WaitUntil(at, what) if at > now else Admitted()

    def _configured(self, now: float, estimate: Estimate) -> list[tuple[float, str]]:
        return [
            (self._requests.free_at(now, 1), "requests per minute"),
            (self._input.free_at(now, estimate.input), "input tokens per minute"),
            (
                self._output.free_at(now, self._expected(estimate), self._pending_output),
                "output tokens per minute",
            ),
        ]

    def _told(self, now: float, model: str, estimate: Estimate) -> list[tuple[float, str]]:
        found = []
        for kind, amount in self._amounts(estimate).items():
            if left := self._left.get((model, kind)):
                what = f"the server's limit of {kind.replace('-', ' ')}"
                found.append((left.free_at(now, amount), what))
        return found

    def _amounts(self, estimate: Estimate) -> dict[str, int]:
        output = self._expected(estimate)
        return {
            "requests": 1,
            "tokens": estimate.input + output,
            "input-tokens": estimate.input,
            "output-tokens": output,
        }

    def _expected(self, estimate: Estimate) -> int:
        """An answer is hardly ever as long as it may be: as long as answers were of late."""
        return min(estimate.output, self._usual_output)

    def take(self, now: float, model: str, estimate: Estimate) -> Sent:
        expected = Estimate(estimate.input, self._expected(estimate))
        for kind, amount in self._amounts(estimate).items():
            self._taken[model, kind] += amount
            if left := self._left.get((model, kind)):
                left.take(now, amount)
        self._requests.take(now, 1)
        self._input.take(now, estimate.input)
        self._pending_output += expected.output
        self._open += 1
        so_far = {kind: self._taken[model, kind] for kind in KINDS}
        self._last[model] = Sent(model, expected, so_far)
        return self._last[model]

    def settle(self, sent: Sent, now: float, output: int) -> None:
        """It has ended, with ``output`` tokens."""
        self._open -= 1
        self._pending_output -= sent.estimate.output
        self._output.take(now, output)
        if output:
            self._usual_output = (3 * self._usual_output + output) // 4

    def learn(self, now: float, sent: Sent, rates: Mapping[str, Rate]) -> None:
        """What the headers of an answer to ``sent`` say.

        They do not know of what was sent after that, so until the last one is answered less is believed, not more.
        """
        for kind, rate in rates.items():
            told, known = _Left(now, rate), self._left.get((sent.model, kind))
            if known is None:
                told.take(now, self._taken[sent.model, kind] - sent.before[kind])
            elif sent is not self._last.get(sent.model) and told.amount(now) >= known.amount(now):
                continue
            self._left[sent.model, kind] = told
