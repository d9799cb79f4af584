"""Values that must not get out, known by their digests. Pure.

Whoever looks for a secret need not hold it: an orchestrator with the key makes digests of it and of the forms in
which it is usually smuggled, and managers compare what agents left with those. A digest tells the length and the
first two bytes of its form, so that a megabyte is looked through in 50 ms instead of 400; of a key those are
``sk`` and what is printed at its end anyway. No agent ever sees one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

SHORTEST = 8  # bytes; what is shorter is no secret, and would be found everywhere
_BLANKS = b" \t\r\n\v\f\0"  # left out of what is compared: encodings are wrapped, UTF-16 is full of zeros
_SEEN = 2  # first bytes by which windows are picked that are hashed

Digest = str  # ``length:first bytes:sha256`` of one form of one value


def digests(values: Iterable[str]) -> tuple[Digest, ...]:
    """Of each value as it is, in base64 (wherever in a text it begins), hexadecimal, reversed, percent-encoded."""
    forms = {form for value in values for form in _forms(_bare(value.encode(errors="surrogateescape")))}
    return tuple(sorted(_digest(form) for form in forms))


def known(content: str | bytes, digests: Iterable[Digest]) -> bool:
    """Whether ``content`` holds one of the values in any of those forms, blanks and line breaks in it or not."""
    wanted = _by_start(digests)
    if not wanted:
        return False
    raw = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    data = _bare(raw)
    starts = re.compile(b"(?=(" + b"|".join(re.escape(start) for start in wanted) + b"))")
    return any(
        hashlib.sha256(data[place : place + length]).hexdigest() == digest
        for match in starts.finditer(data)
        for place in (match.start(),)
        for length, digest in wanted[match[1]]
        if place + length <= len(data)
    )


def withheld(text: str, digests: Iterable[Digest]) -> str:
    """``text``, or in its place that it is not shown, where it holds one of the values."""
    return "[not shown: it held a secret of this run]" if known(text, digests) else text


def _by_start(digests: Iterable[Digest]) -> Mapping[bytes, list[tuple[int, str]]]:
    wanted: dict[bytes, list[tuple[int, str]]] = {}
    for entry in digests:
        length, start, digest = entry.split(":")
        wanted.setdefault(bytes.fromhex(start), []).append((int(length), digest))
    return wanted


def _digest(form: bytes) -> Digest:
    return f"{len(form)}:{form[:_SEEN].hex()}:{hashlib.sha256(form).hexdigest()}"


def _bare(data: bytes) -> bytes:
    return data.translate(None, _BLANKS)


def _forms(value: bytes) -> Iterator[bytes]:
    if len(value) < SHORTEST:
        return
    yield value
    yield value[::-1]
    yield value.hex().encode()
    yield value.hex().upper().encode()
    yield quote(value, safe="").encode()
    yield "".join(f"%{byte:02x}" for byte in value).encode()
    yield "".join(f"%{byte:02X}" for byte in value).encode()
    for before in range(3):
        inner = _inner(value, before)
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _inner(value: bytes, before: int) -> bytes:
    """The part of the base64 text that ``value`` alone decides when ``before`` bytes (mod 3) precede it."""
    encoded = base64.b64encode(bytes(before) + value).rstrip(b"=")
    first = -(-before * 8 // 6)
    return encoded[first:] if (before + len(value)) % 3 == 0 else encoded[first:-1]
