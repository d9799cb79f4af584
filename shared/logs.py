"""An agent's output on disk: its beginning and its end, whatever it prints in between."""

from __future__ import annotations

from pathlib import Path

HEAD = 8 * 1024 * 1024  # bytes kept from the beginning
TAIL = 256 * 1024  # bytes kept from the end


class BoundedLog:
    """A log file of at most ``HEAD + TAIL`` bytes and a line that says how much was left out."""

    def __init__(self, path: Path, *, head: int = HEAD, tail: int = TAIL) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._head, self._limit = head, tail
        self._written = self._file.tell()
        self._tail = bytearray()
        self._dropped = 0

    def write(self, data: bytes) -> None:
        room = max(0, self._head - self._written)
        if room:
            self._file.write(data[:room])
            self._written += min(room, len(data))
        self._tail += data[room:]
        excess = len(self._tail) - self._limit
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def close(self) -> None:
        if self._dropped:
            self._file.write(f"\n[… {self._dropped} bytes left out …]\n".encode())
        self._file.write(bytes(self._tail))
        self._file.close()
