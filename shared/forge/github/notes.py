"""What went otherwise than asked for and fails nothing, for people to read."""

from __future__ import annotations


class Notes:
    """Each once, in the order of their coming; may be added to by several threads."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, text: str) -> None:
        self._said.setdefault(text)

    def all(self) -> tuple[str, ...]:
        return tuple(self._said)
