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

from orchestrator.gateway.moving import moved

REDACTED = "[redacted]"
_SHORTEST = 8  # characters; what is shorter is no secret, and would be found everywhere
_NAME = rb"(?i:\b(?:authorization|x-api-key|anthropic-auth-token)[\"']?\s?[:=]\s?[\"']?(?:bearer )?)"
_BY_LOOKS = re.compile(
    rb"\bspinney-[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"
    rb"|\bsk-ant-[A-Za-z0-9_-]{16,}"
    # A value with a digit: names in source code go on to be what they were, because replays write them.
    rb"|(" + _NAME + rb")(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{20,}"
)
_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "set-cookie", "proxy-authorization"})


class Redaction:
    """Takes ``secrets`` out, in whatever form they appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile(b"|".join(map(re.escape, longest_first)) or rb"(?!)")

    def __call__(self, data: bytes) -> bytes:
        return _BY_LOOKS.sub(_kept_name, self._known.sub(REDACTED.encode(), data))

    def text(self, text: str) -> str:
        return self(text.encode(errors="surrogateescape")).decode(errors="surrogateescape")

    def answer(self, body: bytes) -> bytes:
        """The same for an answer: in a stream, a secret can be spread over several pieces."""
        return self(moved(body, self.text))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: REDACTED if name.lower() in _HEADERS else self.text(value)
            for name, value in headers.items()
        }


def _kept_name(found: re.Match[bytes]) -> bytes:
    """A header keeps its name."""
    return (found[1] or b"") + REDACTED.encode()


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
