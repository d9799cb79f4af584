from __future__ import annotations

import pytest

from orchestrator.gateway.rules.prices import Caching, Prices
from shared.model import PRICES, Price, Tokens

TABLE = Prices(
    [
        Price("small", 1.0, 5.0, 1.25, 2.0, 0.1),
        Price("small", 2.0, 10.0, 2.5, 4.0, 0.2, above=100_000),
        Price("plain", 3.0, 15.0),
    ]
)
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "tokens", "cost"),
    [
        ("small", Tokens(), 0.0),
        ("small", Tokens(input=1000), 0.001),
        ("small", Tokens(output=MILLION), 5.0),
        ("small", Tokens(1000, 1000, 1000, 1000, 1000), (1 + 5 + 1.25 + 2 + 0.1) / 1000),
        ("small", Tokens(input=100_000), 0.1),
        ("small", Tokens(input=100_001), 0.200002),
        ("small", Tokens(input=1, cache_read=100_000), 2e-6 + 0.02),
        ("small", Tokens(input=100, output=200_000), 1.0001),  # an answer does not make a prompt longer
        ("small-20261001", Tokens(input=1000), 0.001),
        ("small-latest", Tokens(input=1000), 0.001),
        ("smaller", Tokens(input=1000), None),
        ("", Tokens(), None),
    ],
)
def test_cost_of_tokens(model: str, tokens: Tokens, cost: float | None) -> None:
    assert TABLE.cost(model, tokens) == (cost if cost is None else pytest.approx(cost))


@pytest.mark.parametrize(
    ("model", "caching", "cost"),
    [
        ("small", "", 1.0 * 10 + 5.0),
        ("small", "5m", 1.25 * 10 + 5.0),
        ("small", "1h", 2.0 * 10 + 5.0),
        ("plain", "1h", 3.0 * 10 + 15.0),
        ("unknown", "", None),
    ],
)
def test_worst_case_of_a_prompt_that_may_be_kept(model: str, caching: Caching, cost: float | None) -> None:
    worst = TABLE.worst(model, 10_000, 1000, caching)
    assert worst == (cost if cost is None else pytest.approx(cost / 1000))


def test_default_models_have_prices() -> None:
    prices = Prices(PRICES)
    for model in ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"):
        assert prices.cost(model, Tokens(1, 1, 1, 1, 1))
