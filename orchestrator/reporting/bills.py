"""What models cost, in words. Pure. Figures are as the server billed them; what has no price is said to have none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orchestrator.reporting.times import spelled
from orchestrator.view import Bill, Pause, RunView
from shared.model import Spending


def dollars(usd: float) -> str:
    """Such as ``1.20 USD``; small amounts with two digits more."""
    return f"{usd:.2f} USD" if usd >= 0.1 or usd == 0 else f"{usd:.4f} USD"


def bill(one: Bill) -> str:
    """Such as ``12 calls, 34,567 tokens read (30,000 cached), 4,321 written, 0.1234 USD``."""
    parts = [f"{one.calls} call{'s' if one.calls != 1 else ''}"]
    if one.tokens:
        cached = f" ({one.cached:,} cached)" if one.cached else ""
        parts += [f"{one.read:,} tokens read{cached}", f"{one.written:,} written", cost(one)]
    if one.from_record:
        parts.append(f"{one.from_record} answered from the record")
    return ", ".join(parts)


def cost(one: Bill) -> str:
    if one.unpriced == one.tokens and one.tokens:
        return "no price known"
    return dollars(one.usd) + (f" and {one.unpriced:,} tokens without a known price" if one.unpriced else "")


def limit(budget: Spending) -> str:
    """Such as ``5.00 USD or 2,000,000 tokens``."""
    return " or ".join(
        [f"{budget.usd:.2f} USD"] * bool(budget.usd) + [f"{budget.tokens:,} tokens"] * bool(budget.tokens)
    )


def models(view: RunView) -> Iterator[str]:
    """A line a model, and what is left of the budget."""
    spending = view.spending
    for model, one in sorted(spending.by_model.items()):
        yield f"{model:<18} {bill(one)}"
    total = spending.total
    if total.tries > total.calls:
        yield f"{'sent again':<18} {total.tries - total.calls} times, because the server was busy or away"
    if spending.paused:
        yield f"{'held back':<18} {spelled(spending.paused)}"
    if total.calls and any(spending.budget):
        spent = f"{dollars(total.usd)}, {total.tokens:,} tokens"
        yield f"{'of the budget':<18} {spent} of {limit(Spending(*spending.budget))}"


def waits(pause: Pause, who: str = "models") -> str:
    """What is waited for, and until when by this machine's clock."""
    if pause.until is None:
        return f"{who}: waiting ({pause.reason})"
    at = datetime.fromtimestamp(pause.until).astimezone().strftime("%H:%M:%S")
    return f"{who}: waiting until {at} ({pause.reason})"
