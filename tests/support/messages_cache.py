"""Tokens of a request and of an answer, and the prompt cache that decides how the request's are billed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.model import Price, Tokens
from tests.support.messages_rules import merged
from tests.support.messages_script import Body, Reply

_MINUTES_5, _HOUR = 300.0, 3600.0
_LOOK_BACK = 20  # blocks before a mark in which what was kept is found


def tokens_of(text: str) -> int:
    """Below what ``shared.tokens`` estimates of the same text: a server never bills more than was to be expected."""
    return -(-len("".join(text.split())) // 5)


def answer_tokens(reply: Reply) -> int:
    inputs = (canonical(use.input) + use.name for use in reply.tools)
    return max(1, sum(map(tokens_of, (reply.text, reply.thinking, *inputs))))


def cost(prices: Sequence[Price], model: str, tokens: Tokens) -> float:
    """US dollars; 0 for a model without a price. A prompt's size decides which of a model's prices holds."""
    prompt = tokens.total - tokens.output
    fitting = [
        price
        for price in prices
        if model.startswith(price.model) and (prompt > price.above or not price.above)
    ]
    if not fitting:
        return 0.0
    price = max(fitting, key=lambda price: (len(price.model), price.above))
    millionths = (
        tokens.input * price.input
        + tokens.output * price.output
        + tokens.cache_write * price.cache_write
        + tokens.cache_write_1h * price.cache_write_1h
        + tokens.cache_read * price.cache_read
    )
    return millionths / 1e6


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Block:
    tokens: int
    prefix: str  # a digest of everything up to here
    keep: float  # seconds; 0 where it is not marked


@dataclass(slots=True)
class PromptCache:
    """What was marked in earlier requests, per model; a read keeps it for as long again."""

    least: int = 512  # tokens of a prefix that is worth keeping
    _until: dict[str, float] = field(default_factory=dict)

    def billed(self, body: Body, now: float) -> Tokens:
        """The prompt's tokens; remembers what is marked. ``now`` is in seconds."""
        blocks = list(_blocks(body))
        sums = [0]
        for block in blocks:
            sums.append(sums[-1] + block.tokens)
        marks = [n for n, block in enumerate(blocks, 1) if block.keep and sums[n] >= self.least]
        read = self._found(blocks, marks, now)
        last = max([read, *marks])
        hour = max([read, *(n for n in marks if blocks[n - 1].keep == _HOUR)])
        for n in {*marks, read} - {0}:
            keep = blocks[n - 1].keep or _MINUTES_5
            key = blocks[n - 1].prefix
            self._until[key] = max(self._until.get(key, 0.0), now + keep)
        return Tokens(
            input=sums[-1] - sums[last],
            cache_write=sums[last] - sums[hour],
            cache_write_1h=sums[hour] - sums[read],
            cache_read=sums[read],
        )

    def _found(self, blocks: Sequence[_Block], marks: Sequence[int], now: float) -> int:
        """How many of the blocks are read from the cache."""
        for mark in reversed(marks):
            for n in range(mark, max(0, mark - _LOOK_BACK), -1):
                if self._until.get(blocks[n - 1].prefix, 0.0) > now:
                    return n
        return 0


def prompt_tokens(body: Body) -> int:
    return sum(block.tokens for block in _blocks(body))


def _blocks(body: Body) -> Iterator[_Block]:
    """Tools, system and messages in the order in which the cache sees them."""
    digest = hashlib.sha256(str(body.get("model")).encode())
    for role, block in _parts(body):
        text = canonical(_unmarked(block))
        digest.update(f"{role}\0{text}\0".encode(errors="surrogatepass"))
        mark = block.get("cache_control") or {}
        keep = 0.0 if not mark else _HOUR if mark.get("ttl") == "1h" else _MINUTES_5
        yield _Block(tokens_of(text), digest.hexdigest(), keep)


def _parts(body: Body) -> Iterator[tuple[str, Body]]:
    for tool in body.get("tools") or []:
        yield "tool", tool
    system = body.get("system") or []
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        yield "system", block
    for role, blocks in merged(body.get("messages") or []):
        for block in blocks:
            yield role, block


def _unmarked(value: Any) -> Any:
    """Marks move on from request to request and are no part of what is kept."""
    if isinstance(value, Mapping):
        return {key: _unmarked(inner) for key, inner in value.items() if key != "cache_control"}
    return [_unmarked(inner) for inner in value] if isinstance(value, list) else value
