"""Path patterns: ``*`` and ``?`` within one component, ``**`` across any number of them.

Own code, because nothing in the standard library before Python 3.13 matches ``**``, and nothing at all
says whether two patterns can match the same path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = []
    components = pattern.strip("/").split("/")
    for position, component in enumerate(components):
        last = position == len(components) - 1
        if component == "**":
            parts.append(".*" if last else "(?:[^/]+/)*")
            continue
        text = re.escape(component).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        parts.append(text if last else text + "/")
    # A pattern that names a folder covers what is in it, as in .gitignore.
    return re.compile("".join(parts) + r"(?:/.*)?\Z", re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    return bool(_compiled(pattern).match(path))


def matches_any(patterns: Iterable[str], path: str) -> bool:
    return any(matches(pattern, path) for pattern in patterns)


def _components_meet(a: str, b: str) -> bool:
    """Whether some name matches both ``a`` and ``b``, which contain ``*`` and ``?``."""
    reachable = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while reachable:
        i, j = reachable.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        if i == len(a) and j == len(b):
            return True
        if i < len(a) and a[i] == "*":
            reachable.add((i + 1, j))
            if j < len(b):
                reachable.add((i, j + 1))
        if j < len(b) and b[j] == "*":
            reachable.add((i, j + 1))
            if i < len(a):
                reachable.add((i + 1, j))
        if i < len(a) and j < len(b) and (a[i] == b[j] or "?" in (a[i], b[j])) and "*" not in (a[i], b[j]):
            reachable.add((i + 1, j + 1))
    return False


@lru_cache(maxsize=4096)
def overlap(a: str, b: str) -> bool:
    """Whether some path can match both patterns; a pattern covers everything below what it names."""

    def meet(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
        if not left or not right:
            return True  # one names a folder that holds the other
        if left[0] == "**":
            return meet(left[1:], right) or meet(left, right[1:])
        if right[0] == "**":
            return meet(left, right[1:]) or meet(left[1:], right)
        return _components_meet(left[0], right[0]) and meet(left[1:], right[1:])

    return meet(tuple(a.strip("/").split("/")), tuple(b.strip("/").split("/")))


def first_overlap(left: Iterable[str], right: Iterable[str]) -> str | None:
    """The first pattern of ``left`` that overlaps one of ``right``."""
    others = tuple(right)
    return next((pattern for pattern in left if any(overlap(pattern, other) for other in others)), None)
