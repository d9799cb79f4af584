from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.view.spans import Span, minus, most_at_once, union, within

spans = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda s: (min(s), max(s))), max_size=8
)


def moments(found: list[Span]) -> set[int]:
    """Whole seconds that lie inside, by their beginnings."""
    return {second for begin, end in found for second in range(int(begin), int(end))}


@given(spans)
def test_union_covers_the_same_moments_and_touches_nowhere(found: list[Span]) -> None:
    joined = union(found)
    assert moments(joined) == moments(found)
    assert all(first[1] < second[0] for first, second in pairwise(joined))
    assert all(begin < end for begin, end in joined)


@given(spans, spans)
def test_within_and_minus_divide_a_span(found: list[Span], others: list[Span]) -> None:
    covered = union(others)
    for span in found:
        left = minus(span, covered)
        assert moments(left) == moments([span]) - moments(others)
        assert within(span, covered) == len(moments([span]) & moments(others))


@given(spans)
def test_most_at_once_is_that_of_counting(found: list[Span]) -> None:
    counts = [sum(begin <= second < end for begin, end in found) for second in range(20)]
    assert most_at_once(found) == max(counts)


@pytest.mark.parametrize(
    ("found", "most"), [([], 0), ([(0, 1), (1, 2)], 1), ([(0, 2), (1, 2)], 2), ([(1, 1)], 0)]
)
def test_spans_that_touch_do_not_overlap(found: list[Span], most: int) -> None:
    assert most_at_once(found) == most
