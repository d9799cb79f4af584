"""A run's side of the forge, killed before, in and after every call, and gone on with from its journal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.publishing import Delivery, Elsewhere, sought
from orchestrator.publishing.outbox import Open, Outbox
from orchestrator.pulls import Pulls
from orchestrator.view import RunView
from shared.forge.port import PullState
from shared.model import GitHubSettings, Issue, Oid, Plan, PullRequestPolicy, TaskId, TaskOutcome, TaskResult
from tests.support.build import oid, plan, task
from tests.support.forges import ElsewhereForge, Faults, Killed, MemoryTracker
from tests.support.story import Story

A, B = TaskId("issue-1"), TaskId("issue-2")


def issue(number: int) -> Issue:
    return Issue("Ada/Engine", number, f"https://github.com/ada/engine/issues/{number}", milestone=5)


def batch(**github: Any) -> Plan:
    first = task(A, title="Do A", issue=issue(1), foreign=True)
    second = task(B, A, title="Do B", issue=issue(2), foreign=True)
    return plan(first, second, pull_requests="stacked", github=GitHubSettings(**github))


@dataclass
class Run:
    """What is told is in the journal of ``story``; the forge and the tracker outlast every process."""

    plan: Plan = field(default_factory=batch)
    faults: Faults = field(default_factory=Faults)
    forge: ElsewhereForge = field(init=False)
    tracker: MemoryTracker = field(init=False)
    story: Story = field(init=False)

    def __post_init__(self) -> None:
        self.forge, self.tracker = ElsewhereForge(self.faults), MemoryTracker(self.faults)
        self.story = Story(A, B, needs={B: (A,)})
        self._begin()

    def _begin(self) -> None:
        """A process: everything but the journal and what is outside is new."""
        self.view = RunView.of(self.story.records)
        self.outbox = Outbox(0.0)
        elsewhere = Elsewhere(self.tracker, lambda old, new: old < new)
        self.delivery = Delivery(self.forge, self._tell, sought(self.plan), elsewhere)
        self.pulls = Pulls(self.plan, self.view, self._record, self.outbox.put, "main", elsewhere)

    def _record(self, event: str, fields: dict[str, Any], *, durable: bool = False) -> None:
        self.story.tell(event, **fields)
        self.view.apply(self.story.records[-1])

    def _tell(self, event: str, fields: dict[str, Any]) -> None:
        self._record(event, fields)
        if event in ("pull.opened", "pull.failed") and fields["task"]:
            self.pulls.answered(fields["task"])

    def _deliver(self) -> None:
        self.outbox.hurry()
        while (job := self.outbox.take(0.0)) is not None:
            self.delivery.do(job)

    def go(self) -> Run:
        """From the first event to the last, in as many processes as it takes."""
        for record, then in self._steps():
            record(self.story)
            self.view.apply(self.story.records[-1])
            try:
                then()
                self._deliver()
            except Killed:
                self._resume()
        return self

    def _resume(self) -> None:
        while True:
            self._begin()
            try:
                self.pulls.catch_up()
                self._deliver()
            except Killed:
                continue
            return

    def _steps(self) -> Iterator[tuple[Callable[[Story], object], Callable[[], None]]]:
        for name, number in ((A, 16), (B, 32)):
            yield from self._steps_of(name, number)

    def _steps_of(
        self, name: TaskId, number: int
    ) -> Iterator[tuple[Callable[[Story], object], Callable[[], None]]]:
        result = TaskResult(name, TaskOutcome.DONE, oid(number))
        yield (lambda story: story.start(name)), (lambda: self.pulls.begun(name))
        yield (lambda story: story.commit(name, number)), (lambda: self.pulls.committed(name, oid(number)))
        yield (lambda story: story.over(name)), (lambda: self.pulls.over(result))
        yield (lambda story: story.merge(name, number + 1)), (lambda: self.pulls.settled(name))


def check(run: Run) -> None:
    """As after an undisturbed run."""
    assert run.forge.refs == {f"refs/heads/spinney/{A}": oid(16), f"refs/heads/spinney/{B}": oid(32)}
    pulls = run.forge.list()
    assert [(p.head, p.base, p.tip, p.state) for p in pulls] == [
        (f"spinney/{A}", "main", oid(16), PullState.OPEN),
        (f"spinney/{B}", f"spinney/{A}", oid(32), PullState.OPEN),
    ]
    assert sorted(run.tracker.comments) == [(1, "spinney-issue:1"), (2, "spinney-issue:2")]
    assert all("Done, and fits" in text for text in run.tracker.comments.values())
    assert {tip for tip, *_ in run.tracker.marks} == {oid(16), oid(32)}
    assert run.view.published
    assert not run.view.owing


def calls() -> int:
    return len(Run().go().faults.calls)


def test_undisturbed_run_takes_six_calls_a_task_at_most() -> None:
    run = Run().go()
    check(run)
    outside = [call for call in run.faults.calls if call not in ("tips", "send")]  # these are git's
    # Stacked on another, it is looked up once more whether that is still open.
    assert outside == ["say", "find", "open", "say", "mark", "say", "find", "open", "say", "mark"]


@pytest.mark.parametrize("how", ["killed", "killed after"])
@pytest.mark.parametrize("number", range(1, calls() + 1))
def test_killed_at_any_call_and_gone_on_with_nothing_is_doubled_or_lost(number: int, how: str) -> None:
    check(Run(faults=Faults({number: how})).go())


@pytest.mark.parametrize("how", ["killed", "killed after"])
@pytest.mark.parametrize("number", range(1, calls() + 1))
def test_killed_again_while_catching_up(number: int, how: str) -> None:
    check(Run(faults=Faults({number: how, number + 1: how, number + 2: how})).go())


@pytest.mark.parametrize("number", range(1, calls() + 1))
def test_any_lost_answer_doubles_nothing(number: int) -> None:
    run = Run(faults=Faults({number: "lost"}))
    if Run().go().faults.calls[number - 1] not in ("tips", "find"):  # a forge asks these again by itself
        check(run.go())


def test_what_was_told_is_not_told_again_when_the_run_goes_on() -> None:
    run = Run().go()
    before = list(run.faults.calls)
    run._resume()
    assert run.faults.calls == before


def test_issue_is_told_why_there_is_no_pull_request_and_once_there_is_one_its_number() -> None:
    opening = Run().go().faults.calls.index("open") + 1
    run = Run(faults=Faults({opening: "refused"})).go()
    told = run.tracker.comments[1, "spinney-issue:1"]
    assert "\nIt has no pull request: the forge says no.\n" in told
    run._resume()
    told = run.tracker.comments[1, "spinney-issue:1"]
    assert f"Pull request: #{run.view.tasks[A].pull[0]}." in told  # type: ignore[index]
    assert "no pull request" not in told


def test_branches_that_were_not_pushed_at_a_crash_are_pushed_in_one_go() -> None:
    run = Run(faults=Faults(dict.fromkeys(range(1, 3), "killed"))).go()
    check(run)


def test_draft_has_what_the_settings_say() -> None:
    run = Run(
        batch(labels=("made-by-spinney",), reviewers=("grace",), assignees=("ada",), milestone=True)
    ).go()
    draft = run.forge.drafts[1]
    assert (draft.as_draft, draft.labels, draft.reviewers, draft.assignees, draft.milestone) == (
        True,
        ("made-by-spinney",),
        ("grace",),
        ("ada",),
        5,
    )


def test_batchs_pull_request_closes_the_issues_that_it_merged_and_has_what_the_settings_say() -> None:
    github = GitHubSettings(labels=("ready",), reviewers=("grace",), assignees=("ada",), milestone=True)
    other = Issue("grace/compiler", 9, "https://github.com/grace/compiler/issues/9", milestone=3)
    c, d = TaskId("grace-compiler-9"), TaskId("issue-4")
    tasks = (task(A, issue=issue(1)), task(B, issue=issue(2)), task(c, issue=other), task(d, issue=issue(4)))
    run = Run(plan(*tasks, pull_requests="batch", github=github))
    run.story = Story(A, B, c, d, gate="make test").merge(A, 16).merge(B, 17).merge(c, 18).settle(d, "failed")
    run._begin()
    run.view.merged_ref = "refs/heads/spinney/batch/r"
    run.pulls.of_batch()
    run._deliver()
    (draft,) = run.forge.drafts.values()
    assert draft.body == (
        "3 tasks, merged one after another:\n\n- Issue 1 (`spinney/issue-1`)\n- Issue 2 (`spinney/issue-2`)\n"
        "- Grace compiler 9 (`spinney/grace-compiler-9`)\n\nGate `make test`: passed on the merged tree.\n\n"
        "Closes #1, closes #2, closes grace/compiler#9\n"
    )
    assert (draft.as_draft, draft.labels, draft.reviewers, draft.assignees, draft.milestone) == (
        True,
        ("ready",),
        ("grace",),
        ("ada",),
        5,
    )


def test_comment_and_mark_can_be_left_out() -> None:
    run = Run(batch(comment=False, mark="none")).go()
    assert (run.tracker.comments, run.tracker.marks) == ({}, [])
    assert len(run.forge.list()) == 2


def test_issue_of_another_repository_gets_no_comment_and_is_named_whole() -> None:
    other = Issue("grace/compiler", 9, "https://github.com/grace/compiler/issues/9", milestone=3)
    run = Run(
        plan(task(A, issue=other), task(B, A), pull_requests="stacked", github=GitHubSettings(milestone=True))
    )
    run.go()
    assert run.tracker.comments == {}
    assert run.forge.drafts[1].body.endswith("\nCloses grace/compiler#9\n")
    assert run.forge.drafts[1].milestone is None


def test_task_that_failed_is_told_on_its_issue_and_its_branch_is_kept() -> None:
    run = Run()
    run.story.start(A).commit(A, 16).over(A, "failed").settle(A, "failed", "no tests, @ada")
    run._begin()
    run.pulls.settled(A)
    run._deliver()
    assert run.forge.refs == {f"refs/heads/spinney/{A}": oid(16)}
    assert run.forge.list() == ()
    (text,) = run.tracker.comments.values()
    assert "Not done." in text
    assert "no tests, `@ada`" in text
    assert [(state, words) for _, _, state, words, _ in run.tracker.marks] == [
        ("failure", "1 phase, failed: no tests, @ada")
    ]


def test_stop_is_told_where_work_was_under_way() -> None:
    run = Run()
    run.story.start(A).commit(A, 16)
    run._begin()
    run.pulls.begun(A)
    run._deliver()
    run.pulls.over(TaskResult(A, TaskOutcome.INTERRUPTED, Oid(oid(16))))
    run.pulls.stopped()
    run._deliver()
    assert run.forge.refs == {f"refs/heads/spinney/{A}": oid(16)}
    (text,) = run.tracker.comments.values()
    assert "Stopped before the end" in text


def test_wish_that_a_kill_left_open_is_carried_out_though_a_pull_request_is_there() -> None:
    story = Story("a", into="release").start("a").commit("a", 16).over("a").pull("a", 1).merge("a", 17)
    story.tell("into.moved", oid=oid(17)).tell("pull.intent", task="a", tip=oid(16))
    view, wanted = story.view, list[object]()
    pulls = Pulls(plan(task("a")), view, lambda *_, **__: None, lambda *wishes: wanted.extend(wishes), "main")
    assert view.owing
    pulls.catch_up()
    (wish,) = wanted
    assert isinstance(wish, Open)
    assert (wish.task, wish.tip, wish.landed) == ("a", oid(16), oid(17))


HOSTILE = "Do it @bob fixes #7, closes https://github.com/o/r/issues/8. <img src=x> [skip ci] |\u202e"


@pytest.mark.parametrize("policy", ["per-task", "stacked", "batch"])
def test_titles_of_strangers_act_in_no_pull_request(policy: PullRequestPolicy) -> None:
    first = task(A, title=HOSTILE, body=HOSTILE, issue=issue(1), foreign=True)
    second = task(B, A, title=HOSTILE, body=HOSTILE, issue=issue(2), foreign=True)
    run = Run(plan(first, second, pull_requests=policy))
    about = {name: {"title": HOSTILE} for name in (A, B)}
    run.story = Story(A, B, needs={B: (A,)}, about=about)
    run._begin()
    run.go()
    run.view.merged_ref = "refs/heads/spinney/batch/r"
    run.pulls.of_batch()
    run._deliver()
    drafts = list(run.forge.drafts.values())
    assert len(drafts) == (1 if policy == "batch" else 2)
    for draft in drafts:
        for text in (draft.title, draft.body):
            plain = re.sub(r"(?<!\\)`[^`]*`", "", text.replace("Closes #1", "").replace("Closes #2", ""))
            assert not re.search(r"@bob|#7|issues/8|\[skip ci\]|\u202e", plain), text
        assert "Do it" in draft.body
        assert "<img" not in draft.body  # a title is no Markdown: it is shown as it is
