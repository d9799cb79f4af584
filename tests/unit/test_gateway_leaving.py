from __future__ import annotations

import pytest

from orchestrator.gateway.rules.leaving import untold
from orchestrator.gateway.rules.ledger import Worst
from orchestrator.gateway.rules.prices import Prices
from orchestrator.gateway.rules.requests import Asked
from shared.model import Price

PRICES = Prices([Price("m", 1_000_000.0, 2_000_000.0)])  # a dollar a token that is read, two for one written


@pytest.mark.parametrize(
    ("asked", "seconds", "tokens", "cost"),
    [
        (Asked("m", stream=False, input=10, output=50_000), 1.0, 50_010, 100_010.0),
        (Asked("m", stream=True, input=10, output=50_000), 0.0, 1510, 3010.0),
        (Asked("m", stream=True, input=10, output=50_000), 1.0, 1810, 3610.0),
        (Asked("m", stream=True, input=10, output=50_000), 3600.0, 50_010, 100_010.0),
        (Asked("m", stream=True, input=10, output=5), 1.0, 15, 20.0),
        (Asked("unknown", stream=True, input=10, output=5), 1.0, 15, None),
    ],
)
def test_who_leaves_is_taken_to_have_spent(
    asked: Asked, seconds: float, tokens: int, cost: float | None
) -> None:
    assert untold(asked, seconds, PRICES) == Worst(tokens, cost)
