"""Text from outside made safe to show, and names made safe to use."""

from __future__ import annotations

import hashlib
import re
import unicodedata

ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # control sequences: colour, cursor
    r"|\x1b[PX^_][^\x1b]{0,4096}(?:\x1b\\)?"  # device control and other strings
    r"|\x1b[ -/]{0,8}[0-~]?"
)
# Bidirectional overrides, zero-width characters and tag characters can make text read otherwise than it is; the
# halves of characters that stand for bytes of a file's name cannot be written out.
_INVISIBLE = re.compile(
    "[\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str, *, limit: int = 2000) -> str:
    """``text`` without escape sequences, control and invisible characters, cut to ``limit`` characters."""
    text = _ESCAPES.sub("", text[: limit * 4].replace("\r\n", "\n"))
    text = _INVISIBLE.sub("", _CONTROL.sub("", text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def last_line(text: str) -> str:
    """The last line of ``text`` that says something, printable; a progress bar counts by its last state."""
    for line in reversed(text[-8192:].replace("\r", "\n").splitlines()):
        shown = printable(line, limit=200).strip()
        if shown:
            return shown
    return ""


def valid_id(name: str) -> bool:
    """Whether ``name`` may be a task's id and so a branch, a folder and a ref component as it stands."""
    return (
        bool(ID_PATTERN.match(name))
        and ".." not in name
        and not name.endswith((".lock", "."))
        and name != "batch"
    )


def slug(name: str) -> str:
    """``name`` as a valid id. A name that had to be changed gets a short hash, so that two never collide."""
    if valid_id(name):
        return name
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:40].strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{words}-{digest}" if words else f"task-{digest}"


def first_sentence(text: str, limit: int = 72) -> str:
    """One short line for a commit message or a table."""
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
