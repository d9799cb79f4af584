"""Reading and changing files of the worktree: the SDK's text editor tool, and a reader for who may not write."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from workflow_manager import beneath
from workflow_manager.backends.anthropic.bounds import LIMIT, bounded, is_binary, numbered, readable
from workflow_manager.backends.anthropic.places import Place, Places
from workflow_manager.backends.anthropic.tool import Input, Tool, ToolError

_LARGEST = 8 * 1024 * 1024  # bytes of a file that is read or edited
_LISTED = 300  # names of a folder
_SNIPPET = 4  # lines around a change that are shown


class Read(Input):
    path: str = Field(description="of a file in the worktree")
    view_range: tuple[int, int] | None = Field(
        None, description="first and last line, from 1; -1: to the end"
    )


class Edit(Input):
    """As the SDK's own type defines it; other models get this as a schema."""

    command: Literal["view", "create", "str_replace", "insert"]
    path: str
    view_range: tuple[int, int] | None = None
    file_text: str | None = None
    old_str: str | None = None
    new_str: str | None = None
    insert_line: int | None = Field(None, ge=0, description="insert after this line; 0: at the beginning")
    insert_text: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Edit:
        needed = {"create": "file_text", "str_replace": "old_str", "insert": "insert_line"}.get(self.command)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{self.command} needs {needed}")
        if self.command == "insert" and self.insert_text is None and self.new_str is None:
            raise ValueError("insert needs insert_text")
        return self


def reader(places: Places) -> Tool:
    def read(given: Read) -> str:
        return _view(places.find(given.path), given.view_range)

    return Tool("read_file", "Read a text file, with line numbers, or list a folder.", Read, read)


def editor(places: Places) -> Tool:
    def edit(given: Edit) -> str:
        if given.command == "view":
            return _view(places.find(given.path), given.view_range)
        place = places.find_to_write(given.path)
        if given.command == "create":
            assert given.file_text is not None
            return _create(place, given.file_text)
        if given.command == "insert":
            text = given.insert_text if given.insert_text is not None else given.new_str
            assert text is not None
            assert given.insert_line is not None
            return _insert(place, given.insert_line, text)
        assert given.old_str is not None
        return _replace(place, given.old_str, given.new_str or "")

    return Tool(
        "str_replace_based_edit_tool",
        "View a file or folder, create a file, replace text that occurs once in a file, or insert after a line.",
        Edit,
        edit,
        changes=lambda given: given.command != "view",
        native="text_editor_20250728",
    )


def _view(place: Place, lines: tuple[int, int] | None) -> str:
    if beneath.is_folder(place.root, place.parts):
        found = list(beneath.walk(place.root, place.parts, _LISTED, frozenset({".git"})))
        more = f"\n(the first {_LISTED} names)" if len(found) == _LISTED else ""
        return readable("\n".join(found) + more) or "(an empty folder)"
    text = _text(place)
    if lines is None:
        return bounded(numbered(text))
    first, last = lines
    whole = text.removesuffix("\n").split("\n")
    if not 1 <= first <= len(whole) or (last != -1 and last < first):
        raise ToolError(f"there are {len(whole)} lines in {place.shown}: {first} to {last} are none of them")
    chosen = whole[first - 1 : None if last == -1 else last]
    return bounded(numbered("\n".join(chosen) + "\n", first))


def _text(place: Place) -> str:
    """A file's text for the model. Bytes that are no UTF-8 are shown as question marks in black diamonds."""
    data, size = beneath.read(place.root, place.parts, _LARGEST)
    if is_binary(data):
        raise ToolError(f"{place.shown} is a binary file of {size:,} bytes")
    if size > _LARGEST:
        return data.decode(errors="replace") + f"\n[only the first {_LARGEST:,} of {size:,} bytes]"
    return data.decode(errors="replace")


def _editable(place: Place) -> tuple[str, bool]:
    """A file's text with plain line ends, and whether its own are CRLF. Raises ToolError where an edit would harm."""
    data, size = beneath.read(place.root, place.parts, _LARGEST + 1)
    if size > _LARGEST:
        raise ToolError(f"{place.shown} is too large to edit: {size:,} bytes; use a command")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ToolError(f"{place.shown} is not UTF-8; use a command to change it") from error
    if is_binary(data):
        raise ToolError(f"{place.shown} is a binary file")
    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    return (text.replace("\r\n", "\n") if crlf else text), crlf


def _save(place: Place, text: str, crlf: bool = False) -> bool:
    text = text.replace("\r\n", "\n").replace("\n", "\r\n") if crlf else text
    return beneath.write(place.root, place.parts, text.encode(errors="replace"))


def _create(place: Place, text: str) -> str:
    new = _save(place, text)
    return f"{'created' if new else 'replaced'} {place.shown}: {text.count(chr(10)) + 1:,} lines"


def _insert(place: Place, line: int, text: str) -> str:
    whole, crlf = _editable(place)
    lines = whole.split("\n")
    if line > len(lines):
        raise ToolError(f"there is no line {line} in {place.shown}: it has {len(lines)}")
    added = text.removesuffix("\n").split("\n")
    _save(place, "\n".join([*lines[:line], *added, *lines[line:]]), crlf)
    return f"inserted after line {line} of {place.shown}"


def _replace(place: Place, old: str, new: str) -> str:
    whole, crlf = _editable(place)
    if crlf:
        old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    count = whole.count(old) if old else 0
    if count == 0:
        raise ToolError(f"old_str is not in {place.shown}, letter by letter; view the file first")
    if count > 1:
        raise ToolError(
            f"old_str is in {place.shown} {count} times; add lines around it until it is there once"
        )
    before, _, after = whole.partition(old)
    _save(place, before + new + after, crlf)
    first = max(before.count("\n") - _SNIPPET, 0)
    shown = (before + new + after).split("\n")[first : before.count("\n") + new.count("\n") + _SNIPPET + 1]
    return bounded(
        f"replaced in {place.shown}:\n{numbered(chr(10).join(shown) + chr(10), first + 1)}", LIMIT // 4
    )
