"""Pull requests kept in memory, for the local forge."""

from __future__ import annotations

from shared.model import Oid


class MemoryPulls:
    """A ``PullStore`` that lasts as long as the test."""

    def __init__(self) -> None:
        self._pulls: dict[int, tuple[Oid, str]] = {}

    def numbers(self) -> list[int]:
        return sorted(self._pulls)

    def read(self, number: int) -> tuple[Oid, str] | None:
        return self._pulls.get(number)

    def create(self, tip: Oid, meta: str) -> int:
        number = max(self._pulls, default=0) + 1
        self._pulls[number] = (tip, meta)
        return number

    def write(self, number: int, tip: Oid, meta: str) -> None:
        self._pulls[number] = (tip, meta)
