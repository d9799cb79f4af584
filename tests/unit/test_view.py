from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.reporting.report import took
from orchestrator.reporting.times import duration
from orchestrator.view import AgentView, ConflictView, ContextView, GateView, RunView, SlotView, said
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


def test_gates_wait_for_its_slot_is_kept_with_it() -> None:
    story = Story("a", gate="make").start("a").over("a").after(1).gate("a", 2.0, wait=3.0)
    begun = story.now - 2.0
    assert story.view.gate_runs == [GateView("a", begun, 3.0, story.now, 2.0, True)]
    assert (story.view.tasks["a"].finished, story.view.tasks["a"].merging) == (begun - 4.0, begun - 3.0)


def test_gate_of_what_is_no_task_is_counted_too() -> None:
    story = Story("a", into="main", gate="make").tell("gate.started", task="into").after(1)
    story.tell("gate.ended", task="into", seconds=1.0, passed=False)
    assert story.view.gates == [("into", 1.0, False)]


def test_gate_that_a_kill_cut_short_is_not_counted() -> None:
    story = Story("a", gate="make").tell("gate.started", task="a").after(9).tell("run.resumed", jobs=2)
    assert (story.view.gating, story.view.gate_runs) == ("", [])


# --- slots


def test_agent_knows_when_it_wanted_and_got_its_slot() -> None:
    story = Story("a").sized(2).start("a").after(5).leased("a", 1.0, "PLAN").wants("a", "CODER", kind="model")
    wanted = story.now
    story.after(2)
    assert story.view.tasks["a"].queue == [SlotView("CODER", "model", wanted, after=0)]
    story.gets("a", "CODER", kind="model").agent_begins("a", kind="model", tier="deep").after(4)
    first, agent = story.view.tasks["a"].agents
    assert (first.needed, story.view.tasks["a"].startup) == (0.0, 5.0)
    assert (agent.kind, agent.tier, agent.needed, agent.slot_seconds) == ("model", "deep", 1.0, 2.0)
    assert story.view.tasks["a"].queue == []
    assert story.view.slots_used == 1
    story.agent_ends("a").returns("a", "CODER")
    assert (story.view.tasks["a"].agents[1].work, story.view.slots_used) == (4.0, 0)


def test_slot_that_is_returned_before_the_agents_end_is_told_counts_as_well() -> None:
    story = Story("a").sized(2).start("a").wants("a", "CODER").gets("a", "CODER").agent_begins("a").after(2)
    story.returns("a", "CODER").agent_ends("a")
    (agent,) = story.view.tasks["a"].agents
    assert (agent.work, agent.slots[0].returned) == (2.0, story.now)


def test_parent_does_not_work_while_its_own_agents_do() -> None:
    story = Story("a").sized(2).start("a").wants("a", "PLAN").gets("a", "PLAN").agent_begins("a", "PLAN")
    story.after(1).returns("a", "PLAN").wants("a", "PLAN/c1", "PLAN/c2")
    story.gets("a", "PLAN/c1", "PLAN/c2").agent_begins("a", "PLAN/c1").agent_begins("a", "PLAN/c2")
    story.after(4).agent_ends("a", "PLAN/c1").returns("a", "PLAN/c1")
    story.after(2).agent_ends("a", "PLAN/c2").returns("a", "PLAN/c2")
    story.wants("a", "PLAN").after(3).gets("a", "PLAN").after(5).agent_ends("a", "PLAN").returns("a", "PLAN")
    parent, first, second = story.view.tasks["a"].agents
    begun = story.now - 15
    assert (parent.parent, first.parent, first.needed) == ("", "PLAN", 0.0)
    assert parent.worked == [(begun, begun + 1), (begun + 10, begun + 15)]
    assert (parent.seconds, parent.work, first.work, second.work) == (15.0, 6.0, 4.0, 6.0)
    assert (parent.slot_seconds, story.view.tasks["a"].seconds) == (3.0, 16.0)


def test_wish_of_an_agent_that_is_refused_its_context_is_forgotten_with_its_slot() -> None:
    story = Story("a").sized(2).start("a").wants("a", "CODER").gets("a", "CODER")
    story.context("a", "CODER", 9000, budget=8000, refused=True).returns("a", "CODER")
    task = story.view.tasks["a"]
    assert (task.queue, task.agents, story.view.slots_used) == ([], [], 0)
    assert task.contexts == {"CODER": ContextView(budget=8000, refused=1)}


def test_lost_manager_leaves_no_slot_held_and_no_wish_open() -> None:
    story = Story("a", "b").sized(4).start("a").start("b").wants("a", "A", "B").gets("a", "A").gets("b", "C")
    story.agent_begins("a", "A").tell("manager.lost", task="a", reason="signal 9")
    assert (story.view.tasks["a"].queue, story.view.held) == ([], {("b", "C"): "cpu"})
    assert story.tell("run.resumed", jobs=1).view.held == {}


def test_slots_follow_what_the_pool_is_sized_to() -> None:
    story = Story("a", jobs=4)
    assert story.view.slots == 4
    assert [story.sized(8).view.slots, story.sized(2, "memory is short").view.slots] == [8, 2]
    assert not story.view.pools[-1].limited
    assert [Story().sized(1, why).view.pools[0].limited for why in ("a rate limit", "rate-limit")] == [
        True
    ] * 2


def test_retry_does_not_wait_for_its_needs_again() -> None:
    story = Story("a").sized(2).start("a").leased("a", 3.0, "PLAN").leased("a", 1.0, ok=False)
    story.after(1).leased("a", 1.0, attempt=2)
    assert [agent.needed for agent in story.view.tasks["a"].agents] == [0.0, 3.0, 0.0]


def test_attempt_after_a_loss_is_set_up_anew() -> None:
    story = Story("a").sized(2).start("a").after(2).leased("a", 1.0, "PLAN").wants("a", "CODER")
    story.tell("manager.lost", task="a", reason="signal 9").start("a", 2).after(4).leased("a", 1.0)
    task = story.view.tasks["a"]
    assert (task.startup, [agent.needed for agent in task.agents]) == (6.0, [0.0, 0.0])


# --- context, skips, conflicts


@pytest.mark.parametrize(
    ("story", "failed"),
    [
        (lambda s: s.agent("a", 1, ok=False, summary="no"), {}),  # nobody knows yet what follows
        (lambda s: s.agent("a", 1, ok=False, summary="no").agent_begins("a", attempt=2), {1: "no"}),
        (lambda s: s.agent("a", 1).agent_begins("a", attempt=2), {}),  # its work was in conflict
        (
            lambda s: (
                s.agent("a", 1, ok=False, summary="spent")
                .agent("a", 1, ok=False, summary="no")
                .agent_begins("a", attempt=2)
            ),
            {1: "no"},
        ),
        (
            lambda s: (
                s.agent("a", 1, ok=False, summary="no")
                .agent_begins("a", attempt=2)
                .tell("manager.lost", task="a", reason="signal 9")
                .start("a", attempt=2)
                .agent_begins("a")
            ),
            {1: "no"},  # however far the next manager got
        ),
    ],
)
def test_tries_that_failed_and_were_followed_by_another_are_known(
    story: Callable[[Story], Story], failed: dict[int, str]
) -> None:
    known = story(Story("a").start("a")).view.tasks["a"].failed_tries
    assert known == {("CODER", number): why for number, why in failed.items()}


def test_context_of_all_tries_of_an_agent_is_added_up() -> None:
    story = Story("a").start("a").context("a", "CODER", 500, budget=2000)
    story.context("a", "CODER", 100, 400, budget=1500, compressed=["PLANNER"])
    story.context("a", "CODER", 50, 400, budget=1400, compressed=["PLANNER"])
    assert story.view.tasks["a"].contexts == {"CODER": ContextView(650, 800, 2000, ["PLANNER"])}


def test_conflict_between_agents_names_who_resolves_it() -> None:
    fields = {"task": "a", "phase": "work", "agent": "UI", "paths": ["x.py"], "resolver": "MENDER"}
    view = Story("a").start("a").tell("agent.conflicted", **fields).view
    assert view.tasks["a"].conflicts == [ConflictView("work", "UI", ("x.py",), "MENDER")]


def test_agent_that_is_skipped_again_after_a_loss_is_named_once() -> None:
    story = Story("a").start("a")
    for _ in range(2):
        story.tell("agent.skipped", task="a", phase="docs", agent="WRITER", reason="a typo")
    assert story.view.tasks["a"].skipped_agents == [("WRITER", "a typo")]


def test_run_says_workflow_change_and_budget_of_its_tasks() -> None:
    about = {"a": {"workflow": "autodev", "change": "typo", "budget": 8000}}
    first, second = Story("a", "b", about=about).view.tasks.values()
    assert (first.workflow, first.change, first.budget) == ("autodev", "typo", 8000)
    assert (second.workflow, second.change, second.budget) == ("", "", 0)


def test_end_of_an_agent_that_never_began_is_its_whole_story() -> None:
    story = Story("a").start("a")
    story.tell(
        "agent.ended",
        task="a",
        phase="work",
        agent="CODER",
        attempt=1,
        ok=False,
        seconds=0.0,
        summary="no such backend",
        started=story.now,
        input_tokens=0,
        output_tokens=0,
        cost_usd=0,
    )
    (agent,) = story.view.tasks["a"].agents
    assert (agent.ended, agent.ok, agent.summary) == (story.now, False, "no such backend")


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


def test_time_in_other_runs_counts_as_worked_once() -> None:
    story = Story("a", "b").start("a").start("b")
    begun = story.now
    for task, started, ended in (("a", begun - 60, begun - 20), ("b", begun - 40, begun - 10)):
        story.tell("task.elsewhere", task=task, started=started, ended=ended)
    view = story.after(2).view
    assert (view.elapsed(story.now), view.elapsed_here(story.now)) == (50 + 2, 2)
    assert took(view, story.now, duration) == "2.0s, after 50.0s of jobs elsewhere"
    story.tell("task.elsewhere", task="b", started=begun - 5, ended=begun + 1000)  # a clock that is wrong
    assert story.view.elapsed(story.now) == 50 + 5 + 2
