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
    """Stars take as little as they can and never try again, so that no path is slow, however it was made."""
    runs: list[list[str]] = [[]]  # of components, with ``**`` between them
    for component in pattern.strip("/").split("/"):
        if component == "**":
            runs.append([])
        else:
            runs[-1].append(_component(component))
    *before, last = runs
    text = "".join(f"{part}/" for part in before[0]) if before else ""
    for run in filter(None, before[1:]):
        text += f"(?>(?:[^/]+/)*?{''.join(f'{part}/' for part in run)})"
    if before:
        text += "(?:[^/]+/)*?" if last else ".*"
    # A pattern that names a folder covers what is in it, as in .gitignore.
    return re.compile(text + "/".join(last) + r"(?:/.*)?\Z", re.DOTALL)


def _component(text: str) -> str:
    first, *rest = (re.escape(part).replace(r"\?", "[^/]") for part in re.split(r"\*+", text))
    middle = "".join(f"(?>[^/]*?{part})" for part in rest[:-1])
    return first + middle + (f"[^/]*{rest[-1]}" if rest else "")


def matches(pattern: str, path: str) -> bool:
    return bool(_compiled(pattern).match(path))


def matches_any(patterns: Iterable[str], path: str) -> bool:
    return any(matches(pattern, path) for pattern in patterns)


def _components_meet(a: str, b: str) -> bool:
    """Whether some name matches both ``a`` and ``b``, which contain ``*`` and ``?``."""
    a, b = re.sub(r"\*+", "*", a), re.sub(r"\*+", "*", b)
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
