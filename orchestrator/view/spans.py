"""Stretches of time as pairs of seconds, and what can be said of many of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[float, float]  # begin and end


def union(spans: Iterable[Span]) -> list[Span]:
    """The same moments, as spans in order that do not touch each other; empty ones are left out."""
    found: list[Span] = []
    for begin, end in sorted(span for span in spans if span[1] > span[0]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def within(span: Span, others: Sequence[Span]) -> float:
    """Seconds of ``span`` that lie inside any of ``others``, which are in order and do not overlap."""
    begin, end = span
    return sum(max(0.0, min(end, other[1]) - max(begin, other[0])) for other in others)


def minus(span: Span, others: Sequence[Span]) -> list[Span]:
    """What is left of ``span`` without ``others``, which are in order and do not overlap."""
    at, end = span
    left: list[Span] = []
    for begin, over in others:
        if at < min(begin, end):
            left.append((at, min(begin, end)))
        at = max(at, over)
    if at < end:
        left.append((at, end))
    return left


def most_at_once(spans: Iterable[Span]) -> int:
    """How many overlap at the busiest moment; one that begins where another ends does not overlap it."""
    moments = [(at, change) for begin, end in spans if end > begin for at, change in ((begin, 1), (end, -1))]
    most = now = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most
