"""What the rounds of one ``spinney follow`` may spend together. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model import Spending, Usage


@dataclass(frozen=True, slots=True)
class Purse:
    limit: Spending = field(default_factory=Spending)
    used: Usage = field(default_factory=Usage)

    def pay(self, usage: Usage) -> Purse:
        return Purse(self.limit, self.used + usage)

    @property
    def left(self) -> Spending:
        """What a further round may spend, where ``empty`` is not."""
        usd = self.limit.usd - (self.used.cost_usd or 0.0) if self.limit.usd else 0.0
        return Spending(usd, self.limit.tokens - self.used.tokens.total if self.limit.tokens else 0)

    @property
    def empty(self) -> str:
        """Why there is nothing left, or an empty text."""
        if self.limit.usd and (self.used.cost_usd is None or self.left.usd <= 0):
            return f"the budget of {self.limit.usd:g} US dollars is spent"
        if self.limit.tokens and self.left.tokens <= 0:
            return f"the budget of {self.limit.tokens} tokens is spent"
        return ""
