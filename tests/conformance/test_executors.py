"""What every executor promises, wherever managers run."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.executors.bundles import BundleExecutor
from orchestrator.executors.in_process import InProcessExecutor
from orchestrator.executors.local import LocalExecutor
from orchestrator.executors.port import Executor, ManagerEvent, ManagerGone, ManagerSaid
from shared.clock import ManualClock
from shared.git.repository import open_repository
from shared.git.worktrees import Worktrees, ensure_branch
from shared.messages import AgentStarted, FromManager, SlotGranted, SlotReturned, SlotWanted, Stop, TaskEnded
from shared.model import Assignment, Oid, RepositoryFacts, Settings, Step, TaskId, TaskOutcome, TaskResult
from tests.support.build import RUN, agent, assignment, phase, task, workflow
from tests.support.repository import Repo

pytestmark = [pytest.mark.git, pytest.mark.process]

SECONDS = 20.0  # after which managers that have not ended have failed the test


class Field:
    """A repository, an executor, and everything that managers have said."""

    def __init__(self, repo: Repo, executor: Executor) -> None:
        self.repo, self.executor = repo, executor
        self.events: queue.SimpleQueue[ManagerEvent] = queue.SimpleQueue()
        self.seen: list[ManagerEvent] = []
        self.deadline = time.monotonic() + SECONDS
        run_dir = repo.git_dir / "spinney" / "runs" / RUN
        run_dir.mkdir(parents=True)
        self.facts = RepositoryFacts(
            str(repo.git_dir), str(repo.path), str(repo.path.with_name("repo.spinney")), str(run_dir)
        )
        self.base = Oid(repo.head)
        self.worktrees = Worktrees(repo.git_dir, Path(self.facts.worktrees))

    def assign(self, name: str, *steps: Step) -> Assignment:
        """A task whose one agent follows ``steps``, with its worktree."""
        one = agent("CODER", backend="scripted", script=steps)
        made = task(name, workflow=workflow(phase("work", one)))
        ensure_branch(open_repository(self.repo.git_dir), made.branch, self.base)
        worktree = self.worktrees.create(name, self.base, made.branch)
        return assignment(
            made,
            facts=self.facts,
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=self.base,
        )

    def start(self, *assignments: Assignment) -> None:
        for one in assignments:
            self.executor.start(one, self.events.put)

    def next(self) -> ManagerEvent:
        left = self.deadline - time.monotonic()
        assert left > 0, f"managers are still at it: {self.seen[-3:]}"  # one that hangs goes on beating
        event = self.events.get(timeout=left)
        self.seen.append(event)
        return event

    def wait_for(self, kind: type[FromManager]) -> FromManager:
        """The next message of that kind, granting every slot on the way."""
        while True:
            event = self.next()
            if isinstance(event, ManagerSaid):
                if isinstance(event.message, SlotWanted):
                    self.executor.send(event.task, SlotGranted(event.message.agent))
                if isinstance(event.message, kind):
                    return event.message

    def wait_until_gone(self, count: int = 1) -> list[ManagerGone]:
        gone: list[ManagerGone] = []
        while len(gone) < count:
            event = self.next()
            if isinstance(event, ManagerGone):
                gone.append(event)
            elif isinstance(event.message, SlotWanted):
                self.executor.send(event.task, SlotGranted(event.message.agent))
        return gone

    def said(self, name: str) -> list[FromManager]:
        return [e.message for e in self.seen if isinstance(e, ManagerSaid) and e.task == name]

    def result(self, name: str) -> TaskResult:
        (ended,) = [message for message in self.said(name) if isinstance(message, TaskEnded)]
        return ended.result


def elsewhere() -> BundleExecutor:
    """Nothing was handed back: what it says is what it says of a task that failed."""
    return BundleExecutor({}, digest="", made=0.0, clock=ManualClock(), identity=None)


@pytest.fixture(
    params=[InProcessExecutor, LocalExecutor, elsewhere], ids=["in process", "local", "elsewhere"]
)
def anywhere(request: pytest.FixtureRequest, repo: Repo) -> Iterator[Field]:
    """With every executor, for what does not depend on managers that work here."""
    made = Field(repo, request.param())
    made.executor.warm_up()
    made.executor.prepare_for(frozenset({"scripted"}))
    made.executor.ready()
    yield made
    made.executor.close()


@pytest.fixture(params=[InProcessExecutor, LocalExecutor], ids=["in process", "local"])
def field(request: pytest.FixtureRequest, repo: Repo) -> Iterator[Field]:
    made = Field(repo, request.param())
    made.executor.warm_up()
    yield made
    made.executor.close()


WRITE = Step("write", "made.txt", "by {task}\n")
FOREVER = Step("sleep", seconds=60.0)


def test_manager_carries_its_task_to_a_commit(field: Field) -> None:
    field.start(field.assign("a", WRITE))
    (gone,) = field.wait_until_gone()
    result = field.result("a")
    assert (gone.task, gone.attempt) == ("a", 1)
    assert (result.outcome, result.paths, result.reason) == (TaskOutcome.DONE, ("made.txt",), "")
    assert [commit.phase for commit in result.commits] == ["work"]
    assert field.repo.read("spinney/a", "made.txt") == "by a"
    assert field.repo.git("rev-parse", "spinney/a") == result.tip


def test_end_is_told_once_and_is_the_last_word(anywhere: Field) -> None:
    anywhere.start(anywhere.assign("a", WRITE))
    anywhere.wait_until_gone()
    kinds = [type(event.message if isinstance(event, ManagerSaid) else event) for event in anywhere.seen]
    assert kinds[-2:] == [TaskEnded, ManagerGone]
    assert kinds.count(TaskEnded) == kinds.count(ManagerGone) == 1


def test_agent_starts_only_with_a_slot_and_gives_it_back(field: Field) -> None:
    field.start(field.assign("a", WRITE))
    wanted = field.wait_for(SlotWanted)
    assert not any(isinstance(message, AgentStarted) for message in field.said("a"))
    returned = field.wait_for(SlotReturned)
    assert isinstance(wanted, SlotWanted)
    assert isinstance(returned, SlotReturned)
    assert wanted.agent == returned.agent == "CODER"
    field.wait_until_gone()


def test_messages_come_in_order_and_say_whose_they_are(field: Field) -> None:
    field.start(*(field.assign(name, WRITE) for name in "abc"))
    field.wait_until_gone(3)
    assert [len({type(event) for event in field.seen if event.task == name}) for name in "abc"] == [2, 2, 2]
    assert {event.attempt for event in field.seen} == {1}
    for name in "abc":
        said = [type(message).__name__ for message in field.said(name) if type(message).__name__ != "Beat"]
        assert said == [
            "PhaseStarted",
            "SlotWanted",
            "AgentStarted",
            "SlotReturned",
            "AgentEnded",
            "PhaseEnded",
            "TaskEnded",
        ]
        assert field.repo.read(f"spinney/{name}", "made.txt") == f"by {name}"


def test_task_that_changes_nothing_says_so(field: Field) -> None:
    field.start(field.assign("a", Step("say", text="hello")))
    field.wait_until_gone()
    assert field.result("a").outcome is TaskOutcome.NO_CHANGE
    assert field.result("a").tip == field.base


def test_failure_comes_with_its_reason(field: Field) -> None:
    field.start(field.assign("a", Step("fail", text="no luck")))
    field.wait_until_gone()
    assert (field.result("a").outcome, field.result("a").reason) == (TaskOutcome.FAILED, "CODER: no luck")


def test_stopped_manager_ends_soon_and_as_interrupted(field: Field) -> None:
    field.start(field.assign("a", WRITE, FOREVER))
    field.wait_for(AgentStarted)
    started = time.monotonic()
    field.executor.send(TaskId("a"), Stop())
    field.wait_until_gone()
    assert field.result("a").outcome is TaskOutcome.INTERRUPTED
    assert time.monotonic() - started < 5.0


def test_killed_manager_is_gone_soon(field: Field) -> None:
    field.start(field.assign("a", FOREVER), field.assign("b", WRITE))
    field.wait_for(AgentStarted)
    started = time.monotonic()
    field.executor.kill(TaskId("a"))
    assert {gone.task for gone in field.wait_until_gone(2)} == {"a", "b"}
    assert time.monotonic() - started < 5.0
    assert field.result("b").outcome is TaskOutcome.DONE


def test_task_without_a_worktree_fails_with_a_reason(field: Field, tmp_path: Path) -> None:
    good = field.assign("a", WRITE)
    field.start(
        assignment(good.task, facts=field.facts, admin_dir=str(tmp_path / "nowhere"), base=field.base)
    )
    field.wait_until_gone()
    assert field.result("a").outcome is TaskOutcome.FAILED
    assert "cannot open the repository" in field.result("a").reason


def test_agent_that_breaks_its_backend_fails_its_task(field: Field) -> None:
    made = field.assign("a", WRITE)
    broken = task("a", workflow=workflow(phase("work", agent("CODER", backend="nobody"))))
    field.start(replace(made, task=broken, settings=Settings(unsafe_no_sandbox=True)))
    field.wait_until_gone()
    assert field.result("a").outcome is TaskOutcome.FAILED
    assert "nobody" in field.result("a").reason


def test_second_manager_may_follow_for_the_same_task(anywhere: Field) -> None:
    made = anywhere.assign("a", Step("fail", text="no", times=1), WRITE)
    anywhere.start(made)
    anywhere.wait_until_gone()
    anywhere.start(made)
    anywhere.wait_until_gone()
    assert [event.task for event in anywhere.seen if isinstance(event, ManagerGone)] == ["a", "a"]


def test_word_to_nobody_is_ignored(anywhere: Field) -> None:
    anywhere.executor.send(TaskId("nobody"), Stop())
    anywhere.executor.kill(TaskId("nobody"))
    anywhere.start(anywhere.assign("a", WRITE))
    anywhere.wait_until_gone()
    anywhere.executor.send(TaskId("a"), Stop())
    anywhere.executor.kill(TaskId("a"))


def test_failure_is_said_of_the_right_task_and_attempt_and_has_a_reason(anywhere: Field) -> None:
    made = [anywhere.assign(name, Step("fail", text="no luck")) for name in "ab"]
    anywhere.start(*(replace(one, attempt=number) for number, one in enumerate(made, 3)))
    gone = anywhere.wait_until_gone(2)
    assert sorted((one.task, one.attempt) for one in gone) == [("a", 3), ("b", 4)]
    for name in "ab":
        result = anywhere.result(name)
        assert (result.task, result.outcome, bool(result.reason)) == (name, TaskOutcome.FAILED, True)


def test_closing_leaves_no_manager_behind(field: Field) -> None:
    field.start(*(field.assign(name, FOREVER) for name in "ab"))
    field.wait_for(AgentStarted)
    started = time.monotonic()
    field.executor.close()
    assert time.monotonic() - started < 10.0


def test_forkserver_that_is_killed_is_told_as_a_lost_manager_or_replaced(repo: Repo) -> None:
    field = Field(repo, LocalExecutor())
    field.executor.warm_up()
    [server] = [
        child
        for child in psutil.Process().children()
        if "multiprocess.forkserver" in " ".join(child.cmdline())
    ]
    server.kill()
    field.start(field.assign("a", WRITE))
    field.wait_until_gone()
    field.executor.close()
    assert isinstance(field.seen[-1], ManagerGone)
