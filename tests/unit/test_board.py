from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from orchestrator.cli.output import draw
from orchestrator.reporting.board import Row, board, time_left
from orchestrator.reporting.times import duration, spelled
from orchestrator.view import said
from shared.model import TaskStatus
from tests.support.story import Story


def shown(story: Story, height: int = 40) -> list[str]:
    rows = board(story.view, story.now, height).rows
    return [" ".join(f"{row.mark} {row.task} {row.where} {row.time} {row.line}".split()) for row in rows]


def test_board_of_a_run_in_the_middle() -> None:
    story = Story("run", "wait", "fin", "new", needs={"wait": ("run",)}, gate="make test")
    story.start("fin").agent("fin", 5.0).commit("fin", 16).over("fin")
    story.start("run").agent_begins("run", "A").agent_begins("run", "B").start("new").after(65)
    assert shown(story) == [
        "▶ run A+B 1m05s",
        "· wait needs run",
        "◆ fin to be merged 5.0s",
        "▶ new preparing 1m05s",
    ]
    assert board(story.view, story.now).total == ("1 waiting, 2 running, 1 finished · 2 of 2 slots · 1m10s")


def test_agents_that_run_are_shown_whatever_phases_they_belong_to() -> None:
    story = Story("a").start("a").agent_begins("a", "PLANNER", phase="plan")
    story.agent_begins("a", "TESTER", phase="test")
    assert shown(story) == ["▶ a PLANNER+TESTER 0.0s"]
    for number in range(5):
        story.agent_begins("a", f"DEV{number}", phase="work")
    assert shown(story) == ["▶ a PLANNER+TESTER+DEV0+DEV1+DEV2+DEV3+DEV4 0.0s"]


def test_task_whose_agents_all_wait_for_slots_says_so() -> None:
    story = Story("a", "b").sized(1).start("a").start("b").wants("a", "CODER").gets("a", "CODER")
    story.agent_begins("a").wants("b", "CODER", "TESTER")
    assert shown(story) == ["▶ a CODER 0.0s", "▶ b CODER+TESTER waiting for a slot 0.0s"]
    story.returns("a", "CODER").gets("b", "CODER")
    assert shown(story)[1] == "▶ b CODER starting 0.0s"


def test_agents_that_an_agent_asked_for_are_shown_below_it() -> None:
    story = Story("a", "b").sized(4).start("a").start("b")
    story.wants("a", "PLANNER").gets("a", "PLANNER").agent_begins("a", "PLANNER").after(1)
    story.returns("a", "PLANNER").wants("a", "PLANNER/c1", "PLANNER/c2", "PLANNER/c3")
    story.gets("a", "PLANNER/c1", "PLANNER/c2").agent_begins("a", "PLANNER/c1")
    story.agent_begins("a", "PLANNER/c2").after(2)
    assert shown(story) == [
        "▶ a PLANNER 3.0s",
        "└ PLANNER/c1 2.0s",
        "└ PLANNER/c2 2.0s",
        "▶ b preparing 3.0s",
    ]
    made = board(story.view, story.now)
    assert (made.hidden, made.total) == (0, "2 running · 2 of 4 slots · 3.0s")
    small = board(story.view, story.now, height=7)
    assert [row.task or row.where for row in small.rows] == ["a", "└ PLANNER/c1", "b"]


def test_slots_are_those_that_agents_hold_of_those_there_are_now() -> None:
    story = Story("a", jobs=8).sized(8).start("a").wants("a", "A", "B").gets("a", "A", "B")
    assert board(story.view, story.now).total == "1 running · 2 of 8 slots · 0.0s"
    story.sized(4, "memory is short").gets("a", "@gate", kind="gate").returns("a", "A")
    assert board(story.view, story.now).total == "1 running · 1 of 4 slots · 0.0s"


def test_row_of_the_task_that_is_merged_now_says_so() -> None:
    story = Story("a").start("a").over("a").tell("merge.started", task="a")
    assert shown(story) == ["◆ a merging 0.0s"]


def test_row_of_the_task_at_the_gate_shows_the_gate() -> None:
    story = Story("a", gate="make test").start("a").over("a").tell("gate.started", task="a").after(2)
    assert shown(story) == ["◆ a gate 0.0s make test"]


def test_ended_tasks_show_why_or_where() -> None:
    story = (
        Story("a", "b", "c", "d", "e")
        .settle("a", "failed", "exit status 1")
        .settle("b", "no-change", "nothing")
    )
    story.start("c").after(3).over("c").merge("c", 32).pull("c", 4).settle("d", "conflict", "with c")
    story.settle("e", "skipped", "its need a ended as failed")
    assert shown(story.after(100)) == [
        "✘ a exit status 1",
        "= b nothing",
        "✔ c 3.0s pull request #4",
        "⚡ d with c",
        "→ e its need a ended as failed",
    ]


def test_last_line_of_a_running_task_is_shown() -> None:
    story = Story("a").start("a").agent_begins("a").tell("phase.started", task="a", phase="work")
    view = story.view
    said(view, "a", "compiling 3 of 7")
    assert board(view, story.now).rows == (
        Row("▶", "a", TaskStatus.RUNNING, "CODER", "0.0s", "compiling 3 of 7"),
    )


def test_what_moves_is_shown_first_where_not_everything_fits() -> None:
    names = [f"t{number}" for number in range(30)]
    story = Story(*names).settle("t0", "failed").settle("t1", "failed").start("t29").start("t28")
    story.start("t27").over("t27")
    made = board(story.view, story.now, height=10)
    assert [row.task for row in made.rows] == ["t2", "t3", "t4", "t27", "t28", "t29"]
    assert made.hidden == 24


def test_smallest_terminal_still_shows_three_rows() -> None:
    made = board(Story(*"abcdef").view, 0.0, height=1)
    assert (len(made.rows), made.hidden) == (3, 3)


def test_board_does_not_change_the_picture() -> None:
    story = Story("a", "b").start("a").agent_begins("a")
    view = story.view
    assert board(view, story.now + 5) == board(view, story.now + 5)
    assert view == story.view


def test_board_of_nothing_is_empty() -> None:
    made = board(Story().view, 1_700_000_000.0)
    assert (made.rows, made.hidden) == ((), 0)


def test_clock_of_another_session_gives_no_negative_time() -> None:
    story = Story("a").start("a").agent_begins("a")
    assert board(story.view, story.now - 3600).rows[0].time == "0.0s"


def test_time_left_is_unknown_before_the_first_task_has_ended() -> None:
    story = Story("a", "b").start("a").agent_begins("a").after(5)
    assert time_left(story.view, story.now) is None


def test_time_left_follows_the_mean_and_the_slots() -> None:
    story = Story("a", "b", "c", "d", "e", jobs=2).start("a").agent("a", 10.0).over("a")
    assert time_left(story.view, story.now) == 20.0
    story.start("b").agent_begins("b").after(4)
    assert time_left(story.view, story.now) == 18.0
    story.after(100)
    assert time_left(story.view, story.now) == 0.0


def test_nothing_is_left_when_all_have_ended() -> None:
    story = Story("a").start("a").agent("a", 10.0).over("a").merge("a", 32)
    assert time_left(story.view, story.now) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0, "0.0s"),
        (0.04, "0.0s"),
        (4.25, "4.2s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (60, "1m00s"),
        (192.4, "3m12s"),
        (3599.9, "59m59s"),
        (3600, "1h00m"),
        (3840, "1h04m"),
        (360_000, "100h00m"),
    ],
)
def test_durations_are_short_and_steady(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (4.25, "4.2 s"), (99.9, "99.9 s"), (192.4, "3m12s"), (3840, "1h04m")]
)
def test_tenths_are_spelled_as_long_as_they_may_matter(seconds: float, text: str) -> None:
    assert spelled(seconds) == text


NAMES = ["DEV_INTEGRATION_MESSAGING", "DEV_INTEGRATION_SERVICES", "TEST", "QA"]


@pytest.mark.parametrize(
    ("width", "where"),
    [
        (240, "DEV_INTEGRATION_MESSAGING+DEV_INTEGRATION_SERVICES+TEST+QA"),
        (100, "DEV_INTEGRATION_MESSAGING +3 more"),
        (80, "4 agents"),
    ],
)
def test_agents_are_named_as_far_as_there_is_room(width: int, where: str) -> None:
    story = Story("a").start("a")
    for name in NAMES:
        story.agent_begins("a", name)
    [row] = board(story.view, story.now, width=width).rows
    assert row.where == where


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_names_push_neither_status_nor_time_off_the_terminal(width: int) -> None:
    story = Story("a-rather-long-name-of-a-task-that-somebody-gave-it").start(
        "a-rather-long-name-of-a-task-that-somebody-gave-it"
    )
    for name in NAMES:
        story.agent_begins("a-rather-long-name-of-a-task-that-somebody-gave-it", name)
    out = StringIO()
    made = board(story.after(192).view, story.now, width=width)
    Console(file=out, width=width).print(draw(made, width))
    first = out.getvalue().splitlines()[0]
    assert " ▶  a-rather-" in first
    assert " running  " in first
    assert " 3m12s " in first


def test_what_is_brought_to_github_at_the_end_is_shown() -> None:
    story = Story("a", pull_base="main").start("a").agent("a", 5.0).commit("a", 16).over("a").merge("a", 17)
    tip = story.view.tasks["a"].tip
    story.tell("pull.intent", task="a", tip=tip)
    assert shown(story) == ["✔ a pushing 5.0s"]
    story.tell("branch.sent", task="a", ref="refs/heads/spinney/a", oid=tip)
    assert shown(story) == ["✔ a opening its pull request 5.0s"]
    story.pull("a", 3).tell("pull.intent", task=None, tip=tip)
    assert shown(story) == ["✔ a 5.0s pull request #3"]
    assert "opening the pull request of the batch" in board(story.view, story.now).total


def test_pull_requests_in_the_own_repository_take_no_time_that_is_worth_showing() -> None:
    story = Story("a").start("a").agent("a", 5.0).commit("a", 16).over("a").merge("a", 17)
    story.tell("pull.intent", task="a", tip=story.view.tasks["a"].tip)
    assert shown(story) == ["✔ a 5.0s"]


def test_time_between_two_sessions_is_nobodys() -> None:
    story = Story("a", "b").start("a").agent_begins("a").after(5).end("interrupted").after(3600)
    story.tell("run.resumed", jobs=2).start("a", 2).agent_begins("a").after(7)
    assert shown(story)[0].split()[3] == "12.0s"
    story.agent_ends("a").commit("a", 16).over("a").after(60)
    assert shown(story)[0].split()[-1] == "12.0s"
