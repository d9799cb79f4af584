"""Text of agents and of strangers in Markdown of ours: it stays readable, and neither acts nor loads anything. Pure.

No mention and no reference is left outside code, HTML is shown instead of carried out, links and images are text. Code
keeps its form. What is code is not left to the forge's reading of it: blocks are written anew at the left margin with a
fence of our own, spans within one line, and every other backtick is escaped, so that no trick with half-open code
brings a name out of it. A merge by squashing may make it the message of a commit: it turns no checks off either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.mentions import MENTION, REFERENCE, checked
from shared.text import printable

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
_LANGUAGE = re.compile(r"\s*([A-Za-z0-9+#-]{1,20})\s*$")
_BACKTICKS = re.compile(r"`+")
_SPECIAL = re.compile(rf"(?P<link>{MENTION}|{REFERENCE})|(?P<html>[&<])|(?P<mark>[\\`~\[\]|])")
_ENTITIES = {"&": "&amp;", "<": "&lt;"}


def prose(text: str, limit: int) -> str:
    """Several lines; at most ``limit`` characters of them."""
    return "\n".join(_lines(checked(printable(text, limit=limit)).strip("\n").splitlines()))


def quoted(text: str, limit: int) -> str:
    """The same as a quotation: no heading in it is one of ours."""
    return "\n".join(f"> {line}".rstrip() for line in prose(text, limit).splitlines())


def inline(text: str, limit: int) -> str:
    """One line, for a cell of a table or an item of a list."""
    line = checked(" ".join(printable(text, limit=4 * limit).split()))
    return _plain(line if len(line) <= limit else line[: limit - 1].rstrip() + "…")


def code(text: str) -> str:
    """One line as code."""
    line = checked(" ".join(printable(text).split()))
    fence = "`" * (max((len(run) for run in _BACKTICKS.findall(line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def _lines(lines: list[str]) -> Iterator[str]:
    rest = iter(lines)
    for line in rest:
        opened = _FENCE.match(line)
        if opened is None:
            yield _spans(line)
        else:
            yield from _block(opened[1], opened[2], rest)


def _block(fence: str, language: str, rest: Iterator[str]) -> Iterator[str]:
    """A block of code up to its end, or to the end of everything, between fences that nothing in it can close."""
    held = []
    for line in rest:
        closing = line.strip()
        if len(closing) >= len(fence) and set(closing) == {fence[0]} and line.startswith(("`", "~", " ")):
            break
        held.append(line)
    runs = (len(run) for line in held for run in _BACKTICKS.findall(line))
    ours = "`" * max(3, max(runs, default=0) + 1)
    named = _LANGUAGE.match(language)
    yield ours + (named[1] if named else "")
    yield from held
    yield ours


def _spans(line: str) -> str:
    """A line with its spans of code as they are, and everything else made plain."""
    runs = list(_BACKTICKS.finditer(line))
    pieces, at, number = [], 0, 0
    while number < len(runs):
        run = runs[number]
        end = next((n for n in range(number + 1, len(runs)) if len(runs[n][0]) == len(run[0])), None)
        escaped = (len(line[: run.start()]) - len(line[: run.start()].rstrip("\\"))) % 2
        if end is None or escaped:
            number += 1
            continue
        pieces += [_plain(line[at : run.start()]), line[run.start() : runs[end].end()]]
        at, number = runs[end].end(), end + 1
    return _joined([*pieces, _plain(line[at:])])


def _plain(text: str) -> str:
    pieces, at = [], 0
    for found in _SPECIAL.finditer(text):
        pieces.append(text[at : found.start()])
        if found["link"]:
            pieces.append(f"`{found['link']}`")
        elif found["html"]:
            pieces.append(_ENTITIES[found["html"]])
        else:
            pieces.append("\\" + found["mark"])
        at = found.end()
    return _joined([*pieces, text[at:]])


def _joined(pieces: list[str]) -> str:
    """Two pieces of code that met would be one, with what was outside in it and what was inside out."""
    text = ""
    for piece in pieces:
        text += (" " if text.endswith("`") and piece.startswith("`") else "") + piece
    return text
