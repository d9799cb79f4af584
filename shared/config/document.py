"""YAML documents whose every value knows its line and column.

Bytes are capped before parsing, aliases are refused (a few lines of them expand to gigabytes), depth is
capped, and tags are errors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from shared.errors import Problem

MAXIMUM_BYTES = 1024 * 1024
MAXIMUM_DEPTH = 20
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")  # escapes can make what no file and no argument can hold
Path = tuple[str | int, ...]
_SHOWN = 24  # names in a list of what is known; a workflow may have forty agents


class Source(Protocol):
    """What mistakes are told to, each at the path of the value or key that it is about."""

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None: ...

    def unknown_key(self, path: Path, valid: Iterable[str], what: str) -> None: ...


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that asks for the one of ``known`` that ``name`` is nearly; empty where none is near."""
    folded = {other.casefold(): other for other in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.casefold(), list(folded), 1, 0.6)
    return f"did you mean {folded[near[0]]!r}?" if near else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is none of ``known``: the nearest one, otherwise what there is."""
    names = sorted(set(known))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN + 1 else ""
    shown = ", ".join(names[:_SHOWN] if more else names)
    return nearest(name, names) or (f"known: {shown}{more}" if names else "")


class Document:
    """A parsed file. ``value`` is None, and ``problems`` is not empty, where it could not be parsed."""

    def __init__(self, name: str, data: bytes, *, first_line: int = 1) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.value: Any = None
        self._shift = first_line - 1
        text = self._decode(data)
        if text is not None and self._sound(text):
            self._load(text)

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Report a mistake at the value (or the key) that ``path`` leads to."""
        line, column = self.position(path, at_key=at_key)
        self.problems.append(Problem(self.name, line, column, message, hint))

    def position(self, path: Path, *, at_key: bool = False) -> tuple[int, int]:
        """1-based line and column of the value at ``path``, or of the nearest thing above it."""
        node, mark = self.value, (0, 0)
        for depth, part in enumerate(path):
            last = depth == len(path) - 1
            if isinstance(node, CommentedMap) and part in node:
                # Nothing after the colon is marked where the next thing begins.
                of_key = (at_key and last) or node[part] is None
                mark = node.lc.key(part) if of_key else node.lc.value(part)
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                mark = node.lc.item(part)
            else:
                break
            node = node[part]
        else:
            return mark[0] + 1 + self._shift, mark[1] + 1
        return mark[0] + 1 + self._shift, mark[1] + 1

    def unknown_key(self, path: Path, valid: Iterable[str], what: str) -> None:
        self.problem(path, f"unknown {what} {str(path[-1])!r}", suggestion(str(path[-1]), valid), at_key=True)

    def _at(self, mark: Any, message: str, hint: str = "") -> None:
        line, column = (mark.line + 1 + self._shift, mark.column + 1) if mark is not None else (0, 0)
        self.problems.append(Problem(self.name, line, column, message, hint))

    def _decode(self, data: bytes) -> str | None:
        if len(data) > MAXIMUM_BYTES:
            self._at(None, f"larger than {MAXIMUM_BYTES // 1024} KiB", "split the batch")
            return None
        text, problem = decode_text(data)
        if problem:
            self._at(None, problem, "save the file as UTF-8")
            return None
        return text

    def _sound(self, text: str) -> bool:
        depth = 0
        try:
            for event in YAML(typ="rt", pure=True).parse(text):
                if isinstance(event, AliasEvent):
                    self._at(event.start_mark, "aliases are not allowed", "write the value out")
                elif isinstance(event, CollectionStartEvent):
                    depth += 1
                    if depth > MAXIMUM_DEPTH:
                        self._at(event.start_mark, f"nested deeper than {MAXIMUM_DEPTH} levels")
                        return False
                elif isinstance(event, CollectionEndEvent):
                    depth -= 1
                if isinstance(event, ScalarEvent) and _UNWRITABLE.search(event.value):
                    self._at(event.start_mark, "a NUL or half a character in the text", "leave it out")
                if isinstance(event, CollectionStartEvent | ScalarEvent) and event.tag:
                    self._at(event.start_mark, f"the tag {event.tag} is not allowed", "use plain values")
        except MarkedYAMLError as error:
            self._at(
                error.problem_mark or error.context_mark, f"not valid YAML: {error.problem or error.context}"
            )
        except (YAMLError, ValueError, RecursionError) as error:
            self._at(None, f"not valid YAML: {str(error).splitlines()[0]}")
        return not self.problems

    def _load(self, text: str) -> None:
        try:
            self.value = YAML(typ="rt", pure=True).load(text)
        except DuplicateKeyError as error:
            key = str(error.problem).partition('"')[2].partition('"')[0]
            self._at(error.problem_mark, f"the key {key!r} is there twice", "keep one of them")
        except MarkedYAMLError as error:
            self._at(error.problem_mark, f"not valid YAML: {error.problem}")
        except IndexError:  # the parser's own, for a number without a digit, such as -_ and 0x_
            self._at(None, "not valid YAML: a number without a digit", "put it in quotes")
        except (YAMLError, ValueError, TypeError) as error:
            self._at(None, f"not valid YAML: {str(error).splitlines()[0]}")


def decode_text(data: bytes) -> tuple[str, str]:
    """``data`` as text with plain newlines and without a byte-order mark, or what is wrong with it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", "UTF-16 text"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", f"not valid UTF-8 on line {line}"
    if "\0" in text:
        return "", "a NUL character in the text"
    return text.replace("\r\n", "\n"), ""
