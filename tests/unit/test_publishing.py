from __future__ import annotations

import pytest

from orchestrator.publishing import Delivery, batch_draft, draft_for
from orchestrator.publishing.outbox import Open
from shared.clock import ManualClock
from shared.forge.local import LocalForge
from shared.forge.port import Draft, PullRequest, PullState
from shared.model import Oid, PullRequestPolicy, TaskId
from tests.support.build import RUN, oid, task
from tests.support.pulls import MemoryPulls
from tests.support.story import Story

DRAFT = Draft("spinney/a", "main", "Do A", "Body\n", "spinney-task:a")


@pytest.fixture
def forge() -> LocalForge:
    return LocalForge(MemoryPulls(), ManualClock())


def publish(forge: LocalForge, draft: Draft, tip: Oid) -> PullRequest:
    """By a process of its own."""
    told: list[int] = []
    delivery = Delivery(forge, lambda event, fields: told.append(fields["number"]), ())
    delivery.do(Open(TaskId("a"), draft, tip))
    return forge.get(told[0])


def finished() -> Story:
    story = Story("a", gate="make test").start("a")
    story.agent("a", 3.5, "CODER", summary="wrote | it")
    story.agent("a", 1.0, "LINTER", summary="tidied\nup").agent("a", 0.5, "BROKEN", ok=False, summary="no")
    return story.commit("a", 16).over("a", paths=("x.py", "y.py"))


def test_body_tells_phases_gate_and_time_all_measured() -> None:
    story = finished().tell("gate.ended", task="a", seconds=61.0, passed=True)
    draft = draft_for(task("a", body="Why it matters.\n"), story.view, "per-task", "main")
    assert draft == Draft(
        head="spinney/a",
        base="main",
        title="A",
        body=f"""\
Why it matters.

| phase | commit | agents |
|---|---|---|
| work | {oid(16)[:10]} | CODER: wrote \\| it; LINTER: tidied up |

Gate `make test`: passed in 1m01s on the merged tree.
Agents worked 5.0s; 2 files changed. Run {RUN}.
""",
        marker="spinney-task:a",
    )


def test_gate_that_has_not_run_is_not_told() -> None:
    assert "Gate" not in draft_for(task("a"), finished().view, "per-task", "main").body


def test_conflict_is_told_and_labelled() -> None:
    story = finished().settle("a", "conflict", "x", files=["x.py", "z\n.py"], **{"with": ["b"]})
    draft = draft_for(task("a"), story.view, "per-task", "main")
    assert draft.labels == ("conflict",)
    assert draft.body.startswith("**In conflict** with b: x.py, z .py\n\n| phase |")


def test_rejected_task_says_why() -> None:
    story = finished().settle("a", "unmerged", "the gate failed: \x1b[31mexit status 1")
    draft = draft_for(task("a"), story.view, "per-task", "main")
    assert draft.body.startswith("**Not merged:** the gate failed: exit status 1\n\n")


def test_hidden_text_of_an_issue_does_not_reach_the_pull_request() -> None:
    hostile = task("a", title="Fix\u202e it\x1b[2J\nnow", body="See\u200b \U000e0041this\x1b]0;x\x07")
    draft = draft_for(hostile, finished().view, "per-task", "main")
    assert draft.title == "Fix it now"
    assert draft.body.startswith("See this\n\n")


def test_long_issue_is_cut() -> None:
    draft = draft_for(task("a", body="x" * 65_536), finished().view, "per-task", "main")
    assert len(draft.body) < 5000


@pytest.mark.parametrize(("policy", "base"), [("stacked", "spinney/a"), ("per-task", "main")])
def test_stacked_pull_request_stands_on_its_first_need(policy: PullRequestPolicy, base: str) -> None:
    story = Story("a", "b", needs={"b": ("a",)}).start("a").commit("a", 16).over("a")
    assert draft_for(task("b", "a"), story.view, policy, "main").base == base


def test_stacked_pull_request_on_a_need_without_a_commit_stands_on_the_base() -> None:
    story = Story("a", "b", needs={"b": ("a",)})
    assert draft_for(task("b", "a"), story.view, "stacked", "main").base == "main"


def test_batchs_pull_request_lists_what_was_merged() -> None:
    story = Story("a", "b", "c").merge("a", 32).merge("c", 33).settle("b", "failed")
    assert batch_draft(story.view, "main") == Draft(
        head=f"spinney/batch/{RUN}",
        base="main",
        title=f"Batch {RUN}: 2 tasks",
        body="2 tasks, merged one after another:\n\n- A (`spinney/a`)\n- C (`spinney/c`)\n",
        marker=f"spinney-batch:{RUN}",
    )


def test_batch_of_a_single_task_is_counted_as_one() -> None:
    draft = batch_draft(Story("a").merge("a", 32).view, "main")
    assert (draft.title, draft.body) == (f"Batch {RUN}: 1 task", "1 task:\n\n- A (`spinney/a`)\n")


# --- opening only once


def test_first_time_opens_and_second_time_updates(forge: LocalForge) -> None:
    first = publish(forge, DRAFT, oid(1))
    second = publish(forge, Draft("spinney/a", "main", "Do A better", "New", DRAFT.marker), oid(2))
    assert (first.number, second.number) == (1, 1)
    assert [(pull.title, pull.tip) for pull in forge.list()] == [("Do A better", oid(2))]


def test_crash_between_the_call_and_its_record_opens_no_second_one(forge: LocalForge) -> None:
    publish(forge, DRAFT, oid(1))  # and the answer is lost
    publish(LocalForge(forge._store, ManualClock()), DRAFT, oid(1))
    assert len(forge.list()) == 1


@pytest.mark.parametrize("end", [PullState.CLOSED, PullState.MERGED])
def test_closed_pull_request_is_never_opened_again(forge: LocalForge, end: PullState) -> None:
    first = publish(forge, DRAFT, oid(1))
    if end is PullState.CLOSED:
        forge.close(first.number)
    else:
        forge.merged(first.number, oid(9))
    second = publish(forge, DRAFT, oid(2))
    assert second.number == 2
    assert (forge.get(1).state, forge.get(1).tip) == (end, oid(1))
    assert forge.get(2).state is PullState.OPEN


def test_other_tasks_pull_requests_are_left_alone(forge: LocalForge) -> None:
    publish(forge, DRAFT, oid(1))
    publish(forge, Draft("spinney/ab", "main", "Do AB", "", "spinney-task:ab"), oid(2))
    assert [pull.title for pull in forge.list()] == ["Do A", "Do AB"]
