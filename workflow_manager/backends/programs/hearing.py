"""What a coding program says while it works, heard line by line: leniently, because versions differ. Pure.

What is not understood is kept as text: it may say what went wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.text import last_line, printable
from workflow_manager.backends.programs.definition import Definition
from workflow_manager.untrusted import parsed

_SHOWN = 2000  # characters of what is said at once that go to the log
_SUMMARY = 4000  # characters


@dataclass(slots=True)
class Heard:
    """What became known of a program's work so far."""

    summary: str = ""  # its last words
    problem: str = ""  # what went wrong, in its own words
    status: int | None = None  # of the HTTP answer that stopped it
    finished: bool = False  # it said itself that it came to an end
    subtype: str = ""  # how, in its own words
    junk: str = ""  # the last line that was not understood
    denied: list[str] = field(default_factory=list)  # what it was not allowed to do
    messages: int = 0
    tools: Counter[str] = field(default_factory=Counter)


class Ear(Protocol):
    """Takes one line; returns what of it is worth a place in the log."""

    heard: Heard

    def line(self, line: bytes) -> str: ...
    def end(self) -> None: ...


class TextEar:
    """Any text: the last line is the summary."""

    def __init__(self) -> None:
        self.heard = Heard()

    def line(self, line: bytes) -> str:
        text = line.decode(errors="replace")
        said = last_line(text)
        if said:
            self.heard.summary = said
        if "billing_error" in text:
            self.heard.status, self.heard.problem = 402, said
        return printable(text, limit=_SHOWN)

    def end(self) -> None:
        """Nothing is left to be understood."""


class JsonEar:
    """JSON, a line each or one object over many lines; where the words are in it, the definition says."""

    def __init__(self, definition: Definition) -> None:
        self.heard = Heard()
        self._definition = definition
        self._whole: list[bytes] | None = [] if definition.output == "object" else None

    def line(self, line: bytes) -> str:
        if self._whole is not None:
            if not self._whole and not line.startswith(b"{"):
                return junk(self.heard, line)
            self._whole.append(line)
            return ""
        value = parsed(line)
        return self._take(value) if isinstance(value, dict) else junk(self.heard, line)

    def end(self) -> None:
        if self._whole:
            value = parsed(b"\n".join(self._whole))
            if isinstance(value, dict):
                self._take(value)

    def _take(self, value: dict[str, Any]) -> str:
        heard, definition = self.heard, self._definition
        status = at(value, definition.status)
        if isinstance(status, int):
            heard.status = status
        if said := first_text(value, definition.says):
            heard.summary, heard.problem = said[:_SUMMARY], ""  # it went on after what had gone wrong
            heard.messages += 1
            return printable(said, limit=_SHOWN)
        if wrong := first_text(value, definition.fails):
            heard.problem = wrong[:_SUMMARY]
            return printable(f"! {wrong}", limit=_SHOWN)
        return ""


def junk(heard: Heard, line: bytes) -> str:
    """Keep a line that is not understood; returns it for the log."""
    text = line.decode(errors="replace")
    heard.junk = last_line(text) or heard.junk
    return printable(text, limit=_SHOWN)


def at(value: Any, path: str) -> Any:
    """What is at ``path``, such as ``error.message``; None where there is nothing."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def first_text(value: Any, paths: tuple[str, ...]) -> str:
    """The first text that is at one of ``paths``."""
    found = (at(value, path) for path in paths)
    return next((text for text in found if isinstance(text, str) and text), "")
