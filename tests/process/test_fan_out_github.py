"""Issues of GitHub as jobs in clones without a token, and one job with one that opens the pull requests."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.github.calls import listing
from tests.support.github.standin import GitHub
from tests.support.repository import AUTHOR, Repo
from tests.support.running import Spinney, running, until

pytestmark = [pytest.mark.process, pytest.mark.git]

WORKFLOW = """\
version: 1
name: quick
phases:
  - name: code
    agents: [{name: CODER, run: 'echo "$SPINNEY_TASK" >> "$SPINNEY_TASK.txt"'}]
  - name: check
    agents: [{name: CHECKER, run: 'touch checked-by-$SPINNEY_TASK; touch started; until test -e go; do sleep 0.05; done'}]
"""


class Jobs:
    """The three kinds of jobs of a fan-out, each in a clone of its own."""

    def __init__(self, folder: Path, github: GitHub, stack: ExitStack) -> None:
        self.folder, self.github, self._stack, self._clones = folder, github, stack, 0

    def clone(self, *, token: bool) -> Spinney:
        self._clones += 1
        path = self.folder / f"clone-{self._clones}" / "repo"
        path.parent.mkdir()
        outside = Repo(self.folder)
        outside.git("clone", "--quiet", str(self.github.bare.path), str(path))
        made = Repo(path)
        made.git("remote", "set-url", "origin", self.github.git_url)
        made.git("config", "user.name", AUTHOR[0])
        made.git("config", "user.email", AUTHOR[1])
        spinney = self._stack.enter_context(running(made))
        spinney.extra |= self.github.environment() if token else {}
        return spinney

    def plan(self, *arguments: str) -> dict[str, Any]:
        plan = ("plan", "--label", "ready", "--workflow", "quick.yaml", "--github-matrix")
        done = self.clone(token=True)(*plan, "--out", str(self.folder / "plan.json"), *arguments)
        assert done.code == 0, done.err + listing(self.github.calls)
        matrix: dict[str, Any] = json.loads(done.out)
        return matrix

    def arguments(self, task: str) -> list[str]:
        results = self.folder / "results"
        own = str(results / f"spinney-task-{task}")
        return [
            "run-task",
            "--plan",
            str(self.folder / "plan.json"),
            "--task",
            task,
            "--need",
            str(results),
            "--out",
            own,
        ]

    def run_tasks(self, matrix: dict[str, Any]) -> None:
        for wave in matrix["waves"]:
            for job in wave:
                done = self.clone(token=False)(*self.arguments(job["task"]))
                assert done.code == 0, done

    def integrate(self, *arguments: str) -> Any:
        results = str(self.folder / "results")
        return self.clone(token=True)(
            "integrate", results, "--plan", str(self.folder / "plan.json"), "--json", *arguments
        )


def heads(github: GitHub) -> list[str]:
    return sorted(pull.pull.head for pull in github.pulls() if pull.pull is not None)


@pytest.fixture
def jobs(repo: Repo, github: GitHub, tmp_path: Path) -> Iterator[Jobs]:
    repo.write("quick.yaml", WORKFLOW)
    repo.write("go", "")
    repo.commit("how we work")
    repo.git("push", "--quiet", str(github.bare.path), "main")
    folder = tmp_path / "jobs"
    folder.mkdir()
    with ExitStack() as stack:
        yield Jobs(folder, github, stack)


def test_issues_become_pull_requests_and_jobs_ask_github_nothing(jobs: Jobs, github: GitHub) -> None:
    github.issue("One", "Do it.", labels=("ready",))
    github.issue("Two", "Blocked by #1", labels=("ready",))
    closed = github.issue("Three", "Do it.", labels=("ready",))
    github.close(closed)
    matrix = jobs.plan("#3")
    assert [[job["task"] for job in wave] for wave in matrix["waves"]] == [["issue-1"], ["issue-2"]]
    assert [one["source"] for one in matrix["left_out"]] == ["#3"]
    before = len(github.calls)
    jobs.run_tasks(matrix)
    assert len(github.calls) == before
    done = jobs.integrate()
    assert done.code == 0, done.err + listing(github.calls)
    assert done.statuses == {"issue-1": "merged", "issue-2": "merged"}
    assert heads(github) == ["spinney/issue-1", "spinney/issue-2"]
    assert github.bare.read("spinney/issue-2", "issue-1.txt") == "issue-1\n"
    assert len(github.comments(1)) == 1
    assert not [ref for ref in github.bare.refs() if ref.startswith("refs/spinney/")]
    # The same integration again, as of a job that is started anew: nothing is made twice.
    once_more = jobs.integrate()
    assert once_more.code == 0, once_more
    assert len(github.pulls()) == 2
    assert len(github.comments(1)) == 1
    # The same again, from the beginning: everything is in review.
    again = jobs.plan()
    assert (again["waves"], again["tasks"], len(again["left_out"])) == ([], 0, 2)
    assert jobs.integrate().code == 0
    assert len(github.pulls()) == 2


def test_the_same_is_integrated_twice_also_where_not_all_of_it_are_issues(jobs: Jobs, github: GitHub) -> None:
    github.issue("One", "Do it.", labels=("ready",))
    batch = jobs.folder / "batch.yaml"
    batch.write_text("version: 1\ntasks:\n  - {id: more, title: More, body: Do it., needs: [issue-1]}\n")
    matrix = jobs.plan(str(batch))
    assert [[job["task"] for job in wave] for wave in matrix["waves"]] == [["issue-1"], ["more"]]
    jobs.run_tasks(matrix)
    for _ in range(2):
        done = jobs.integrate()
        assert done.code == 0, done
        assert done.statuses == {"issue-1": "merged", "more": "merged"}
        assert heads(github) == ["spinney/issue-1", "spinney/more"]


def test_the_rest_is_integrated_together_with_what_was_integrated_before(jobs: Jobs, github: GitHub) -> None:
    github.issue("One", "Do it.", labels=("ready",))
    github.issue("Two", "Do it.", labels=("ready",))
    jobs.run_tasks(jobs.plan())
    results = jobs.folder / "results"
    one, two = results / "spinney-task-issue-1", results / "spinney-task-issue-2"
    plan = ("integrate", "--plan", str(jobs.folder / "plan.json"))
    assert jobs.clone(token=True)(*plan, str(one)).code == 1
    assert heads(github) == ["spinney/issue-1"]
    told = github.comments(1)
    shutil.copytree(one, copy := jobs.folder / "copy")
    for folders, what in (((two,), "is not there"), ((one, two, copy), "is there more than once")):
        done = jobs.clone(token=True)(*plan, *map(str, folders))
        assert done.code == 2, done
        assert f"issue-1 has pull request #3, which is open, and what its job handed back {what}" in done.err
        assert "also of those that were integrated before" in done.err
    assert github.comments(1) == told
    assert jobs.clone(token=True)(*plan, str(one), str(two)).code == 0
    assert heads(github) == ["spinney/issue-1", "spinney/issue-2"]


def test_integration_that_was_cut_off_is_finished_by_another_in_a_fresh_clone(
    jobs: Jobs, github: GitHub
) -> None:
    github.issue("One", "Do it.", labels=("ready",))
    github.issue("Two", "Blocked by #1", labels=("ready",))
    jobs.run_tasks(jobs.plan())
    clone = jobs.clone(token=True)
    github.when("POST /repos/.*/pulls$", lambda: process.send_signal(signal.SIGKILL), when="after")
    process = clone.start("integrate", str(jobs.folder / "results"), "--plan", str(jobs.folder / "plan.json"))
    clone.end(process)
    assert len(github.pulls()) == 1
    github.bare.delete("refs/spinney/lock")  # as if the lease of who was killed had run out
    done = jobs.integrate()
    assert done.code == 0, done
    assert heads(github) == ["spinney/issue-1", "spinney/issue-2"]


def test_interrupted_job_is_gone_on_with_by_the_next_run(jobs: Jobs, github: GitHub, repo: Repo) -> None:
    repo.git("rm", "--quiet", "go")
    repo.commit("slow")
    repo.git("push", "--quiet", str(github.bare.path), "main")
    github.issue("One", "Do it.", labels=("ready",))
    jobs.plan()
    clone = jobs.clone(token=False)
    process = clone.start(*jobs.arguments("issue-1"))
    worktree = clone.worktree_folder() / "issue-1"
    until((worktree / "started").exists, "the second phase")
    process.send_signal(signal.SIGTERM)
    assert clone.end(process).code == 130
    done = jobs.integrate()
    assert done.code == 1
    assert "the next run goes on from its branch" in done.tasks["issue-1"]["reason"]
    pushed = github.bare.get("refs/heads/spinney/issue-1")
    assert github.pulls() == []

    repo.write("go", "")
    repo.commit("quick again")
    repo.git("push", "--quiet", str(github.bare.path), "main")
    (jobs.folder / "plan.json").unlink()
    matrix = jobs.plan()
    assert [[job["task"] for job in wave] for wave in matrix["waves"]] == [["issue-1"]]
    clone = jobs.clone(token=False)
    process = clone.start(*jobs.arguments("issue-1"))
    worktree = clone.worktree_folder() / "issue-1"
    until((worktree / "started").exists, "the second phase, on the base that it began with")
    (worktree / "go").touch()
    clone.end(process)
    done = jobs.integrate()
    assert heads(github) == ["spinney/issue-1"], done
    tip = github.bare.get("refs/heads/spinney/issue-1")
    assert pushed is not None
    assert tip is not None
    assert tip != pushed
    assert github.bare.contains(tip, pushed)
    assert github.bare.read("spinney/issue-1", "issue-1.txt") == "issue-1\n"
