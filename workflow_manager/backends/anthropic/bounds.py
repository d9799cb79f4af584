"""What a model gets to read of something that may be of any size and kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LIMIT = 30_000  # characters of one tool's result
_BINARY_LOOK = 8192  # bytes in which a NUL tells that a file is no text


def bounded(text: str, limit: int = LIMIT) -> str:
    """``text``, its middle cut out where it is longer than ``limit``: beginnings and ends say most."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 2], text[-(limit // 2) :]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[… {left_out:,} characters left out …]\n{tail}"


def readable(text: str) -> str:
    """``text`` as it can be sent: halves of characters, which stand for bytes of a name, become question marks."""
    return text.encode(errors="replace").decode()


def is_binary(data: bytes) -> bool:
    return b"\0" in data[:_BINARY_LOOK]


def numbered(text: str, first: int = 1, limit: int = LIMIT) -> str:
    """``text`` with the number of each line before it, as ``cat -n`` does.

    Of a text longer than ``limit`` the first and the last lines are shown, and which ones are not.
    """
    lines = text.removesuffix("\n").split("\n")
    if len(text) <= limit:
        return _with_numbers(lines, first)
    head, tail = _within(lines, limit // 2), _within(reversed(lines), limit // 2)
    if head + tail >= len(lines) - 1:
        return bounded(_with_numbers(lines, first), limit)
    gap = f"[… lines {first + head} to {first + len(lines) - tail - 1} left out; view_range shows them …]"
    last = _with_numbers(lines[len(lines) - tail :], first + len(lines) - tail)
    return "\n".join(filter(None, [_with_numbers(lines[:head], first), gap, last]))


def _with_numbers(lines: Sequence[str], first: int) -> str:
    return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, first))


def _within(lines: Iterable[str], size: int) -> int:
    """How many of ``lines`` fit into ``size`` characters, their numbers included."""
    for count, line in enumerate(lines):
        size -= len(line) + 8
        if size < 0:
            return count
    return count + 1


class Gathered:
    """The beginning and the end of bytes that arrive in pieces, in bounded memory."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._half = limit // 2
        self._head, self._tail = bytearray(), bytearray()
        self._size = 0

    def add(self, data: bytes) -> None:
        self._size += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        del self._tail[: -self._half]

    @property
    def text(self) -> str:
        left_out = self._size - len(self._head) - len(self._tail)
        note = f"\n[… {left_out:,} bytes left out …]\n".encode() if left_out else b""
        return bytes(self._head + note + self._tail).decode(errors="replace")
