"""Paths as commands name them, and whether what two commands touch can be the same.

A path is absolute, without ``.`` and ``..``; ``*`` stands for what the shell will find; a folder covers what is
in it. ``/`` is everything. ``FOLDER/.`` is the folder's existence without what is in it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

from shared.globs import overlap

EVERYTHING = "/"
_COMPONENTS, _PATTERN = 40, 64  # more components, or longer patterns, count as the folder above or as ``*``


def resolve(text: str, folder: str) -> str:
    """The path that ``text`` means to a command in ``folder``; wider than that where it is hard to say."""
    parts = [] if text.startswith("/") else [part for part in folder.split("/") if part]
    below = False
    for part in text.split("/"):
        if part == ".." and below:
            return EVERYTHING  # a link may be on the way, so it is not the folder that stands before it
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            below = True
            parts.append(_component(part))
    return "/" + "/".join(parts[:_COMPONENTS])


def _component(text: str) -> str:
    text = text.replace("?", "*")
    unwieldy = ("[" in text and "]" in text) or ("*" in text and len(text) > _PATTERN)
    return "*" if unwieldy else text


def is_pattern(path: str) -> bool:
    return "*" in path


def pattern_length(path: str) -> int:
    """Characters that make comparing slow: those of components with a star."""
    return sum(len(part) for part in path.split("/") if "*" in part)


def widened(path: str) -> str:
    """``path``, or the folder in which a pattern begins."""
    return path.partition("*")[0].rpartition("/")[0] or EVERYTHING if is_pattern(path) else path


def above(path: str) -> list[str]:
    """``path`` and every folder above it, the nearest first."""
    found = [path]
    while path != EVERYTHING:
        path = path.rpartition("/")[0] or EVERYTHING
        found.append(path)
    return found


def strictly_below(path: str, folder: str) -> bool:
    """Whether whatever ``path`` names is surely in ``folder``."""
    return path != folder and path.startswith("/" if folder == EVERYTHING else folder + "/")


def _key(path: str) -> str:
    """Some file systems take names for the same that differ in case or in how an accent is written."""
    return unicodedata.normalize("NFC", path).casefold()


@dataclass(frozen=True)
class Paths:
    """A set of paths, made ready to be compared with many others."""

    paths: frozenset[str]

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {_key(path): path for path in sorted(self.paths)}

    @cached_property
    def plain(self) -> dict[str, str]:
        """Those without a star, by what they are compared by."""
        return {key: path for key, path in self._keys.items() if not is_pattern(key)}

    @cached_property
    def folders(self) -> dict[str, str]:
        """The plain ones and all folders above them, each with one of the paths that it is for."""
        return {folder: path for key, path in self.plain.items() for folder in above(key)}

    @cached_property
    def patterns(self) -> dict[str, str]:
        return {key: path for key, path in self._keys.items() if is_pattern(key)}

    def meeting(self, other: Paths) -> tuple[str, str] | None:
        """A path of this set and one of ``other`` that can be the same, or one inside the other."""
        if not self.paths or not other.paths:
            return None
        if not self.plain.keys().isdisjoint(other.folders):
            key = min(self.plain.keys() & other.folders.keys())
            return self.plain[key], other.folders[key]
        if not self.folders.keys().isdisjoint(other.plain):
            key = min(self.folders.keys() & other.plain.keys())
            return self.folders[key], other.plain[key]
        if not self.patterns and not other.patterns:
            return None
        return _first(self.patterns, other._keys) or _first(self.plain, other.patterns)


def _first(left: dict[str, str], right: dict[str, str]) -> tuple[str, str] | None:
    return next(((left[a], right[b]) for a in left for b in right if _meet(a, b)), None)


def _meet(a: str, b: str) -> bool:
    """Whether two keys, at least one of them a pattern, can name the same path, or one a folder of the other."""
    if EVERYTHING in (a, b):
        return True
    start_of_a, start_of_b = a.partition("*")[0], b.partition("*")[0]
    possible = start_of_a.startswith(start_of_b) or start_of_b.startswith(start_of_a)
    return possible and overlap(a, b)
