"""What jobs hand back is examined before it is taken in: one that is refused is refused alone, and says why."""

from __future__ import annotations

import json
import os
import queue
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.executors.bundles import BundleExecutor
from orchestrator.executors.examination import examine
from orchestrator.executors.port import ManagerEvent, ManagerGone, ManagerSaid
from orchestrator.fan_out.handed import Handed, find
from orchestrator.fan_out.result import AgentEntry, CallEntry, PhaseEntry, Result
from shared.clock import ManualClock
from shared.git import bundles
from shared.git.commits import write_commit
from shared.git.repository import open_repository
from shared.git.worktrees import ensure_branch
from shared.messages import (
    AgentEnded,
    AgentStarted,
    FromManager,
    ModelCalled,
    Note,
    PhaseEnded,
    PhaseStarted,
    Stop,
    TaskEnded,
    WorkedElsewhere,
)
from shared.model import Assignment, Identity, Oid, RepositoryFacts, Task, TaskId, TaskOutcome, TaskResult
from shared.secrets import digests
from tests.support.build import agent, assignment, phase, task, workflow
from tests.support.repository import AUTHOR, Repo

pytestmark = pytest.mark.git

DIGEST = "d1" * 32
WHO = Identity(*AUTHOR)
MADE = 1_700_000_000.0
"""When the plan was made; the jobs began ten seconds later."""


def trailers(name: str = "a", step: str = "work") -> str:
    return f"[{step}] A change\n\n- CODER: did it\n\nSpinney-Run: r\nSpinney-Task: {name}\nSpinney-Phase: {step}\n"


@dataclass
class Job:
    """A clone in which a job works, and the folder that it hands back."""

    repo: Repo
    out: Path
    base: str
    name: str = "a"

    @property
    def branch(self) -> str:
        return f"refs/heads/spinney/{self.name}"

    def commit(self, message: str = "", **files: str | bytes) -> str:
        for path, content in files.items():
            self.repo.write(path.replace("__", "/"), content)
        return self.repo.commit(message or trailers(self.name))

    def result(self, **fields: Any) -> Result:
        tip = self.repo.git("rev-parse", "HEAD")
        defaults: dict[str, Any] = {
            "plan": DIGEST,
            "task": self.name,
            "outcome": "done" if tip != self.base else "no-change",
            "base": self.base,
            "tip": tip,
            "started": MADE + 10,
            "ended": MADE + 40,
        }
        return Result(**(defaults | fields))

    def hand_back(self, **fields: Any) -> None:
        result = self.result(**fields)
        handed = Handed.below(self.out, TaskId(self.name))
        if result.tip != result.base:
            self.repo.git("update-ref", self.branch, "HEAD")
            bundles.write(str(self.repo.git_dir), handed.bundle, self.branch, without=Oid(self.base))
        handed.write(result)


@dataclass
class Field:
    """The repository that results come back to."""

    repo: Repo
    folder: Path

    def job(self, name: str = "a", base: str = "") -> Job:
        path = self.folder / f"clone-{name}"
        shutil.copytree(self.repo.path, path, symlinks=True)
        out = self.folder / "results" / name
        out.mkdir(parents=True)
        made = Job(Repo(path), out, base or self.repo.head, name)
        made.repo.git("checkout", "--quiet", "--detach", made.base)
        return made

    def assign(self, name: str = "a", base: str = "", **fields: Any) -> Assignment:
        base = base or self.repo.head
        facts = RepositoryFacts(str(self.repo.git_dir), str(self.repo.path), "", "")
        secrets = fields.pop("secrets", ())
        made = self.task(name, **fields)
        ensure_branch(open_repository(self.repo.git_dir), made.branch, Oid(base))
        return assignment(made, facts=facts, base=Oid(base), secrets=secrets)

    @staticmethod
    def task(name: str, **fields: Any) -> Task:
        steps = (phase("work", agent("CODER", run="true")), phase("docs", agent("WRITER", run="true")))
        return task(name, workflow=workflow(*steps), **fields)

    def take_in(self, *assignments: Assignment) -> dict[str, list[FromManager]]:
        """What the executor says of each, up to its end."""
        handed = {one.task.id: find([self.folder / "results"], one.task.id) for one in assignments}
        executor = BundleExecutor(
            handed, digest=DIGEST, made=MADE, clock=ManualClock(MADE + 60), identity=WHO
        )
        events: queue.SimpleQueue[ManagerEvent] = queue.SimpleQueue()
        for one in assignments:
            executor.start(one, events.put)
        said: dict[str, list[FromManager]] = {one.task.id: [] for one in assignments}
        gone = 0
        while gone < len(assignments):
            event = events.get(timeout=20)
            if isinstance(event, ManagerSaid):
                said[event.task].append(event.message)
            gone += isinstance(event, ManagerGone)
        executor.close()
        return said

    def end(self, **fields: Any) -> TaskResult:
        return end(self.take_in(self.assign(**fields))["a"])


def end(said: list[FromManager]) -> TaskResult:
    [ended] = [message for message in said if isinstance(message, TaskEnded)]
    assert said[-1] is ended
    return ended.result


@pytest.fixture
def field(repo: Repo, tmp_path: Path) -> Field:
    return Field(repo, tmp_path)


# --- what is as it should be


def test_branch_is_moved_and_everything_is_told_as_a_manager_would(field: Field) -> None:
    job = field.job()
    first, second = job.commit(made="1\n"), job.commit(trailers(step="docs"), docs="2\n")
    call = CallEntry(
        phase="work", agent="CODER", attempt=1, model="m", input_tokens=5, output_tokens=2,
        cache_write_tokens=0, cache_write_1h_tokens=0, cache_read_tokens=3, cost_usd=0.5,
    )  # fmt: skip
    coder = AgentEntry(
        phase="work", agent="CODER", attempt=1, kind="model", started=MADE + 12, seconds=7.0, ok=True, summary="did it",
    )  # fmt: skip
    job.hand_back(
        phases=(PhaseEntry(phase="work", oid=first), PhaseEntry(phase="docs", oid=None)),
        agents=(coder,),
        calls=(call,),
    )
    said = field.take_in(field.assign())["a"]
    assert [type(message) for message in said] == [
        WorkedElsewhere, PhaseStarted, AgentStarted, ModelCalled, AgentEnded, PhaseEnded, PhaseStarted, PhaseEnded, TaskEnded,
    ]  # fmt: skip
    assert said[0] == WorkedElsewhere(MADE + 10, MADE + 40)
    ended = said[4]
    assert isinstance(ended, AgentEnded)
    assert (ended.started, ended.seconds, ended.summary) == (MADE + 12, 7.0, "did it")
    # The second phase says that it changed nothing, and its commit says otherwise: commits are believed.
    assert [message for message in said if isinstance(message, PhaseEnded)] == [
        PhaseEnded("work", Oid(first)), PhaseEnded("docs", Oid(second)),
    ]  # fmt: skip
    result = end(said)
    assert (result.outcome, result.tip, result.paths) == (TaskOutcome.DONE, second, ("docs", "made"))
    assert [(one.phase, one.oid) for one in result.commits] == [("work", first), ("docs", second)]
    assert field.repo.git("rev-parse", "spinney/a") == second
    assert list((field.repo.git_dir / "spinney").iterdir()) == []


def test_failed_and_interrupted_work_comes_back_on_its_branch(field: Field) -> None:
    for outcome, reason in (
        ("failed", "no luck"),
        ("interrupted", "no luck; the next run goes on from its branch"),
    ):
        job = field.job(outcome)
        tip = job.commit(made="1\n")
        job.hand_back(outcome=outcome, reason="no luck")
        result = end(field.take_in(field.assign(outcome))[outcome])
        assert (result.outcome, result.tip, result.reason) == (TaskOutcome.FAILED, tip, reason)
        assert field.repo.git("rev-parse", f"spinney/{outcome}") == tip


def test_task_that_changed_nothing_needs_no_bundle(field: Field) -> None:
    field.job().hand_back(reason="it was done already")
    result = field.end()
    assert (result.outcome, result.reason) == (TaskOutcome.NO_CHANGE, "it was done already")
    assert result.tip == field.repo.head


def test_missing_result_fails_its_task(field: Field) -> None:
    result = field.end()
    assert (result.outcome, result.reason) == (TaskOutcome.FAILED, "its job handed nothing back")


def test_base_of_several_needs_may_have_been_made_at_another_time(field: Field) -> None:
    repo = field.repo
    tips = []
    for name in ("x", "y"):
        repo.git("checkout", "--quiet", "--detach", "main")
        repo.write(f"{name}.txt", name)
        tips.append(repo.commit(trailers(name)))
    tree = repo.git("merge-tree", "--write-tree", *tips)
    parents = ("-p", tips[0], "-p", tips[1])
    here, there = (repo.git("commit-tree", tree, *parents, "-m", message) for message in ("here", "there"))
    job = field.job(base=there)
    tip = job.commit(made="1\n")
    job.hand_back()
    result = field.end(base=here)
    assert (result.outcome, result.tip, result.paths) == (TaskOutcome.DONE, tip, ("made",))


def test_base_of_several_needs_that_names_another_author_is_refused(field: Field) -> None:
    repo = field.repo
    tips = []
    for name in ("x", "y"):
        repo.git("checkout", "--quiet", "--detach", "main")
        repo.write(f"{name}.txt", name)
        tips.append(repo.commit(trailers(name)))
    made = ("commit-tree", repo.git("merge-tree", "--write-tree", *tips), "-p", tips[0], "-p", tips[1])
    here = repo.git(*made, "-m", "here")
    there = repo.git("-c", "user.name=Linus", *made, "-m", "there")
    job = field.job(base=there)
    job.commit(made="1\n")
    job.hand_back()
    result = field.end(base=here)
    assert result.outcome is TaskOutcome.FAILED
    assert "which is neither its base" in result.reason


def test_work_that_was_pushed_before_may_be_by_who_ran_it_then(field: Field) -> None:
    job = field.job()
    another_author(job)
    pushed = job.repo.head
    job.repo.git("update-ref", job.branch, "HEAD")
    field.repo.git("fetch", "--quiet", str(job.repo.path), job.branch)
    tip = job.commit(trailers(step="docs"), docs="2\n")
    job.hand_back()
    assigned = field.assign()
    field.repo.git("update-ref", "refs/heads/spinney/a", pushed)
    assert end(field.take_in(assigned)["a"]).tip == tip


@pytest.mark.parametrize(
    "who", [Identity("Ada B. Lovelace, Jr.", "ada@example.com"), Identity("Ада", "ada@example.com")]
)
def test_identity_is_compared_as_git_writes_it(field: Field, who: Identity) -> None:
    """git drops some characters at the ends of a name."""
    job = field.job()
    tree = job.repo.git("rev-parse", "HEAD^{tree}")
    repo = open_repository(job.repo.git_dir)
    tip = write_commit(repo, Oid(tree), [Oid(job.base)], trailers(), who)
    examined = examine(repo, field.assign(), tip, None, who)
    assert [one.oid for one in examined.commits] == [tip]


def test_job_may_have_gone_on_from_work_that_was_pushed_before(field: Field) -> None:
    job = field.job()
    pushed = job.commit(trailers() + "Spinney-Answers: check-1\n", made="1\n")  # a round of an earlier run
    job.repo.git("update-ref", job.branch, "HEAD")
    field.repo.git("fetch", "--quiet", str(job.repo.path), job.branch)
    tip = job.commit(trailers(step="docs"), docs="2\n")
    job.hand_back()
    assigned = field.assign()
    field.repo.git("update-ref", "refs/heads/spinney/a", pushed)
    result = end(field.take_in(assigned)["a"])
    assert (result.outcome, result.tip, len(result.commits)) == (TaskOutcome.DONE, tip, 2)


def test_stopped_before_its_turn_is_interrupted(field: Field) -> None:
    field.job().hand_back()
    executor = BundleExecutor({}, digest=DIGEST, made=MADE, clock=ManualClock(MADE), identity=WHO)
    events: queue.SimpleQueue[ManagerEvent] = queue.SimpleQueue()
    executor.close()
    executor.send(TaskId("a"), Stop())
    executor._hand_over(field.assign(), events.put)
    said = events.get()
    assert isinstance(said, ManagerSaid)
    assert isinstance(said.message, TaskEnded)
    assert said.message.result.outcome is TaskOutcome.INTERRUPTED


# --- what is not


def foreign_commit(job: Job) -> None:
    job.commit("A change of somebody else\n", made="1\n")


def of_another_task(job: Job) -> None:
    job.commit(trailers("b"), made="1\n")


def of_another_phase(job: Job) -> None:
    job.commit(trailers(step="elsewhere"), made="1\n")


def foreign_below_ours(job: Job) -> None:
    job.commit("Somebody else\n", other="1\n")
    job.commit(made="1\n")


def another_base(job: Job) -> None:
    job.repo.git("checkout", "--quiet", "--orphan", "elsewhere")
    job.commit("A root\n", made="1\n")
    job.commit(made="2\n")


def merge(job: Job) -> None:
    job.commit(made="1\n")
    job.repo.git("branch", "side")
    job.repo.git("checkout", "--quiet", "--detach", job.base)
    job.commit(other="1\n")
    job.repo.git("merge", "--quiet", "--no-ff", "-m", trailers(), "side")


def workflow_change(job: Job) -> None:
    job.commit(**{".github__workflows__ci.yml": "on: push\n"})


def workflow_that_is_taken_back(job: Job) -> None:
    workflow_change(job)
    job.repo.git("rm", "--quiet", ".github/workflows/ci.yml")
    job.commit(trailers(step="docs"), made="1\n")


def agent_configuration(job: Job) -> None:
    job.commit(**{"CLAUDE.md": "Obey.\n"})


def attributes(job: Job) -> None:
    job.commit(**{"src__.gitattributes": "* filter=x\n"})


def link_out(job: Job) -> None:
    (job.repo.path / "link").symlink_to("../../etc/passwd")
    job.commit()


def submodule(job: Job) -> None:
    job.repo.git("update-index", "--add", "--cacheinfo", f"160000,{job.base},module")
    job.repo.git("commit", "--quiet", "-m", trailers())


def large_file(job: Job) -> None:
    job.commit(big="x" * (11 * 1024 * 1024))


def secret(job: Job) -> None:
    job.commit(made="the token is hunter2-hunter2-hunter2\n")


def own_folder(job: Job) -> None:
    job.commit(**{".tasks__task.md": "hello\n"})


def escapes(job: Job) -> None:
    job.commit(trailers().replace("did it", "\x1b[2Jdid it"), made="1\n")


def endless_paths(job: Job) -> None:
    tree = job.repo.git("mktree", input=b"")
    for _ in range(40):
        tree = job.repo.git(
            "mktree", input="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode()
        )
    job.repo.git(
        "reset", "--quiet", "--soft", job.repo.git("commit-tree", tree, "-p", job.base, "-m", trailers())
    )


def answers(job: Job) -> None:
    job.commit(trailers() + "Spinney-Answers: check-1\n", made="1\n")


def no_checks(job: Job) -> None:
    job.commit(trailers().replace("did it", "did it [skip ci]"), made="1\n")


def another_author(job: Job) -> None:
    job.commit(made="1\n")
    job.repo.git("commit", "--quiet", "--amend", "--no-edit", "--author=Linus <linus@example.com>")


def another_committer(job: Job) -> None:
    job.repo.git("config", "user.name", "Linus")
    job.commit(made="1\n")
    job.repo.git("commit", "--quiet", "--amend", "--no-edit", f"--author={WHO.name} <{WHO.email}>")


def another_author_below(job: Job) -> None:
    another_author(job)
    job.commit(trailers(step="docs"), made="2\n")


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (foreign_commit, "is none of this task"),
        (of_another_task, "is none of this task"),
        (of_another_phase, "is none of this task"),
        (foreign_below_ours, "which is neither its base"),
        (another_base, "which is neither its base"),
        (merge, "is none of this task"),
        (workflow_change, ".github/workflows/ci.yml: it is a workflow"),
        (workflow_that_is_taken_back, ".github/workflows/ci.yml: it is a workflow"),
        (agent_configuration, "CLAUDE.md: it configures coding agents"),
        (attributes, "src/.gitattributes: it changes how git treats files"),
        (link_out, "leaves the repository"),
        (submodule, "a repository inside the worktree"),
        (large_file, "bytes are over the limit"),
        (secret, "it holds a secret of this run"),
        (own_folder, ".tasks is never committed"),
        (escapes, "cannot be shown as it is"),
        (endless_paths, "it changes too many paths"),
        (answers, "says that it answers what it was not asked"),
        (no_checks, "would turn its checks off"),
        (another_author, "is not by Ada Lovelace <ada@example.com>"),
        (another_committer, "is not by Ada Lovelace <ada@example.com>"),
        (another_author_below, "is not by Ada Lovelace <ada@example.com>"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_hostile_commits_are_refused_and_nothing_of_them_comes_in(
    field: Field, act: Callable[[Job], None], why: str
) -> None:
    job, sibling = field.job(), field.job("b")
    act(job)
    job.hand_back()
    landed = sibling.commit(fine="1\n")
    sibling.hand_back()
    secrets = digests(["hunter2-hunter2-hunter2"])
    said = field.take_in(field.assign(secrets=secrets), field.assign("b"))
    result = end(said["a"])
    assert result.outcome is TaskOutcome.FAILED
    assert result.reason.startswith("what its job handed back is refused: ")
    assert why in result.reason
    assert (result.tip, result.commits, result.paths) == (field.repo.head, (), ())
    assert field.repo.git("rev-parse", "spinney/a") == field.repo.head
    assert job.repo.head not in open_repository(field.repo.git_dir)
    assert [type(message) for message in said["a"]] == [TaskEnded]
    assert end(said["b"]).tip == field.repo.git("rev-parse", "spinney/b") == landed


def test_message_that_would_close_an_issue_is_refused_where_strangers_wrote_the_text(field: Field) -> None:
    for name, said, outcome in (("a", "fixes #7", TaskOutcome.FAILED), ("b", "fixes `#7`", TaskOutcome.DONE)):
        job = field.job(name)
        job.commit(trailers(name).replace("did it", said), made="1\n")
        job.hand_back()
        result = end(field.take_in(field.assign(name, foreign=True))[name])
        assert result.outcome is outcome
        assert ("names people or issues" in result.reason) is (outcome is TaskOutcome.FAILED)


def test_what_the_task_allows_is_taken_in(field: Field) -> None:
    job = field.job()
    workflow_change(job)
    job.hand_back()
    assert field.end(allow=("workflows",)).outcome is TaskOutcome.DONE


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"plan": "e2" * 32}, "it is of another plan"),
        ({"task": "b"}, "it is of another task, 'b'"),
        ({"outcome": "no-change"}, "its branch says otherwise"),
        ({"tip": "12" * 20}, "not refs/heads/spinney/a at 1212121212 alone"),
        ({"phases": (PhaseEntry(phase="elsewhere", oid=None),)}, "the workflow has no phase 'elsewhere'"),
        (
            {"agents": (AgentEntry(phase="work", agent="EVIL", attempt=1, started=0, seconds=1, ok=True),)},
            "the workflow has no agent 'EVIL'",
        ),
    ],
)
def test_result_that_does_not_fit_is_refused(field: Field, fields: dict[str, Any], why: str) -> None:
    job = field.job()
    job.commit(made="1\n")
    job.hand_back()
    Handed.below(job.out, TaskId("a")).write(job.result(**fields))
    result = field.end()
    assert (result.outcome, result.tip) == (TaskOutcome.FAILED, field.repo.head)
    assert why in result.reason


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not a result: it: Invalid JSON"),
        ('{"format": 2}', "is not a result: format"),
        ("[" * 100_000, "is not a result: it: Invalid JSON"),
        (" " * (17 * 1024 * 1024), "has more than 16384 KiB"),
    ],
)
def test_file_that_is_no_result_is_refused(field: Field, text: str, why: str) -> None:
    job = field.job()
    (job.out / "a.json").write_text(text)
    assert why in field.end().reason


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("started", float("inf")),
        ("started", -1),
        ("reason", "x" * 5000),
        ("extra", 1),
        ("base", "HEAD"),
        ("agents", [{"agent": "CODER"}]),
        ("notes", ["x"] * 1000),
    ],
)
def test_result_with_values_out_of_bounds_is_refused(field: Field, key: str, value: object) -> None:
    job = field.job()
    content = job.result().model_dump(mode="json") | {key: value}
    (job.out / "a.json").write_text(json.dumps(content))
    result = field.end()
    assert f"a.json is not a result: {key}" in result.reason


def test_times_outside_the_run_and_texts_with_escapes_are_put_right(field: Field) -> None:
    job = field.job()
    job.commit(made="1\n")
    coder = AgentEntry(
        phase="work", agent="CODER", attempt=1, started=5, seconds=1e7, ok=True, summary="\x1b[2Jhi\nthere"
    )
    job.hand_back(agents=(coder,), started=0, ended=9e10, notes=("\x1b]0;x\x07note",))
    said = field.take_in(field.assign())["a"]
    [ended] = [message for message in said if isinstance(message, AgentEnded)]
    assert (ended.started, ended.seconds, ended.summary) == (MADE - 300, 360, "hi there")
    assert said[0] == WorkedElsewhere(MADE - 300, MADE + 60)
    assert Note("a, in its job: note") in said


def test_bundle_with_further_refs_is_refused(field: Field) -> None:
    job = field.job()
    job.commit(made="1\n")
    job.hand_back()
    job.repo.git("update-ref", "refs/heads/main", "HEAD")
    job.repo.git(
        "bundle", "create", "-q", str(job.out / "a.bundle"), job.branch, "refs/heads/main", f"^{job.base}"
    )
    assert "its bundle has refs/heads/main at" in field.end().reason or "spinney/a at" in field.end().reason


def test_bundle_that_is_missing_or_a_link_is_refused(field: Field) -> None:
    job = field.job()
    job.commit(made="1\n")
    job.hand_back()
    bundle = job.out / "a.bundle"
    moved = bundle.rename(field.folder / "elsewhere")
    assert "a.bundle cannot be read: No such file" in field.end().reason
    os.symlink(moved, bundle)
    assert "a.bundle cannot be read" in field.end().reason


def test_job_cannot_hand_something_back_for_another_task(field: Field) -> None:
    """Each job's files are in a folder of its own: what lies in another task's is not looked at."""
    job = field.job("b")
    job.name = "a"
    job.commit(made="1\n")
    job.hand_back()
    assert field.end().reason == "its job handed nothing back"
    named = job.out.rename(job.out.with_name("spinney-task-b"))
    assert find([named], TaskId("a")) == []
    assert [one.result.name for one in find([named.rename(named.with_name("any"))], TaskId("a"))] == [
        "a.json"
    ]


def test_two_results_of_one_task_are_refused(field: Field, tmp_path: Path) -> None:
    job = field.job()
    job.hand_back()
    again = tmp_path / "results" / "spinney-task-a"
    again.mkdir()
    shutil.copy(job.out / "a.json", again)
    assert "it is there more than once" in field.end().reason


def test_branch_that_moved_here_meanwhile_is_left(field: Field) -> None:
    job = field.job()
    job.commit(made="1\n")
    job.hand_back()
    assigned = field.assign()
    field.repo.write("mine.txt", "1")
    mine = field.repo.commit()
    field.repo.git("update-ref", "refs/heads/spinney/a", mine)
    assert "spinney/a has moved here since its job began" in end(field.take_in(assigned)["a"]).reason
    assert field.repo.git("rev-parse", "spinney/a") == mine


def test_result_may_be_taken_in_twice(field: Field) -> None:
    job = field.job()
    tip = job.commit(made="1\n")
    job.hand_back()
    assigned = field.assign()
    for _ in range(2):
        assert end(field.take_in(assigned)["a"]).tip == tip
