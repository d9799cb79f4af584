"""What models were asked, what that cost, and what it waited for: the gateway's events in the picture. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from shared.model import Spending as SpendingLimit

Record = dict[str, Any]
_PAUSED = 1.0  # seconds before a request is sent that are no longer the gateway's own


@dataclass(slots=True)
class Bill:
    """Requests that were answered, with tokens as the server billed them."""

    calls: int = 0
    tries: int = 0  # requests sent for them; more than calls where the server was busy
    read: int = 0  # tokens of the input, cached or not
    cached: int = 0  # of those, read from a cache
    written: int = 0
    usd: float = 0.0
    unpriced: int = 0  # tokens of models that have no price
    from_record: int = 0  # calls that were answered from the record and cost nothing
    held: float = 0.0  # seconds that requests waited for limits and outages

    def add(self, r: Record) -> None:
        """Take in a ``model.called``."""
        self.calls += 1
        self.tries += r.get("tries", 1)
        held = r.get("held", 0.0)
        self.held += held if held >= _PAUSED else 0.0
        if r.get("source", "model") != "model":
            self.from_record += 1
            return
        read = (
            r["input_tokens"] + r["cache_write_tokens"] + r["cache_write_1h_tokens"] + r["cache_read_tokens"]
        )
        self.read += read
        self.cached += r["cache_read_tokens"]
        self.written += r["output_tokens"]
        if r["cost_usd"] is None:
            self.unpriced += read + r["output_tokens"]
        else:
            self.usd += r["cost_usd"]

    def __add__(self, other: Bill) -> Bill:
        return Bill(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Bill)))

    @property
    def tokens(self) -> int:
        return self.read + self.written


@dataclass(frozen=True, slots=True)
class Pause:
    """Requests to models are held back since ``since``; ``until`` is None where nobody knows."""

    since: float
    until: float | None
    reason: str


@dataclass(slots=True)
class Spending:
    """Of a run, by model; the bills of tasks and agents are with them."""

    by_model: dict[str, Bill] = field(default_factory=dict)
    pause: Pause | None = None
    paused: float = 0.0  # seconds of pauses that are over
    stopped: str = ""  # why no request is sent any more: a budget, or the account
    differs: bool = False  # that reason is a replay's first difference, which stays however often it is tried
    budget: tuple[float, int] = (0.0, 0)  # US dollars and tokens; 0: no limit
    task_budget: SpendingLimit | None = None  # of every task, where one was given to go on with

    def called(self, r: Record) -> None:
        self.by_model.setdefault(r["model"], Bill()).add(r)

    def held(self, r: Record) -> None:
        since = self.pause.since if self.pause else r["time"]
        self.pause = Pause(since, r["until"], r["reason"])

    def released(self, at: float) -> None:
        if self.pause is not None:
            self.paused += max(0.0, at - self.pause.since)
            self.pause = None

    @property
    def total(self) -> Bill:
        return sum(self.by_model.values(), Bill())
