from __future__ import annotations

import pytest

from orchestrator.reporting.explanation import explain
from tests.support.build import oid
from tests.support.story import Story
from tests.unit.test_figures import whole
from tests.unit.test_report import BATCH, told


def explained(story: Story, task: str) -> str:
    return "\n".join(explain(story.view, story.view.tasks[task])) + "\n"


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("api", f"""\
api: Api
status: merged
merged by {oid(32)[:10]} into {BATCH}
  work / CODER (try 1): ok, 2.0 s: renamed
  REVIEWER skipped: no label risky
  commit {oid(16)[:10]} [work]
  then waited 1.0 s for the gate
"""),
        ("broken", """\
broken: Broken
status: failed
why: CODER: exit status 1
its worktree is kept at /repo.spinney/broken
  work / CODER (try 1): failed, 0.5 s: exit status 1
"""),
        ("late", "late: Late\nstatus: skipped\nwhy: its need broken ended as failed\n"),
        ("same", "same: Same\nstatus: no-change\nwhy: nothing was changed\n  work / CODER (try 1): ok, 0.2 s\n"),
        ("clash", f"""\
clash: Clash
status: conflict
why: it conflicts with api
files in conflict: src/api.py, b.py
with: api
its work is kept on spinney/clash
  work / CODER (try 1): ok, 0.2 s
  commit {oid(18)[:10]} [work]
"""),
        ("gated", f"""\
gated: Gated
status: unmerged
why: the gate failed: exit status 1
its commit is kept on spinney/gated
the gate's output: /logs/gate-gated.log
  work / CODER (try 1): ok, 0.2 s
  commit {oid(19)[:10]} [work]
"""),
    ],
)  # fmt: skip
def test_end_of_a_task_is_explained(task: str, text: str) -> None:
    assert explained(told(), task) == text


def test_waiting_task_says_for_what() -> None:
    story = Story("a", "b", "c", needs={"c": ("a", "b")}).start("a").over("a").start("b")
    assert "it waits for: b (running)\n" in explained(story, "c")


def test_waiting_task_without_open_needs_waits_for_a_place() -> None:
    assert "it waits for a place among the open tasks\n" in explained(Story("a"), "a")


def test_task_of_an_interrupted_run_says_how_to_go_on() -> None:
    assert "spinney resume" in explained(Story("a").end("interrupted"), "a")
    told = explained(Story("a", takes_in=True).end("interrupted"), "a")
    assert "; the same spinney integrate goes on\n" in told


def test_finished_task_says_whom_it_waits_for() -> None:
    story = Story("a", "b", "c").start("c").start("b").commit("b", 16).over("b")
    assert "its work is on spinney/b; it is integrated after: a\n" in explained(story, "b")
    story.settle("a", "failed")
    assert "its work is on spinney/b; it is integrated after: nothing else\n" in explained(story, "b")


def test_agents_that_came_to_no_end_say_so() -> None:
    story = Story("a").start("a").agent_begins("a").after(1).tell("manager.lost", task="a", reason="signal 9")
    story.start("a", 2).agent_begins("a", attempt=1)
    assert "  work / CODER (try 1): lost with its manager\n  work / CODER (try 1): running\n" in explained(
        story, "a"
    )


def test_waits_context_conflicts_and_agents_of_agents_are_told() -> None:
    assert (
        explained(whole(), "api")
        == f"""\
api: Api
status: merged
merged by {oid(32)[:10]} into {BATCH}
  plan / PLANNER (try 1): ok, 3.0 s: three files
    waited 0.5 s for a slot
    context: 1200 of 2000 tokens
  work / CODER (try 1): failed, 8.0 s: c2: exit status 1
    waited 3.5 s until its needs were done
    CODER/c1 (try 1): ok, 4.0 s: make
    CODER/c2 (try 1): failed, 2.0 s: exit status 1
      waited 4.0 s for a slot
  work / CODER (try 2): ok, 5.0 s: built it
    context: 600 of 6800 tokens, 300 saved; compressed: PLANNER
  work / MENDER (try 1): ok, 0.5 s
    waited 16.5 s until its needs were done
  REVIEWER did not begin; context: 0 of 6200 tokens; refused once: it would have passed the budget
  CODER conflicted with other agents in a.py; MENDER resolved it
  AUDITOR skipped: not needed for a typo
  WRITER skipped: not needed for a typo
  commit {oid(16)[:10]} [work]
  then waited 2.2 s for the gate and 1.0 s to be merged
"""
    )


def test_running_task_names_who_waits_for_a_slot() -> None:
    story = Story("a", "b").sized(1).start("a").start("b").wants("a", "CODER").gets("a", "CODER")
    story.agent_begins("a").wants("b", "CODER", kind="model").wants("b", "TESTER")
    waiting = "waiting for one of the 1 slots, which are all taken: CODER (model), TESTER (cpu)\n"
    assert waiting in explained(story, "b")
    story.returns("a", "CODER")
    assert "waiting for a slot: CODER (model), TESTER (cpu)\n" in explained(story, "b")


def test_running_task_of_a_journal_without_slots_waits_where_all_are_taken() -> None:
    story = Story("a", "b", jobs=1).start("a").start("b").agent_begins("a")
    assert "it waits for one of the 1 slots, which are all taken\n" in explained(story, "b")


def test_finished_task_says_that_its_turn_has_come() -> None:
    story = Story("a", gate="make").start("a").over("a").tell("merge.started", task="a")
    assert "its work is on spinney/a; it is being merged\n" in explained(story, "a")
    story.tell("gate.started", task="a")
    assert "its work is on spinney/a; the gate runs on it\n" in explained(story, "a")


@pytest.mark.parametrize(
    ("resolver", "ok", "answer"),
    [
        ("", None, "nobody resolves it"),
        ("MENDER", None, "MENDER was asked to resolve it"),
        ("MENDER", True, "MENDER resolved it"),
        ("MENDER", False, "MENDER could not resolve it"),
    ],
)
def test_conflict_says_what_became_of_it(resolver: str, ok: bool | None, answer: str) -> None:
    story = Story("a").start("a")
    fields = {"phase": "work", "agent": "UI", "paths": ["a.py", "b.py"], "resolver": resolver}
    story.tell("agent.conflicted", task="a", **fields)
    if ok is not None:
        story.agent("a", 1.0, resolver, ok=ok)
    assert f"  UI conflicted with other agents in a.py, b.py; {answer}\n" in explained(story, "a")


def test_conflict_that_is_being_resolved_says_so() -> None:
    story = Story("a").start("a").agent_begins("a", "MENDER")
    story.tell("agent.conflicted", task="a", phase="work", agent="UI", paths=["a.py"], resolver="MENDER")
    assert "; MENDER is resolving it\n" in explained(story, "a")


def test_context_that_was_refused_more_than_once_is_counted() -> None:
    story = Story("a").start("a").agent_begins("a")
    for _ in range(2):
        story.context("a", "CODER", 900, budget=800, refused=True)
    refused = "    context: 0 of 800 tokens; refused 2 times: it would have passed the budget\n"
    assert refused in explained(story, "a")
