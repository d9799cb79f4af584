"""What Markdown and HTML hide from whoever looks at an issue, told apart from what is code. Pure.

Hidden are HTML comments, processing instructions, declarations, CDATA, link definitions that nothing uses
(``[//]: # (note)``) and the titles of others. An element that is ``hidden`` or not displayed by its style is not:
GitHub drops both, so everybody sees what is in it. ``<details>`` opens with a click.

In a block of code all of these are seen. What such a block is, readers differ about, and a text must not pass for code
here that is hidden there: only a fence at the margin counts that every reader takes for one (CommonMark 0.31, 4.5 to
4.7). Elsewhere what looks hidden is left out, even if it would have been seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FENCE = re.compile(r"(?:(`{3,})[^`\n]*|(~{3,})[^\n]*)\Z")
_CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*\Z")
_PERHAPS = re.compile(r"[\s>*+\-0-9.)]*+(?:```|~~~)")  # a fence, for some reader
_MARK = re.compile(r"<!--|<\?|<!\[CDATA\[|<![A-Za-z]")
_ENDS = {"<!--": "-->", "<?": "?>", "<![CDATA[": "]]>"}
_RAW = re.compile(
    r"</?(?:pre|script|style|textarea)\b", re.IGNORECASE
)  # blocks that a blank line does not end
_DEFINITION = re.compile(
    r" {0,3}\[(?P<label>[^\]\n]{1,999})\]:[ \t]{0,99}(?P<target><[^>\n]{0,2048}>|[^\s<]\S{0,2048})?"
    r"(?:[ \t]{1,99}(?P<title>[\"'(].*))?[ \t]*\Z"
)
_USED = re.compile(r"\[([^\[\]\n]{1,999})\](?!:)")
_CLOSERS = {'"': '"', "'": "'", "(": ")"}


@dataclass(slots=True)
class _Lines:
    """The lines of a text outside of what is hidden, and whether each is code."""

    text: str
    fence: str = ""  # that is open
    certain: bool = True  # every reader would agree on where a fence is
    element: bool = False  # a line since the last empty one may have begun a block of HTML
    found: list[tuple[str, bool]] = field(default_factory=list)

    def read(self) -> list[tuple[str, bool]]:
        at = 0
        while at <= len(self.text):
            stop = self.text.find("\n", at)
            stop = len(self.text) if stop < 0 else stop
            at = self._line(at, stop)
        return self.found

    def _line(self, at: int, stop: int) -> int:
        """Take in the line between ``at`` and ``stop``, and further ones that a mark of its runs over; the next."""
        line = self.text[at:stop]
        if not line:
            self.element = False
            self.found.append(("", bool(self.fence)))
            return stop + 1
        if self.fence:
            self.found.append((line, True))
            closing = _CLOSING.match(line)
            if closing and closing[1].startswith(self.fence):
                self.fence = ""
            return stop + 1
        fence = _FENCE.match(line)
        if fence and self.certain and not self.element:
            self.fence = fence[1] or fence[2]
            self.found.append((line, True))
            return stop + 1
        begin = line.lstrip(" \t")
        self.element = (self.element or begin.startswith("<")) and bool(begin)
        self.certain = self.certain and not _RAW.match(begin) and not _PERHAPS.match(line)
        return self._prose(at, stop)

    def _prose(self, at: int, stop: int) -> int:
        kept, begin = [], at
        while (mark := _MARK.search(self.text, at, stop)) is not None:
            kept.append(self.text[at : mark.start()])
            if self.text.startswith(("<!-->", "<!--->"), mark.start()):  # by HTML's rules, an empty comment
                at = self.text.index(">", mark.start()) + 1
                continue
            end = _ENDS.get(mark.group(), ">")
            over = self.text.find(end, mark.end())
            at = len(self.text) if over < 0 else over + len(end)
            if at > stop:
                self.certain = self.certain and mark.start() == begin
                stop = self.text.find("\n", at)
                stop = len(self.text) if stop < 0 else stop
        kept.append(self.text[at:stop])
        self.found.append(("".join(kept), False))
        return stop + 1


def visible(text: str) -> str:
    """``text``, whose lines end with ``\\n``, without what is never shown."""
    lines = _Lines(text).read()
    used = {_label(match[1]) for line, _ in lines for match in _USED.finditer(line)}
    return "\n".join(_without_definitions(lines, used))


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _without_definitions(lines: list[tuple[str, bool]], used: set[str]) -> Iterator[str]:
    """A definition stays as far as something leads there by it. A title may be on lines of its own."""
    closer, after = "", False  # of a title that is not over; whether a title may begin
    for line, code in lines:
        begin = line.strip(" \t")
        if closer and begin and not code:
            closer = "" if closer in line else closer
            continue
        if after and not code and begin[:1] in _CLOSERS:
            closer = _open_after(begin)
            after = False
            continue
        closer, match = "", None if code or begin[:1] != "[" else _DEFINITION.match(line)
        after = match is not None
        if match is None:
            yield line
            continue
        if match["title"]:
            closer, after = _open_after(match["title"]), False
        target = match["target"] or ""
        if _label(match["label"]) in used and " " not in target:
            yield line[: match.end("target") if target else len(line)]


def _open_after(title: str) -> str:
    """What ends ``title``, if it does not end by itself."""
    closer = _CLOSERS[title[:1]]
    return "" if closer in title[1:] else closer
