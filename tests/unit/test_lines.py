from __future__ import annotations

import pytest

from orchestrator.reporting.lines import Lines, line_for
from orchestrator.view import RunView
from tests.support.story import Story


def told(story: Story) -> list[str]:
    """What is told of everything after the run's start."""
    lines, view, found = Lines(), RunView(), []
    for record in story.records:
        view.apply(record)
        found += lines.of(record, view)
    return found[1:]


def skip(story: Story, *reasons: str) -> Story:
    for number, reason in enumerate(reasons):
        fields = {"phase": "work", "agent": f"A{number}"}
        story.tell("agent.skipped", task="api", **fields, reason=reason)
        story.wants("api", "CODER")
    return story


@pytest.mark.parametrize(
    ("reasons", "line"),
    [
        (["a typo"], "api: skipped A0: a typo"),
        (["a typo"] * 3, "api: skipped 3 agents: A0, A1, A2 (a typo)"),
        (
            ["a"] * 3 + ["b"] * 3,
            "api: skipped 6 agents: A0, A1, A2, A3 and 2 more (why: spinney explain api)",
        ),
    ],
)
def test_agents_that_are_skipped_together_make_one_line(reasons: list[str], line: str) -> None:
    story = skip(Story("api", "other").start("api"), *reasons).agent("other", 1.0).agent("api", 2.0)
    assert told(story) == [
        "api: started",
        "other: work / CODER done in 1.0s",
        line,
        "api: work / CODER done in 2.0s",
    ]


def test_what_is_skipped_last_is_told_before_the_task_is_over() -> None:
    story = (
        skip(Story("api").start("api"), "a typo").over("api").settle("api", "no-change", "nothing changed")
    )
    assert told(story)[1:] == ["api: skipped A0: a typo", "api: no-change, nothing changed"]


def test_an_agent_that_runs_again_is_told() -> None:
    story = Story("api").start("api").agent("api", 1.0, ok=False, summary="exit code 1")
    story.agent("api", 3.0, attempt=2, summary="done")
    assert told(story)[1:] == [
        "api: work / CODER failed in 1.0s: exit code 1",
        "api: work / CODER runs again, try 2",
        "api: work / CODER done in 3.0s",
    ]


@pytest.mark.parametrize(
    ("resolver", "answer"), [("JUDGE", "JUDGE is to resolve it"), ("", "nobody resolves it")]
)
def test_a_conflict_between_agents_is_told_with_who_resolves_it(resolver: str, answer: str) -> None:
    fields = {"phase": "work", "agent": "CODER", "paths": ["a", "b"], "resolver": resolver}
    story = Story("api").start("api").tell("agent.conflicted", task="api", **fields)
    assert told(story)[1:] == [f"api: work / CODER conflicts with other agents in a, b; {answer}"]


def test_fewer_slots_are_told_and_as_many_again_but_not_each_step_between() -> None:
    story = Story("api").sized(8).sized(4, "memory is short: 200 MB available")
    for total in range(5, 11):
        story.sized(total, "there is room again")
    assert told(story) == [
        "fewer slots, 4 instead of 8: memory is short: 200 MB available",
        "8 slots again: there is room again",
    ]


def test_waiting_for_the_forge_is_told_until_when() -> None:
    story = Story("a").tell("forge.held", reason="the hourly limit", until=1_700_000_060.0)
    line = line_for(story.records[-1], story.view)
    assert line is not None
    assert line.startswith("GitHub: waiting until ")
    assert line.endswith("(the hourly limit)")
    story.tell("forge.released")
    assert line_for(story.records[-1], story.view) == "GitHub: going on"
    assert story.view.forge_pause is None


def test_pull_request_is_told_where_it_has_an_address() -> None:
    story = Story("a").tell("pull.opened", task="a", number=4, url="https://x/pull/4", state="open")
    assert line_for(story.records[-1], story.view) == "a: pull request #4, https://x/pull/4"
    assert line_for(story.pull("a", 4).records[-1], story.view) is None
