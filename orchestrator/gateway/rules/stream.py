"""Reading a stream of events while it passes by: what was billed, and whether it came to its end. Pure.

Keeps at most one unfinished line, whatever passes. Only the few events that say something about the whole are
parsed; those that carry the text are only measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.model import Tokens

_LONGEST_LINE = 1 << 20  # bytes; a longer one is none of those that are read
_FRAME = 100  # bytes of an event around the text that it carries
_BYTES_A_TOKEN = 3
_KEYS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
}
_TOLD = (b"message_start", b"message_delta", b"message_stop", b'"error"')


class StreamReader:
    """``feed`` it the chunks of an answer in order, wherever they were cut."""

    def __init__(self) -> None:
        self.tokens = Tokens()
        self.model = ""
        self.begun = False  # a message has begun
        self.complete = False
        self.error: tuple[str, str] | None = None  # type and message of an error event
        self._rest = bytearray()
        self._overlong = False
        self._usage: dict[str, Any] = {}
        self._bytes = 0  # of events that carry text

    @property
    def settled(self) -> bool:
        """Whether it is known how it begins: well or with an error."""
        return self.begun or self.error is not None

    @property
    def output_seen(self) -> int:
        """Tokens that have passed, about; for an answer that was cut before it told."""
        return max(self.tokens.output, self._bytes // _BYTES_A_TOKEN)

    def feed(self, chunk: bytes) -> None:
        lines = chunk.replace(b"\r", b"\n").split(b"\n")
        for line in lines[:-1]:
            self._rest += line
            if not self._overlong:
                self._line(bytes(self._rest))
            self._rest.clear()
            self._overlong = False
        self._rest += lines[-1]
        if len(self._rest) > _LONGEST_LINE:
            self._rest.clear()
            self._overlong = True

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        # Text that an event carries cannot be in its first bytes: the type comes first, or the index.
        if b"content_block_delta" in line[:60]:
            self.begun = True
            self._bytes += max(len(line) - _FRAME, 1)
        elif any(name in line for name in _TOLD):
            self._event(_parsed(line[5:]))

    def _event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if kind == "message_start":
            self.begun = True
            message = event.get("message")
            if isinstance(message, dict):
                self.model = str(message.get("model") or "")
                self._used(message.get("usage"))
        elif kind == "message_delta":
            self._used(event.get("usage"))
        elif kind == "message_stop":
            self.complete = True
        elif kind == "error":
            error = event.get("error")
            error = error if isinstance(error, dict) else {}
            self.error = str(error.get("type") or "api_error"), str(error.get("message") or "")

    def _used(self, usage: object) -> None:
        """Later figures are sums of all before, and may leave out what has not changed."""
        if isinstance(usage, dict):
            self._usage |= {key: value for key, value in usage.items() if value is not None}
            self.tokens = tokens(self._usage)


def tokens(usage: Mapping[str, Any]) -> Tokens:
    """From the ``usage`` of a message; what cannot be read counts as none."""
    plain = {name: _count(usage.get(key)) for name, key in _KEYS.items()}
    written = _count(usage.get("cache_creation_input_tokens"))
    detail = usage.get("cache_creation")
    hour = _count(detail.get("ephemeral_1h_input_tokens")) if isinstance(detail, dict) else 0
    if isinstance(detail, dict):
        written = max(written, hour + _count(detail.get("ephemeral_5m_input_tokens")))
    return Tokens(**plain, cache_write=written - min(hour, written), cache_write_1h=hour)


def message(body: bytes) -> tuple[str, Tokens]:
    """Model and tokens of an answer that came in one piece."""
    answer = _parsed(body)
    usage = answer.get("usage")
    return str(answer.get("model") or ""), tokens(usage if isinstance(usage, dict) else {})


def _count(value: object) -> int:
    return max(value, 0) if isinstance(value, int) else 0


def _parsed(text: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
