"""Answers of the Messages API as bytes: events of a stream split at awkward places, whole messages, errors. Pure."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from shared.model import Tokens
from tests.support.messages_cache import answer_tokens, canonical, tokens_of
from tests.support.messages_script import Asked, Body, Reply, ToolUse

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SIZES = (1, 7, 2, 3, 19, 1, 5, 11)  # characters of the first pieces of an input; then long ones
_TEXT_PIECE = 13


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream, and the output tokens that have been sent with its end."""

    name: str
    data: Body
    output: int

    @property
    def wire(self) -> bytes:
        return f"event: {self.name}\ndata: {json.dumps(self.data)}\n\n".encode()


def error_body(status: int, kind: str, message: str) -> Body:
    """The error that belongs to ``status`` where ``kind`` is empty."""
    error = {"type": kind or _ERRORS.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": None}


def signature(thinking: str) -> str:
    """What proves that the model thought so."""
    return hashlib.sha256(b"thought" + thinking.encode()).hexdigest()


def identified(asked: Asked, reply: Reply) -> list[ToolUse]:
    """The uses with ids made of the conversation: the same in every run of it."""
    seed = hashlib.sha256(canonical([m["role"] for m in asked.messages]).encode() + asked.opening.encode())
    ids = (f"toolu_{hashlib.sha256(seed.digest() + bytes([n])).hexdigest()[:22]}" for n in itertools.count())
    return [ToolUse(use.name, use.input, use.id or made) for use, made in zip(reply.tools, ids, strict=False)]


def message(asked: Asked, reply: Reply, prompt: Tokens) -> Body:
    """The whole message, as a request that does not stream gets it."""
    content: list[Body] = []
    if reply.thinking:
        content.append(
            {"type": "thinking", "thinking": reply.thinking, "signature": signature(reply.thinking)}
        )
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    for use in identified(asked, reply):
        content.append({"type": "tool_use", "id": use.id, "name": use.name, "input": use.input})
    return {
        "id": f"msg_{hashlib.sha256(f'{asked.number} {asked.at}'.encode()).hexdigest()[:22]}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": reply.stop_reason or ("tool_use" if reply.tools else "end_turn"),
        "stop_sequence": None,
        "usage": usage(prompt, output_of(reply)),
    }


def output_of(reply: Reply) -> int:
    return reply.usage.output if reply.usage is not None else answer_tokens(reply)


def usage(prompt: Tokens, output: int) -> Body:
    return {
        "input_tokens": prompt.input,
        "cache_creation_input_tokens": prompt.cache_write + prompt.cache_write_1h,
        "cache_read_input_tokens": prompt.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": prompt.cache_write,
            "ephemeral_1h_input_tokens": prompt.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def events(asked: Asked, reply: Reply, prompt: Tokens) -> Iterator[Event]:
    """The stream; a ping after the first event and one in the middle of the first block."""
    whole = message(asked, reply, prompt)
    begun = min(1, output_of(reply))
    start = {**whole, "content": [], "stop_reason": None, "usage": usage(prompt, begun)}
    yield Event("message_start", {"type": "message_start", "message": start}, begun)
    yield _ping(begun)
    sent = 0
    for index, block in enumerate(whole["content"]):
        for event in _block_events(index, block):
            sent += event.output
            yield Event(event.name, event.data, min(max(begun, sent), output_of(reply)))
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    total = {key: value for key, value in usage(prompt, output_of(reply)).items() if key.endswith("tokens")}
    yield Event("message_delta", {"type": "message_delta", "delta": end, "usage": total}, output_of(reply))
    yield Event("message_stop", {"type": "message_stop"}, output_of(reply))


def _ping(output: int) -> Event:
    return Event("ping", {"type": "ping"}, output)


def _block_events(index: int, block: Body) -> Iterator[Event]:
    """Each with the tokens that it sends by itself."""
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    start = {
        "type": "content_block_start",
        "index": index,
        "content_block": {**block, **empty[block["type"]]},
    }
    yield Event("content_block_start", start, tokens_of(block.get("name", "")))
    for number, (delta, tokens) in enumerate(_deltas(block)):
        data = {"type": "content_block_delta", "index": index, "delta": delta}
        yield Event("content_block_delta", data, tokens)
        if index == 0 and number == 1:
            yield _ping(0)
    yield Event("content_block_stop", {"type": "content_block_stop", "index": index}, 0)


def _deltas(block: Body) -> Iterator[tuple[Body, int]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"])
        for piece in ("", *_awkward(text)):
            yield {"type": "input_json_delta", "partial_json": piece}, tokens_of(piece)
        return
    kind = block["type"]
    for piece in _pieces(block[kind]):
        yield {"type": f"{kind}_delta", kind: piece}, tokens_of(piece)
    if kind == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}, 0


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + _TEXT_PIECE] for start in range(0, len(text), _TEXT_PIECE))


def _awkward(text: str) -> Iterator[str]:
    """Pieces that break keys, escapes and numbers in the middle."""
    at = 0
    for size in itertools.chain(_SIZES, itertools.repeat(997)):
        if at >= len(text):
            return
        yield text[at : at + size]
        at += size
