"""Bytes as they come, cut into lines of a bounded length. Pure."""

from __future__ import annotations

LONGEST = 16 * 1024 * 1024  # bytes of a line; a result repeats what was refused, whole files included


class Lines:
    """Keeps the beginning of a line until its end comes. A line that grows too long is dropped, and counted."""

    def __init__(self, longest: int = LONGEST) -> None:
        self.dropped = 0
        self._longest = longest
        self._kept: list[bytes] = []
        self._size = 0
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends."""
        *ends, rest = data.split(b"\n")
        whole = []
        for end in ends:
            self._keep(end)
            if not self._dropping:
                whole.append(b"".join(self._kept).rstrip(b"\r"))
            self._clear()
        self._keep(rest)
        return whole

    def last(self) -> list[bytes]:
        """What came after the last end of a line, if anything did."""
        left = [] if self._dropping or not self._size else [b"".join(self._kept)]
        self._clear()
        return left

    def _keep(self, part: bytes) -> None:
        if self._dropping:
            return
        self._size += len(part)
        if self._size > self._longest:
            self._kept, self._dropping = [], True
            self.dropped += 1
        elif part:
            self._kept.append(part)

    def _clear(self) -> None:
        self._kept, self._size, self._dropping = [], 0, False
