"""Secrets taken out of what is kept. Pure.

A key has no business in a request, but agents can be made to print what they see, and programs put headers into their
messages. Known values go in all forms in which they are usually carried on; tokens and keys of the provider's go by
their looks, whoever's they are.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from orchestrator.gateway.recording.moving import moved

REDACTED = "[redacted]"
_REDACTED = REDACTED.encode()
_SHORTEST = 8  # characters; what is shorter is no secret, and would be found everywhere
_NAMES = (b"authorization", b"x-api-key", b"anthropic-auth-token")
_STARTS = (b"spinney-", b"sk-ant-")
_TOKENS = re.compile(
    rb"\bspinney-[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"  # of agents, for the gateway
    rb"|\bsk-ant-[A-Za-z0-9_-]{16,}"
)
_VALUES = re.compile(
    rb"(?i)(\b(?:" + b"|".join(_NAMES) + rb")[\"']?\s?[:=]\s?[\"']?(?:bearer )?)"
    # With a digit: names in source code go on to be what they were, because replays write them.
    rb"(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{20,}"
)
_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "set-cookie", "proxy-authorization"})


class Redaction:
    """Takes ``secrets`` out, in whatever form they appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._known = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, data: bytes) -> bytes:
        for form in self._known:  # each a fast search; one expression for all would be a slow one
            data = data.replace(form, _REDACTED)
        # Looked for only where there may be one; that costs a hundredth.
        if any(start in data for start in _STARTS):
            data = _TOKENS.sub(_REDACTED, data)
        lower = data.lower()
        if any(name in lower for name in _NAMES):
            data = _VALUES.sub(rb"\1" + _REDACTED, data)
        return data

    def text(self, text: str) -> str:
        return self(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def answer(self, body: bytes) -> bytes:
        """The same for an answer: in a stream, a secret can be spread over several pieces."""
        return self(moved(body, self.text))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: REDACTED if name.lower() in _HEADERS else self.text(value)
            for name, value in headers.items()
        }


def _forms(secret: str) -> Iterator[bytes]:
    value = secret.encode(errors="surrogateescape")
    for plain in {value, json.dumps(secret)[1:-1].encode(), quote(value, safe="").encode()}:
        yield plain
        yield plain[::-1]
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for before in range(3):
        inner = _inner(value, before)
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _inner(value: bytes, before: int) -> bytes:
    """What ``value`` alone decides of base64 text, when ``before`` bytes (mod 3) come before it."""
    text = base64.b64encode(b"\0" * before + value)
    first = -(-before * 8 // 6)
    last = (before + len(value)) * 8 // 6
    return text[first:last]
