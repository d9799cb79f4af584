"""Budgets on the command line: dollars, tokens, or both."""

from __future__ import annotations

import re

import click

from shared.model import Spending

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(k|m)?(usd|tokens)?\Z")
_TIMES = {"k": 1_000, "m": 1_000_000}


def budget(text: str) -> Spending:
    """``5`` and ``5usd`` are US dollars, ``500ktokens`` and ``2mtokens`` tokens; a comma joins the two.

    For options to be read by. Raises BadParameter.
    """
    found = Spending()
    for part in text.replace(" ", "").lower().split(","):
        amount = _AMOUNT.match(part)
        if amount is None or not float(amount[1]):
            raise click.BadParameter(
                f"{part!r} is no budget: 5 (US dollars), 500ktokens, or both: 5,500ktokens"
            )
        number = float(amount[1]) * _TIMES.get(amount[2] or "", 1)
        more = Spending(tokens=int(number)) if amount[3] == "tokens" else Spending(usd=number)
        found = found.over(more)
    return found
