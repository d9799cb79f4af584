"""``/spinney …`` in a comment: at the start of a line that a reader sees as the writer's own words. Pure.

Where Markdown leaves room for doubt, there is no command: it is easier to write it again than to take it back.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Literal, get_args

Verb = Literal["run", "retry", "stop"]

_LONGEST = 65_536  # characters of a comment, which is GitHub's own limit
_COMMAND = re.compile(r"/spinney[ \t]{1,8}([a-z]{1,16})[ \t]{0,64}\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)\Z")
_OURS = re.compile(r"<!--\s{0,64}spinney[:-]", re.IGNORECASE)
# Raw HTML in which text is shown as it stands, or not at all. Any of it that is not closed goes on to the end.
_RAW = re.compile(
    r"<(!--|(?:pre|code|samp|kbd|tt|script|style|textarea|template|blockquote|q|del|s|strike)\b)",
    re.IGNORECASE,
)
_TICKS = re.compile(r"`+")


def command(text: str) -> Verb | None:
    """The first command of a comment. A comment of Spinney's own has none, whoever's name it was written under."""
    if len(text) > _LONGEST or _OURS.search(text):
        return None
    for line in _own_lines(_without_html(text.replace("\r\n", "\n").replace("\r", "\n"))):
        found = _COMMAND.match(line)
        if found:
            return next((verb for verb in get_args(Verb) if verb == found[1]), None)
    return None


def _without_html(text: str) -> str:
    """Without comments and raw elements; no line that begins with one begins with anything else then."""
    kept: list[str] = []
    at = 0
    while found := _RAW.search(text, at):
        closing = _closing(found[1]).search(text, found.end())
        kept.append(text[at : found.start()] + "\\")
        if closing is None:
            return "".join(kept)
        at = closing.end()
    return "".join(kept) + text[at:]


def _closing(tag: str) -> re.Pattern[str]:
    return re.compile("-->" if tag == "!--" else f"</{tag}", re.IGNORECASE)


def _own_lines(text: str) -> Iterator[str]:
    """Lines of paragraphs that are neither code nor quoted."""
    fence = ""
    paragraph: list[str] = []
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            closes = mark and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if closes else fence
            continue
        opens = mark and not (mark[1][0] == "`" and "`" in mark[2])
        if opens or not line.strip():
            yield from _plain(paragraph)
            paragraph = []
            fence = mark[1] if opens and mark else ""
            continue
        paragraph.append(line)
    yield from _plain(paragraph)


def _plain(paragraph: list[str]) -> Iterator[str]:
    """The lines of one paragraph that begin outside quotes and code spans.

    After a line that is quoted or part of a list, lines belong to it until the paragraph ends.
    """
    spans = deque(_spans("\n".join(paragraph)))
    at = 0
    for line in paragraph:
        if re.match(r" {0,3}(>|[-+*][ \t]|\d{1,9}[.)][ \t])", line):
            return
        while spans and spans[0][1] <= at:
            spans.popleft()
        if not (spans and spans[0][0] < at):
            yield line
        at += len(line) + 1


def _spans(text: str) -> list[tuple[int, int]]:
    """Where code spans are: from a run of backticks to the next of the same length."""
    runs = [(found.start(), len(found[0])) for found in _TICKS.finditer(text)]
    later: dict[int, list[int]] = {}
    for position, length in reversed(runs):
        later.setdefault(length, []).append(position)  # the nearest is the last
    spans: list[tuple[int, int]] = []
    end = -1
    for position, length in runs:
        candidates = later[length]
        while candidates and candidates[-1] <= position:
            candidates.pop()
        if position >= end and candidates:
            end = candidates[-1] + length
            spans.append((position, end))
    return spans
