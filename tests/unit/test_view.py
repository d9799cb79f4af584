from __future__ import annotations

from orchestrator.view import AgentView, RunView, said
from shared.journal import read
from shared.model import TaskStatus
from tests.support.build import RUN, oid
from tests.support.story import Story
from tests.unit.test_journal import SAMPLE


def test_new_run_shows_its_tasks_waiting() -> None:
    view = Story("a", "b", needs={"b": ("a",)}, gate="make test", into="main").view
    assert (view.id, view.status, view.gate, view.into, view.jobs) == (RUN, "running", "make test", "main", 2)
    assert [(task.id, task.title, task.needs, task.status) for task in view.tasks.values()] == [
        ("a", "A", (), TaskStatus.WAITING),
        ("b", "B", ("a",), TaskStatus.WAITING),
    ]


def test_task_goes_from_running_over_finished_to_merged() -> None:
    story = Story("a").after(1).start("a")
    task = story.view.tasks["a"]
    assert (task.status, task.attempts, task.worktree) == (TaskStatus.RUNNING, 1, "/repo.spinney/a")
    story.agent("a", 2.0, summary="did it").commit("a", 16).over("a", paths=("x.py",))
    task = story.view.tasks["a"]
    assert (task.status, task.tip, task.commits) == (TaskStatus.FINISHED, oid(16), [("work", oid(16))])
    assert (task.paths, task.phase, task.seconds) == (("x.py",), "", 2.0)
    view = story.merge("a", 32).pull("a", 1).view
    assert view.tasks["a"].status is TaskStatus.MERGED
    assert (view.merged, view.merged_ref) == (oid(32), f"refs/heads/spinney/batch/{RUN}")
    assert view.tasks["a"].pull == (1, "refs/spinney/pulls/1/head")


def test_agent_is_running_until_it_has_ended() -> None:
    story = Story("a").start("a").agent_begins("a")
    (running,) = story.view.tasks["a"].running_agents
    assert (running.name, running.started, running.ended) == ("CODER", story.now, None)
    story.after(1.5).agent_ends("a", ok=False, summary="exit status 1", tokens=(10, 2), cost=0.5)
    assert story.view.tasks["a"].agents == [
        AgentView(
            "a", "work", "CODER", 1, story.now - 1.5, story.now, 1.5, False, "exit status 1", 10, 2, 0.5
        )
    ]


def test_committed_phase_counts_once_however_often_it_is_told() -> None:
    story = Story("a").start("a").commit("a", 16).commit("a", 16)
    assert story.view.tasks["a"].commits == [("work", oid(16))]


def test_unchanged_phases_and_skipped_agents_are_remembered() -> None:
    story = Story("a").start("a").tell("phase.unchanged", task="a", phase="docs")
    story.tell("agent.skipped", task="a", phase="docs", agent="WRITER", reason="no label")
    task = story.view.tasks["a"]
    assert (task.unchanged_phases, task.skipped_agents) == (["docs"], [("WRITER", "no label")])


def test_lost_manager_takes_its_agents_with_it() -> None:
    story = Story("a").start("a").agent_begins("a").after(3).tell("manager.lost", task="a", reason="signal 9")
    task = story.view.tasks["a"]
    assert task.reason == "signal 9"
    assert task.running_agents == []
    assert task.agents[0].summary == "lost with its manager"
    story.start("a", attempt=2)
    assert (story.view.tasks["a"].reason, story.view.tasks["a"].attempts) == ("", 2)


def test_conflict_keeps_files_and_opponents() -> None:
    story = Story("a").start("a").commit("a", 16).over("a")
    story.settle("a", "conflict", "it conflicts", files=["x.py"], **{"with": ["b"]})
    task = story.view.tasks["a"]
    assert (task.conflict_files, task.conflict_with, task.reason) == (("x.py",), ("b",), "it conflicts")
    story.tell("task.reopened", task="a", tip=oid(17))
    task = story.view.tasks["a"]
    assert (task.status, task.tip, task.conflict_files, task.reason) == (TaskStatus.FINISHED, oid(17), (), "")


def test_interrupted_task_waits_again() -> None:
    story = Story("a").start("a").over("a", "interrupted", "the run was stopped").end("interrupted")
    assert story.view.tasks["a"].status is TaskStatus.WAITING
    assert story.view.status == "interrupted"


def test_resume_forgets_who_was_running() -> None:
    story = Story("a").start("a").agent_begins("a").after(2).tell("note", text="last words")
    story.after(3600).tell("run.resumed", jobs=4)
    view = story.view
    assert (view.status, view.jobs) == ("running", 4)
    assert view.tasks["a"].status is TaskStatus.WAITING
    assert view.tasks["a"].agents[0].summary == "interrupted"


def test_time_between_sessions_is_not_working_time() -> None:
    story = Story("a").after(10).end("interrupted")
    assert story.view.elapsed(story.now + 999) == 10.0
    story.after(3600).tell("run.resumed", jobs=2).after(5)
    assert story.view.elapsed(story.now) == 15.0
    story.end("succeeded")
    assert story.view.elapsed(story.now + 999) == 15.0


def test_killed_session_worked_until_its_last_record() -> None:
    story = Story("a").after(7).tell("note", text="x").after(3600).tell("run.resumed", jobs=2).after(3)
    assert story.view.elapsed(story.now) == 10.0


def test_clock_that_goes_back_gives_no_negative_time() -> None:
    story = Story("a").after(-86400).end("succeeded")
    assert story.view.elapsed(story.now) == 0.0


def test_gate_is_shown_while_it_runs_and_counted_after() -> None:
    story = Story("a").tell("gate.started", task="a")
    assert story.view.gating == "a"
    story.after(2).tell("gate.ended", task="a", seconds=2.0, passed=True)
    assert (story.view.gating, story.view.gates) == ("", [("a", 2.0, True)])


def test_batchs_own_pull_request_belongs_to_no_task() -> None:
    view = Story("a").pull(None, 7).view
    assert view.pull == (7, "refs/spinney/pulls/7/head")
    assert view.tasks["a"].pull is None


def test_unknown_events_are_left_alone() -> None:
    assert Story("a").tell("from.the.future", anything=1).view.tasks["a"].status is TaskStatus.WAITING


def test_last_line_is_shown_until_the_task_is_over() -> None:
    story = Story("a").start("a")
    view = story.view
    said(view, "a", "compiling")
    assert view.tasks["a"].last_line == "compiling"
    story.over("a")
    view.apply(story.records[-1])
    assert view.tasks["a"].last_line == ""


def test_half_a_journal_is_a_picture_too() -> None:
    records = read(SAMPLE)
    for end in range(len(records) + 1):
        assert RunView.of(records[:end]).status in ("running", "failed")


def test_sample_of_format_1_still_shows_the_same() -> None:
    view = RunView.of(read(SAMPLE))
    assert (view.status, view.landed, view.merged) == ("failed", oid(33), oid(33))
    assert {task.id: str(task.status) for task in view.tasks.values()} == {
        "rename-api": "merged",
        "docs": "merged",
        "broken": "failed",
        "late": "skipped",
    }
