"""A task list in Markdown: check boxes and numbered items with what is written below them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

_FENCE = re.compile(r"(`{3,}|~{3,})")
_ITEM = re.compile(
    r"(?P<bullet>[-*+][ \t]{1,4}(?:\[(?P<box>[ xX])\][ \t]{1,4})?)?"
    r"(?:(?P<number>[0-9]{1,4}(?:\.[0-9]{1,4}){0,5})(?P<dot>[.)])?[ \t]{1,4}(?:\[(?P<late>[ xX])\][ \t]{1,4})?)?"
    r"(?P<text>\S.*)"
)
_MOST_ITEMS = 2000


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do. ``level`` is 0 for an item at the margin, one more for each list around it."""

    number: str  # as written, such as ``2.1``, or given by its place
    text: str
    done: bool = False
    details: str = ""  # the paragraphs and plain bullets below it
    level: int = 0


@dataclass(slots=True)
class _Open:
    """An item that is being read."""

    indent: int
    item: Item
    details: list[str]


def parse(text: str) -> tuple[Item, ...]:
    """The items of every list in ``text``, in order: check boxes and numbered lines; none is an empty tuple.

    Where there are check boxes anywhere, a numbered line without a box is no item but a detail of one. What is
    between code fences is never an item.
    """
    lines = _lines(text)
    return _Reader(any(_is_box(line) for line, fenced in lines if not fenced)).items(lines)


def to_data(items: tuple[Item, ...]) -> list[dict[str, Any]]:
    """Plain data for ``.tasks/items.json``: number, text, done, details, level."""
    return [
        {"number": i.number, "text": i.text, "done": i.done, "details": i.details, "level": i.level}
        for i in items
    ]


def _lines(text: str) -> list[tuple[str, bool]]:
    """Each line, and whether it belongs to a block of code between fences."""
    found = []
    fence = ""
    for raw in text.splitlines():
        line = raw.expandtabs(4)
        match = _FENCE.match(line.strip())
        found.append((line, bool(fence or match)))
        if not fence:
            fence = match.group() if match else ""
        elif match and match.group().startswith(fence) and match.end() == len(line.strip()):
            fence = ""
    return found


def _is_box(line: str) -> bool:
    match = _ITEM.match(line.strip())
    return match is not None and bool(match["box"] or match["late"])


def _number(match: re.Match[str]) -> str:
    """``3.2`` or ``3.``, but not the 3 of "3 apples"."""
    number = match["number"] or ""
    return number if match["dot"] or "." in number else ""


class _Reader:
    def __init__(self, boxes: bool) -> None:
        self._boxes = boxes  # only these are items
        self._found: list[_Open] = []
        self._around: list[_Open] = []  # items that the next one may be below
        self._numbers: set[str] = set()
        self._given: dict[str, int] = {}  # the last number that was given, by what is before it
        self._before = ""  # the line before this one

    def items(self, lines: list[tuple[str, bool]]) -> tuple[Item, ...]:
        for line, fenced in lines:
            self._line(line, fenced, len(line) - len(line.lstrip()))
            self._before = line.strip()
        return tuple(replace(found.item, details=_joined(found.details)) for found in self._found)

    def _line(self, line: str, fenced: bool, indent: int) -> None:
        match = None if fenced else _ITEM.match(line.strip())
        if match and self._is_item(match) and len(self._found) < _MOST_ITEMS:
            self._begin(indent, match)
            return
        if line.strip() and self._around and indent <= self._around[-1].indent:
            goes_on = self._before and not line.strip().startswith(("#", "- ", "* ", "+ ", "`", "~"))
            if not goes_on and not (fenced and self._before):
                self._around = [found for found in self._around if found.indent < indent]
        if self._around:
            self._around[-1].details.append(line)

    def _is_item(self, match: re.Match[str]) -> bool:
        if self._boxes:
            return bool(match["box"] or match["late"])
        # Without a dot after it, a number begins an item only in a list: prose can begin with "2.5 million".
        return bool(_number(match)) and bool(match["dot"] or match["bullet"] or self._around)

    def _begin(self, indent: int, match: re.Match[str]) -> None:
        self._around = [found for found in self._around if found.indent < indent]
        around = self._around[-1].item if self._around else None
        written = _number(match)
        inside = f"{around.number}.{written}" if around and written and "." not in written else written
        number = inside if inside and inside not in self._numbers else self._next(around)
        self._numbers.add(number)
        text = match["text"] if written or not match["number"] else f"{match['number']} {match['text']}"
        mark = match["box"] or match["late"] or " "
        level = max(around.level + 1 if around else 0, written.count("."))
        self._around.append(_Open(indent, Item(number, text.strip(), mark in "xX", "", level), []))
        self._found.append(self._around[-1])

    def _next(self, around: Item | None) -> str:
        """The next number that is free here."""
        prefix = f"{around.number}." if around else ""
        place = self._given.get(prefix, 0) + 1
        while f"{prefix}{place}" in self._numbers:
            place += 1
        self._given[prefix] = place
        return f"{prefix}{place}"


def _joined(lines: list[str]) -> str:
    """Without empty lines around, and without the margin that all of them have."""
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if not filled:
        return ""
    lines = lines[filled[0] : filled[-1] + 1]
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:].rstrip() for line in lines)
