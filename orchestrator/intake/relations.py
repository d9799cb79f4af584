"""What the text of an issue says of others: what it is blocked by, what it is part of, what is on its list. Pure.

Understood are ``blocked by``, ``depends on`` and ``part of`` with one issue or several ("blocked by #1, #2 and #3", or
a list below a line that ends with the words), and items of a task list that begin with an issue (``- [ ] #12``). What
is quoted, struck through, in code or denied ("not blocked by") says nothing. Each line takes time in proportion to
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.intake.references import REPOSITORY, reference
from shared.errors import UserError
from shared.forge.tracker import IssueRef

Kind = Literal["blocked by", "depends on", "part of"]

_ISSUE = (
    rf"(?:https?://[^/\s?#@]{{1,255}}/{REPOSITORY}/issues/\d{{1,18}}|(?:(?<![\w/.-]){REPOSITORY})?#\d{{1,18}})"
    r"(?![\w/])"
)
_ONE = re.compile(_ISSUE, re.ASCII)
_WORDS = re.compile(
    r"(?<![\w-])(blocked by|depends on|part of)(?![\w-])[ \t]{0,4}[:*_]{0,5}[ \t]{0,4}", re.IGNORECASE
)
_BETWEEN = re.compile(
    r"[*_]{0,2}[ \t]{0,4}(?:[,;&+]|and\b|or\b)?[ \t]{0,4}(?:and\b[ \t]{0,4})?[*_]{0,2}", re.IGNORECASE
)
_DENIED = re.compile(
    r"(?:\bnot|n['\u2019]t|\bno longer|\bnever)(?:[ \t]{1,4}be(?:en)?)?[ \t*_]{0,4}\Z", re.IGNORECASE
)
_ITEM = re.compile(
    r"[ \t]{0,99}(?:[-*+]|\d{1,9}[.)])[ \t]{1,9}(?:\[(?P<box>[ xX])\][ \t]{1,9})?[*_]{0,2}(?=\S)", re.ASCII
)
_FENCE = re.compile(r"[ \t]{0,99}(?:[-*+][ \t]{1,9})?(`{3,}|~{3,})")
_STRUCK = re.compile(r"~~[^~\n]{1,1000}~~")
_TICKS = re.compile(r"(`+)")


@dataclass(frozen=True, slots=True)
class Relations:
    """Issues in the order in which they are named, without a repository where none is named, each once."""

    needs: tuple[tuple[IssueRef, Kind], ...] = ()
    part_of: tuple[IssueRef, ...] = ()
    items: tuple[IssueRef, ...] = ()  # not ticked, on its task list


def relations(text: str, host: str) -> Relations:
    """What ``text``, which is clean, says. Addresses on another host than ``host`` are none of ours."""
    needs: dict[IssueRef, Kind] = {}
    part_of: dict[IssueRef, None] = {}
    items: dict[IssueRef, None] = {}
    pending: Kind | None = None  # words that end a line, and speak of the list below
    for line in _prose(text):
        item = _ITEM.match(line)
        if item is None and line.strip():
            pending = None
        if item and (found := _issues(line, item.end(), host)):
            if pending:
                _keep(pending, found, needs, part_of)
                continue
            if item["box"] == " ":
                items.update(dict.fromkeys(found[:1]))
        for kind, found, ends in _said(line, host):
            _keep(kind, found, needs, part_of)
            pending = kind if ends else pending
    return Relations(tuple(needs.items()), tuple(part_of), tuple(items))


def _keep(
    kind: Kind, found: list[IssueRef], needs: dict[IssueRef, Kind], part_of: dict[IssueRef, None]
) -> None:
    for ref in found:
        if kind == "part of":
            part_of[ref] = None
        else:
            needs.setdefault(ref, kind)


def _said(line: str, host: str) -> Iterator[tuple[Kind, list[IssueRef], bool]]:
    """Each of the words in ``line`` with the issues after them; whether nothing follows them."""
    for match in _WORDS.finditer(line):
        if _DENIED.search(line, max(0, match.start() - 20), match.start()):
            continue
        word = match[1].lower()
        kind: Kind = (
            "part of" if word == "part of" else "blocked by" if word == "blocked by" else "depends on"
        )
        yield kind, _issues(line, match.end(), host), not line[match.end() :].strip()


def _issues(line: str, at: int, host: str) -> list[IssueRef]:
    """The issues that ``line`` lists from ``at`` on."""
    found = []
    while (match := _ONE.match(line, at)) is not None:
        named = _reference(match.group())
        if named is not None and (not named[1] or named[1].lower() == host.lower()):
            found.append(named[0])
        between = _BETWEEN.match(line, match.end())
        at = between.end() if between else match.end()
    return found


def _reference(text: str) -> tuple[IssueRef, str] | None:
    try:
        named = reference(text)
    except UserError:  # it is a number that no issue has
        return None
    return (named.ref, named.host) if named else None


def _prose(text: str) -> Iterator[str]:
    """Lines outside of code and quotes, without what is in code spans or struck through."""
    fence, blank = "", True
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and line.strip() == match[1]:
                fence = ""
            continue
        if match:
            fence = match[1]
            continue
        indented = line.startswith(("    ", "\t")) and blank and _ITEM.match(line) is None
        blank = (blank and indented) or not line.strip()
        if not indented and not line.lstrip().startswith(">"):
            yield _STRUCK.sub(" ", _without_spans(line)) if "~" in line or "`" in line else line


def _without_spans(line: str) -> str:
    """``line`` with an empty place for each code span."""
    parts = _TICKS.split(line)  # text and runs of ticks in turn
    last = {run: place for place, run in enumerate(parts) if place % 2}
    kept, place = [], 0
    while place < len(parts):
        part = parts[place]
        if place % 2 and last[part] > place:
            place = parts.index(part, place + 1)
            kept.append(" ` ")
        else:
            kept.append(part)
        place += 1
    return "".join(kept)
