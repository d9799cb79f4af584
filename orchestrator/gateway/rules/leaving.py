"""What a request may have cost whose agent left before its answer told. Pure.

It counts against the budgets: otherwise an agent that always leaves in time would work for nothing. Our own stops
and time limits leave in the same way, and cannot be told from that; those must not eat the budget of a run that is
to be resumed. So no more is assumed than can have happened: the prompt is paid for whole, and of a stream as much
as a model can have written by then, since nothing goes on writing into a connection that is closed. An answer in one
piece may be finished, and paid for, with nobody there.
"""

from __future__ import annotations

from orchestrator.gateway.rules.ledger import Worst
from orchestrator.gateway.rules.prices import Prices
from orchestrator.gateway.rules.requests import Asked

_FASTEST = 300.0  # tokens a second that a model writes; most write fewer than 100
_UNNOTICED = 5.0  # seconds that a model may go on until it is known there that nobody listens


def untold(asked: Asked, seconds: float, prices: Prices) -> Worst:
    """Of a request that was sent so many ``seconds`` ago."""
    written = int(_FASTEST * (max(seconds, 0.0) + _UNNOTICED))
    output = min(asked.output, written) if asked.stream else asked.output
    cost = prices.worst(asked.model, asked.input, output, asked.caching)
    return Worst(asked.input + output, cost)
