"""Answers carried over into another run: folders and run ids in them are rewritten. Pure.

A stream carries text and the inputs of tools in pieces that break anywhere, so the pieces of a block are put together
before they are looked at; those in which nothing changes stay as they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.gateway.recording.normal import rewritten

_CARRIED = {
    "text_delta": "text",
    "input_json_delta": "partial_json",
    "thinking_delta": "thinking",
}  # the field of each kind of piece that is a part of a whole

Rewrite = Callable[[str], str]


@dataclass(slots=True)
class _Event:
    name: str
    data: Any

    def wire(self) -> str:
        text = json.dumps(
            self.data, separators=(",", ":")
        )  # in ASCII: halves of characters stay what they are
        return f"event: {self.name}\ndata: {text}\n\n"


def moved(body: bytes, rewrite: Rewrite) -> bytes:
    """A whole answer, streamed or not, with its texts rewritten; as it was where there is nothing to rewrite."""
    text = body.decode(errors="replace")
    if text.lstrip()[:1] == "{":
        return _moved_message(body, text, rewrite)
    events = list(_events(text))
    changed = [_moved_piece(pieces, rewrite) for pieces in _runs(events)]
    if not any(changed):
        return body
    return "".join(event.wire() for event in events).encode()


def _moved_message(body: bytes, text: str, rewrite: Rewrite) -> bytes:
    try:
        data = json.loads(text)
        new = rewritten(data, rewrite)
    except (ValueError, RecursionError):
        return body
    return body if new == data else json.dumps(new).encode()


def _events(text: str) -> Iterator[_Event]:
    for block in text.replace("\r\n", "\n").split("\n\n"):
        name, data = "", ""
        for line in block.split("\n"):
            field, _, value = line.partition(": ")
            name = value if field == "event" else name
            data = value if field == "data" else data
        if data:
            try:
                yield _Event(name, json.loads(data))
            except (ValueError, RecursionError):  # the last one of a stream that was cut
                return


def _runs(events: list[_Event]) -> Iterator[list[_Event]]:
    """The pieces of each whole, in order; pings lie between them."""
    open_runs: dict[tuple[int, str], list[_Event]] = {}
    for event in events:
        delta = event.data.get("delta") or {}
        if event.name == "content_block_delta" and delta.get("type") in _CARRIED:
            key = (event.data.get("index", 0), delta["type"])
            open_runs.setdefault(key, []).append(event)
    yield from open_runs.values()


def _moved_piece(pieces: list[_Event], rewrite: Rewrite) -> bool:
    """Rewrite a whole; the first of its pieces then carries all of it. Returns whether anything changed."""
    kind = pieces[0].data["delta"]["type"]
    field = _CARRIED[kind]
    whole = "".join(piece.data["delta"].get(field) or "" for piece in pieces)
    new = _moved_json(whole, rewrite) if kind == "input_json_delta" else rewrite(whole)
    if new == whole:
        return False
    for number, piece in enumerate(pieces):
        piece.data["delta"][field] = "" if number else new
    return True


def _moved_json(text: str, rewrite: Rewrite) -> str:
    """Inside the strings: a path with a quotation mark is written otherwise there."""
    try:
        data = json.loads(text)
        new = rewritten(data, rewrite)
    except (ValueError, RecursionError):
        return rewrite(text)  # an input that was cut: only its beginning is there
    return text if new == data else json.dumps(new)
