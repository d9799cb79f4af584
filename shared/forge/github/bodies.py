"""What a pull request says on GitHub: our part between two hidden comments, and what people wrote around it. Pure.

The first comment holds the marker by which a pull request is found again, and digests of what was written last: what
differs from them now was written by a person, and stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.forge.port import Draft
from shared.text import printable

LONGEST = (
    65_536  # characters of a body; those past the Basic Multilingual Plane are counted twice, to be safe
)
LONGEST_TITLE = 250  # of the 256 that GitHub allows
_CUT = "\n\n… (the rest was left out: it is longer than GitHub allows)"
_BEGIN = re.compile(r"<!-- spinney:begin (\{[^\n>]{0,8192}\}) -->\n")
_END = "\n<!-- spinney:end -->"
_OURS = re.compile(r"<!--(?=[ \t\r\n]{0,64}spinney[:-])", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written last by us."""

    marker: str
    title: str = ""  # digest
    text: str = ""  # digest
    base: str = ""
    labels: tuple[str, ...] = ()
    todo: bool = False  # labels and the like were to be given, and may not have been


@dataclass(frozen=True, slots=True)
class Body:
    written: Written | None = None  # None: there is no part of ours
    text: str = ""  # ours
    before: str = ""
    after: str = ""

    @property
    def shown(self) -> str:
        """What people read."""
        return self.before + self.text + self.after


def read(body: str) -> Body:
    """Raises nothing: what cannot be read is a person's text."""
    body = body.replace("\r\n", "\n")
    begin = _BEGIN.search(body)
    end = body.find(_END, begin.end() - 1) if begin else -1
    if begin is None or end < 0 or (written := _written(begin[1])) is None:
        return Body(before=body)
    return Body(written, body[begin.end() : end], body[: begin.start()], body[end + len(_END) :])


def _written(text: str) -> Written | None:
    try:
        told = json.loads(text)
        return Written(
            marker=str(told["marker"]),
            title=str(told.get("title", "")),
            text=str(told.get("text", "")),
            base=str(told.get("base", "")),
            labels=tuple(str(label) for label in told.get("labels", ())),
            todo=bool(told.get("todo", False)),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def write(body: Body) -> str:
    """The text of the whole, no longer than GitHub allows: of our own part the end is left out."""
    assert body.written is not None
    written = body.written
    told: dict[str, object] = {
        "marker": written.marker,
        "title": written.title,
        "text": written.text,
        "base": written.base,
        "labels": list(written.labels),
    }
    if written.todo:
        told["todo"] = True
    return f"{body.before}<!-- spinney:begin {_hidden(told)} -->\n{body.text}{_END}{body.after}"


def _hidden(told: object) -> str:
    """JSON that ends no comment and mentions nobody."""
    text = json.dumps(told, separators=(",", ":"))
    return "".join(f"\\u{ord(char):04x}" if char in "<>@#&" else char for char in text)


def fresh(draft: Draft, *, todo: bool = False) -> tuple[str, str]:
    """The title and the body of a new pull request."""
    title, labels = title_of(draft), tuple(sorted(draft.labels))
    written = Written(draft.marker, digest(title), "", draft.base, labels, todo)
    return title, write(_with_text(Body(written), draft.body))


def settled(body: str) -> str:
    """The same text, which says that nothing is left to be given."""
    now = read(body)
    return write(replace(now, written=replace(now.written, todo=False))) if now.written else body


def title_of(draft: Draft) -> str:
    """One line that GitHub takes; the branch where there is nothing to say."""
    return " ".join(printable(draft.title, limit=LONGEST_TITLE).split()) or draft.head


def _with_text(body: Body, text: str) -> Body:
    """``body`` with our part replaced."""
    assert body.written is not None
    text = harmless(text)
    room = LONGEST - _length(write(replace(body, written=replace(body.written, text="0" * 16), text="")))
    if _length(text) > room:
        text = _shortened(text, max(0, room - _length(_CUT))) + _CUT
    return replace(body, written=replace(body.written, text=digest(text)), text=text)


def harmless(text: str) -> str:
    """Without what GitHub refuses, and without comments that look like ours."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _OURS.sub("&lt;!--", text)


def _length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def _shortened(text: str, room: int) -> str:
    text = text[:room]
    while _length(text) > room:
        text = text[: len(text) - (_length(text) - room + 1) // 2]
    return text


def digest(text: str) -> str:
    """Of a text as GitHub may give it back: line ends and blanks around it do not count."""
    plain = text.replace("\r\n", "\n").strip()
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Edits:
    """What is to be changed; None leaves it."""

    title: str | None = None
    body: str | None = None
    base: str | None = None
    labels: tuple[str, ...] | None = None
    todo: bool = False  # the rest of what a new pull request is given is still to be given

    def __bool__(self) -> bool:
        return self.todo or any(one is not None for one in (self.title, self.body, self.base, self.labels))


def edits(title: str, body: str, base: str, labels: Iterable[str], draft: Draft) -> Edits:
    """What brings a pull request that stands like this to ``draft``, without undoing what people did."""
    now, labels = read(body), tuple(labels)
    if now.written is None:
        return Edits()  # somebody has taken our part out
    before = now.written
    after = before
    new_title = new_base = new_labels = None
    if digest(title) == before.title and title_of(draft) != title:
        new_title = title_of(draft)
        after = replace(after, title=digest(new_title))
    if base in (before.base, draft.base):
        new_base = draft.base if base != draft.base else None
        after = replace(after, base=draft.base)
    wanted = merged_labels(before.labels if not before.todo else (), draft.labels, labels)
    if set(wanted) != set(labels):
        new_labels = wanted
    after = replace(after, labels=tuple(sorted(draft.labels)), todo=False)
    whole = replace(now, written=after)
    if digest(now.text) == before.text:
        whole = _with_text(whole, draft.body)
    text = write(whole)
    new_body = text if text != body.replace("\r\n", "\n") else None
    return Edits(new_title, new_body, new_base, new_labels, before.todo)


def merged_labels(before: Iterable[str], after: Iterable[str], there: Iterable[str]) -> tuple[str, ...]:
    """The labels that are there, with what we change: names are the same whatever their case."""
    old, there = {name.casefold() for name in before}, tuple(there)
    new = {name.casefold(): name for name in after}
    kept = [name for name in there if name.casefold() not in old or name.casefold() in new]
    known = {name.casefold() for name in there}
    return (*kept, *(name for key, name in new.items() if key not in old and key not in known))


# --- comments

_SAID = re.compile(r"<!-- spinney:said (\{[^\n>]{0,1024}\}) -->(?:\n|\Z)")


def comment(marker: str, text: str) -> str:
    """The text of a comment with a hidden marker before it."""
    head = f"<!-- spinney:said {_hidden({'marker': marker})} -->\n"
    text, room = harmless(text), LONGEST - len(head)
    if _length(text) > room:
        text = _shortened(text, room - _length(_CUT)) + _CUT
    return head + text


def marker_of(comment: str) -> str:
    """The marker before a comment's text; empty where there is none."""
    found = _SAID.match(comment.replace("\r\n", "\n"))
    try:
        return str(json.loads(found[1])["marker"]) if found else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
