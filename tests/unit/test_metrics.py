from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.metrics import longest_chain, metrics
from orchestrator.view import AgentView
from tests.support.story import Story


def ran(start: float, seconds: float) -> AgentView:
    return AgentView("t", "p", "A", 1, start, start + seconds, seconds, True)


@pytest.mark.parametrize(
    ("spans", "longest"),
    [
        ([], 0.0),
        ([(0, 5)], 5.0),
        ([(0, 2), (2, 3)], 5.0),  # one after another
        ([(0, 2), (0, 3)], 3.0),  # side by side
        ([(0, 2), (1, 3)], 3.0),  # overlapping
        ([(0, 2), (5, 3)], 5.0),  # with a gap
        ([(0, 4), (0, 1), (1, 1), (2, 1)], 4.0),
        ([(0, 3), (0, 1), (1, 1), (2, 2)], 4.0),
        ([(0, 1), (0.9995, 1)], 2.0),  # clocks of two processes differ a little
        ([(3, 1), (0, 1), (2, 1), (1, 1)], 4.0),  # in any order
        ([(0, 0), (0, 0)], 0.0),
    ],
)
def test_longest_chain(spans: list[tuple[float, float]], longest: float) -> None:
    assert longest_chain([ran(start, seconds) for start, seconds in spans]) == pytest.approx(longest)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=9))
def test_longest_chain_is_that_of_trying_all(spans: list[tuple[int, int]]) -> None:
    def best_from(time: int) -> int:
        return max(
            (seconds + best_from(start + seconds) for start, seconds in spans if start >= time), default=0
        )

    assert longest_chain([ran(start, seconds) for start, seconds in spans]) == best_from(0)


def test_figures_of_two_tasks_side_by_side() -> None:
    story = Story("a", "b", jobs=4, gate="make").start("a").start("b")
    story.agent_begins("a").agent_begins("b").after(2).agent_ends("a", tokens=(100, 10))
    story.after(2).agent_ends("b", tokens=(50, 5))
    story.tell("gate.started", task="a").after(1).tell("gate.ended", task="a", seconds=1.0, passed=True)
    story.after(1).end("succeeded")
    assert metrics(story.view, story.now) == {
        "total_time_seconds": 6.0,
        "sequential_time_seconds": 7.0,
        "speedup": 1.167,
        "parallel_efficiency": 0.583,
        "overhead_seconds": 2.0,
        "agent_times": {"CODER": 6.0},
        "token_usage": {"CODER": 165},
        "cache_hit_rate": 0.0,
    }


def test_run_that_did_nothing_has_zeros() -> None:
    story = Story().end("succeeded")
    figures = metrics(story.view, story.now)
    assert {value for value in figures.values() if not isinstance(value, dict)} == {0.0}


def test_agents_that_still_run_are_not_measured_yet() -> None:
    story = Story("a").start("a").agent_begins("a").after(9)
    assert metrics(story.view, story.now)["sequential_time_seconds"] == 0.0


def test_slots_that_no_task_could_use_do_not_count_against_the_run() -> None:
    story = Story("a", jobs=64).start("a").agent("a", 4.0).end("succeeded")
    assert metrics(story.view, story.now)["parallel_efficiency"] == 1.0


def test_time_of_every_try_counts() -> None:
    story = Story("a").start("a").agent("a", 1.0, ok=False).agent("a", 2.0, attempt=2).end("succeeded")
    assert metrics(story.view, story.now)["agent_times"] == {"CODER": 3.0}
