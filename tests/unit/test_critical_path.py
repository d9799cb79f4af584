from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.reporting.critical_path import critical_path
from orchestrator.view import RunView
from shared.journal import read
from tests.support.story import Story
from tests.unit.test_journal import SAMPLE


def path(story: Story) -> list[str]:
    steps = critical_path(story.view, story.now)
    return [f"{s.task} {s.agent} {s.seconds:g}s, {s.cause} {s.waited:g}s" for s in steps]


def test_path_goes_back_over_whoever_ended_last_before_an_agent_asked() -> None:
    story = Story("a").sized(9).after(1).start("a").wants("a", "LOCAL", "WEB").gets("a", "LOCAL", "WEB")
    story.agent_begins("a", "LOCAL").agent_begins("a", "WEB").after(2).agent_ends("a", "WEB")
    story.after(3).agent_ends("a", "LOCAL").after(0.5).leased("a", 4.0, "PLAN")
    assert path(story) == ["a LOCAL 5s, start 1s", "a PLAN 4s, needs 0.5s"]


def test_agents_that_asked_at_once_did_not_wait_for_each_other_however_short_they_are() -> None:
    story = Story("a").sized(1).start("a").leased("a", 4.0, "PLAN").wants("a", "REVIEW", "AUDIT")
    story.gets("a", "REVIEW", "AUDIT").agent_begins("a", "REVIEW").agent_begins("a", "AUDIT")
    story.after(0.001).agent_ends("a", "REVIEW").after(0.001).agent_ends("a", "AUDIT")
    assert [step.agent for step in critical_path(story.view, story.now)] == ["PLAN", "AUDIT"]


def test_path_goes_over_to_the_task_that_freed_the_slot() -> None:
    story = Story("a", "b").sized(1).start("a").start("b").wants("a", "CODER").wants("b", "CODER")
    story.gets("a", "CODER").agent_begins("a").after(3).agent_ends("a").returns("a", "CODER").after(0.25)
    story.gets("b", "CODER").agent_begins("b").after(2).agent_ends("b")
    assert path(story) == ["a CODER 3s, start 0s", "b CODER 2s, slot 0.25s"]


def test_path_goes_over_needs_between_tasks_and_places() -> None:
    story = Story("a", "b", "c", "d", needs={"b": ("a", "c")}).start("a").start("c")
    story.agent_begins("a").agent_begins("c").after(2).agent_ends("a").over("a").after(3).agent_ends("c")
    story.over("c").start("b").agent("b", 1.0).over("b").after(1).start("d").agent("d", 4.0)
    assert path(story) == [
        "c CODER 5s, start 0s",
        "b CODER 1s, needs 0s",
        "d CODER 4s, place 1s",
    ]


def test_path_goes_over_gates_to_what_they_waited_for() -> None:
    story = Story("a", "b", gate="make").start("a").start("b").agent_begins("a").agent_begins("b")
    story.after(2).agent_ends("a").over("a").after(1).agent_ends("b").over("b")
    story.gate("a", 5.0).merge("a", 32).gate("b", 4.0).merge("b", 33)
    assert path(story) == ["a CODER 2s, start 0s", "a @gate 5s, merge 1s", "b @gate 4s, gate 0s"]


def test_path_goes_through_the_agents_of_an_agent() -> None:
    story = Story("a").sized(1).start("a").wants("a", "PLAN").gets("a", "PLAN").agent_begins("a", "PLAN")
    story.after(1).returns("a", "PLAN").wants("a", "PLAN/c1", "PLAN/c2").gets("a", "PLAN/c1")
    story.agent_begins("a", "PLAN/c1").after(4).agent_ends("a", "PLAN/c1").returns("a", "PLAN/c1")
    story.gets("a", "PLAN/c2").agent_begins("a", "PLAN/c2").after(2).agent_ends("a", "PLAN/c2")
    story.returns("a", "PLAN/c2").wants("a", "PLAN").gets("a", "PLAN").after(5).agent_ends("a", "PLAN")
    assert path(story) == [
        "a PLAN 1s, start 0s",
        "a PLAN/c1 4s, needs 0s",
        "a PLAN/c2 2s, slot 0s",
        "a PLAN 5s, needs 0s",
    ]


def test_retry_follows_the_try_before() -> None:
    story = Story("a").sized(1).start("a").leased("a", 2.0, ok=False).after(1).leased("a", 3.0, attempt=2)
    assert path(story) == ["a CODER 2s, start 0s", "a CODER 3s, needs 1s"]


def test_gap_between_sessions_is_not_waiting() -> None:
    story = Story("a").start("a").agent("a", 1.0, "PLAN").over("a", "interrupted").end("interrupted")
    story.after(3600).tell("run.resumed", jobs=2).after(1).start("a").agent("a", 2.0)
    assert path(story) == ["a PLAN 1s, start 0s", "a CODER 2s, needs 1s"]


def test_gate_of_what_is_no_task_begins_the_path() -> None:
    story = Story("a", into="main", gate="make").tell("gate.started", task="into").after(2)
    story.tell("gate.ended", task="into", seconds=2.0, passed=True)
    assert path(story) == [" @gate 2s, start 0s"]


def test_run_in_which_nothing_has_ended_has_no_path() -> None:
    assert path(Story("a").start("a").agent_begins("a").after(9)) == []


def test_path_of_a_run_of_format_1_is_found_by_times_alone() -> None:
    view = RunView.of(read(SAMPLE))
    steps = critical_path(view, view.ended or 0)
    assert [(step.task, step.agent) for step in steps][-1] == ("docs", "CODER")
    assert sum(step.seconds + step.waited for step in steps) <= view.elapsed(0) + 0.001


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=14))
def test_path_is_in_order_and_no_longer_than_the_run(agents: list[tuple[int, int, int]]) -> None:
    """Any agents of three tasks, overlapping in every way, some of no length."""
    story = Story("a", "b", "c", needs={"c": ("a",)})
    ends: list[tuple[float, str, str]] = []
    for number, (task, later, seconds) in enumerate(agents):
        story.after(later).agent_begins("abc"[task], f"A{number}")
        ends.append((story.now + seconds, "abc"[task], f"A{number}"))
    for end, task, name in sorted(ends):
        story.after(end - story.now).agent_ends(task, name)
    story.after(1).end("succeeded")
    steps = critical_path(story.view, story.now)
    begun = story.records[0]["time"]
    for step in steps:
        begun += step.waited + step.seconds
    assert begun <= story.now
    if any(seconds for _, _, seconds in agents):
        last = max(agent.ended or 0 for agent in story.view.agents if agent.work)
        assert begun == pytest.approx(last)
