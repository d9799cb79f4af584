"""How alike two tasks' texts are. Pure, local and cheap: words, not meanings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

ENOUGH = 0.85  # of 1: an offer below this would mislead more than help
_ROUGHLY = 0.6  # of all their words that both must have before they are compared in order
_LOOKED_AT = 5  # of the most promising that are compared in order
_MOST_WORDS = 2000
_WORD = re.compile(r"\w+")


def words(title: str, body: str) -> tuple[str, ...]:
    """A text as it is compared: its words in lower case, whatever stands between them."""
    return tuple(_WORD.findall(f"{title} {body}".lower())[:_MOST_WORDS])


def similarity(first: Sequence[str], second: Sequence[str]) -> float:
    """From 0, nothing in common, to 1, the same words in the same order."""
    if not first or not second:
        return 0.0
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    if matcher.real_quick_ratio() < ENOUGH or matcher.quick_ratio() < ENOUGH:
        return 0.0
    return matcher.ratio()


def most_similar(text: Sequence[str], others: Iterable[Sequence[str]]) -> tuple[int, float] | None:
    """Which of ``others`` is most like ``text``, and how much, where one is enough like it."""
    own = set(text)
    rough = [(_shared(own, set(other)), place, other) for place, other in enumerate(others)]
    likely = sorted(
        (found for found in rough if found[0] >= _ROUGHLY), key=lambda found: (-found[0], found[1])
    )
    exact = [(similarity(text, other), place) for _, place, other in likely[:_LOOKED_AT]]
    best, place = max(exact, key=lambda found: (found[0], -found[1]), default=(0.0, 0))
    return (place, best) if best >= ENOUGH else None


def _shared(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second) if first | second else 0.0
