"""What a shell command consists of: simple commands, words and redirections."""

from __future__ import annotations

from dataclasses import dataclass


class Unclear(Exception):
    """What a command does cannot be told; the message says why, as a sentence about it without its subject."""


@dataclass(frozen=True, slots=True)
class Word:
    """One argument. ``known`` is False where an expansion is left out of ``text``."""

    text: str
    known: bool = True
    pattern: bool = False  # the shell looks for files that match it
    quoted_from: int = 1 << 30  # index in ``text`` of the first character that is quoted or expanded
    inner: tuple[Simple, ...] = ()  # commands inside $(…)

    @property
    def bare(self) -> bool:
        """Whether it stands there as it is: only such a word can be a keyword."""
        return self.quoted_from >= len(self.text) and self.known


@dataclass(frozen=True, slots=True)
class Redirect:
    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """A program with its arguments, and the operator after it: empty at the end."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    joined: str = ""


class Making:
    """A word that is being read."""

    def __init__(self) -> None:
        self.begun = False
        self._parts: list[str] = []
        self._length, self._quoted_from = 0, 1 << 30
        self._known = True
        self._special: set[str] = set()
        self._inner: list[Simple] = []

    def add(self, text: str, *, quoted: bool = False, special: str = "") -> None:
        self.begun = True
        if quoted:
            self._quoted_from = min(self._quoted_from, self._length)
        self._parts.append(text)
        self._length += len(text)
        self._special.add(special)

    def leave_out(self, inner: tuple[Simple, ...] = ()) -> None:
        """An expansion stands here."""
        self.add("", quoted=True)
        self._known = False
        self._inner += inner

    def word(self) -> Word | None:
        if not self.begun:
            return None
        text = "".join(self._parts)
        pattern = bool(self._special & {"*", "?"}) or ("[" in self._special and "]" in text)
        return Word(text, self._known, pattern, self._quoted_from, tuple(self._inner))
