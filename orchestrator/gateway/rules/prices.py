"""From tokens to US dollars by the configuration's table. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from shared.model import Price, Tokens

Caching = Literal["", "5m", "1h"]  # for how long a request wants its prompt kept at most
_MILLION = 1_000_000
_DATED = re.compile(r"-(\d{8}|latest)$")  # what a model's name may have at its end and its price does not


class Prices:
    """A table with one or more prices a model, each for prompts above some size."""

    def __init__(self, table: Iterable[Price]) -> None:
        self._of: dict[str, list[Price]] = {}
        for price in table:
            self._of.setdefault(price.model, []).append(price)
        for prices in self._of.values():
            prices.sort(key=lambda price: price.above)

    def cost(self, model: str, tokens: Tokens) -> float | None:
        """What ``tokens`` of one request cost; None where ``model`` has no price."""
        price = self._price(model, tokens.total - tokens.output)
        if price is None:
            return None
        sums = (
            tokens.input * price.input,
            tokens.output * price.output,
            tokens.cache_write * price.cache_write,
            tokens.cache_write_1h * price.cache_write_1h,
            tokens.cache_read * price.cache_read,
        )
        return sum(sums) / _MILLION

    def worst(self, model: str, tokens_in: int, tokens_out: int, caching: Caching) -> float | None:
        """The most that a prompt of about ``tokens_in`` can cost; with ``caching`` all of it may be written."""
        price = self._price(model, tokens_in)
        if price is None:
            return None
        writing = {"": 0.0, "5m": price.cache_write, "1h": max(price.cache_write, price.cache_write_1h)}
        return (tokens_in * max(price.input, writing[caching]) + tokens_out * price.output) / _MILLION

    def _price(self, model: str, prompt: int) -> Price | None:
        prices = self._of.get(model) or self._of.get(_DATED.sub("", model), [])
        fitting = [price for price in prices if prompt > price.above or not price.above]
        return fitting[-1] if fitting else None
