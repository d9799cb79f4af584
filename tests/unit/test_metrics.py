from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.reporting.metrics import longest_chain, metrics
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
    story.agent_begins("a").agent_begins("b").after(2).agent_ends("a", tokens=(100, 10), cost=0.5)
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
        "slots": 2,
        "phase_times": {"work": 6.0},
        "task_times": {"a": 2.0, "b": 4.0},
        "waiting": {"start": 0.0, "needs": 0.0, "slot": 0.0, "gate": 0.0, "merge": 0.0, "rate_limit": 0.0},
        "critical_path": [
            {"task": "a", "agent": "CODER", "seconds": 2.0, "waited": 0.0, "cause": "start"},
            {"task": "a", "agent": "@gate", "seconds": 1.0, "waited": 2.0, "cause": "merge"},
        ],
        "cost_usd": 0.5,
        "models": {},
        "model_calls_saved": 0,
        "context_tokens": {"given": 0, "saved": 0},
        "skipped": {},
        "retried": 0,
    }


def test_run_that_did_nothing_has_zeros() -> None:
    figures = metrics(Story().end("succeeded").view, 0.0)
    assert figures.pop("slots") == 1
    assert not any(figures.pop(name) for name in ("agent_times", "token_usage", "phase_times", "task_times"))
    assert set(figures.pop("waiting").values()) == set(figures.pop("context_tokens").values()) == {0}
    assert not figures.pop("critical_path")
    assert not figures.pop("skipped")
    assert not figures.pop("models")
    assert set(figures.values()) == {0}


def planned() -> Story:
    """An agent that works 1 s, waits 6 s for two of its own, 3 s for its slot, and works 5 s more."""
    story = Story("a").sized(2).start("a").wants("a", "PLAN").gets("a", "PLAN").agent_begins("a", "PLAN")
    story.after(1).returns("a", "PLAN").wants("a", "PLAN/c1", "PLAN/c2")
    story.gets("a", "PLAN/c1", "PLAN/c2").agent_begins("a", "PLAN/c1").agent_begins("a", "PLAN/c2")
    story.after(4).agent_ends("a", "PLAN/c1").returns("a", "PLAN/c1")
    story.after(2).agent_ends("a", "PLAN/c2").returns("a", "PLAN/c2")
    story.wants("a", "PLAN").after(3).gets("a", "PLAN").after(5).agent_ends("a", "PLAN")
    return story.returns("a", "PLAN").end("succeeded")


def test_agents_of_an_agent_are_not_counted_twice() -> None:
    figures = metrics(planned().view, 0.0)
    assert figures["agent_times"] == {"PLAN": 6.0, "PLAN/c1": 4.0, "PLAN/c2": 6.0}
    assert (figures["sequential_time_seconds"], figures["total_time_seconds"]) == (16.0, 15.0)
    assert (figures["slots"], figures["overhead_seconds"]) == (2, 0.0)
    assert figures["retried"] == 0


def test_slots_that_somebody_waited_for_count_against_the_run() -> None:
    """Two agents one after another, for want of a slot that the pool had only later."""
    story = Story("a", "b").sized(1).start("a").start("b").wants("a", "CODER").wants("b", "CODER")
    story.gets("a", "CODER").agent_begins("a").after(2).agent_ends("a").returns("a", "CODER")
    story.sized(2, "the machine is idle").gets("b", "CODER").agent_begins("b").after(2).agent_ends("b")
    figures = metrics(story.end("succeeded").view, 0.0)
    assert (figures["slots"], figures["parallel_efficiency"]) == (2, 0.5)


def test_gate_beside_the_last_slot_makes_no_efficiency_above_one() -> None:
    story = Story("a", "b", jobs=1, gate="make").sized(1).start("a").leased("a", 2.0).over("a")
    story.start("b").wants("b", "CODER").gets("b", "CODER").agent_begins("b").gate("a", 2.0).agent_ends("b")
    figures = metrics(story.end("succeeded").view, 0.0)
    assert (figures["speedup"], figures["slots"], figures["parallel_efficiency"]) == (1.5, 2, 0.75)


def test_context_that_was_saved_is_the_cache_hit_rate() -> None:
    story = Story("a", "b").start("a").start("b").context("a", "CODER", 600).context("b", "CODER", 150, 250)
    figures = metrics(story.view, story.now)
    assert figures["context_tokens"] == {"given": 750, "saved": 250}
    assert figures["cache_hit_rate"] == 0.25


def test_skips_are_counted_by_reason_most_first() -> None:
    story = Story("a", "b").start("a").start("b")
    for task, name, reason in (("a", "A", "a typo"), ("a", "B", "no label"), ("b", "B", "no label")):
        story.tell("agent.skipped", task=task, phase="work", agent=name, reason=reason)
    assert metrics(story.view, story.now)["skipped"] == {"no label": 2, "a typo": 1}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 5)), max_size=12))
def test_efficiency_never_exceeds_one(agents: list[tuple[int, int, int]]) -> None:
    """Agents of three tasks that overlap in every way."""
    story = Story("a", "b", "c", jobs=2)
    ends: list[tuple[float, str, str]] = []
    for number, (task, later, seconds) in enumerate(agents):
        story.after(later)
        story.agent_begins("abc"[task], f"A{number}")
        ends.append((story.now + seconds, "abc"[task], f"A{number}"))
    for end, task, name in sorted(ends):
        story.after(end - story.now).agent_ends(task, name)
    story.after(1).end("succeeded")
    assert 0 <= metrics(story.view, story.now)["parallel_efficiency"] <= 1


def test_agents_that_still_run_are_not_measured_yet() -> None:
    story = Story("a").start("a").agent_begins("a").after(9)
    assert metrics(story.view, story.now)["sequential_time_seconds"] == 0.0


def test_slots_that_no_task_could_use_do_not_count_against_the_run() -> None:
    story = Story("a", jobs=64).start("a").agent("a", 4.0).end("succeeded")
    assert metrics(story.view, story.now)["parallel_efficiency"] == 1.0


def test_time_of_every_try_counts() -> None:
    story = Story("a").start("a").agent("a", 1.0, ok=False).agent("a", 2.0, attempt=2).end("succeeded")
    figures = metrics(story.view, story.now)
    assert (figures["agent_times"], figures["retried"]) == ({"CODER": 3.0}, 1)
