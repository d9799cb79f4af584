"""Runs on GitHub that are cut off, met by others, or answered by nobody: what is there goes on from refs alone."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from tests.support.github.deeds_pulls import pull_of
from tests.support.github.standin import ALL_PERMISSIONS, GitHub
from tests.support.repository import Repo
from tests.support.running import Spinney, running, until

pytestmark = [pytest.mark.process, pytest.mark.git]

FLOW = """\
version: 1
name: two
phases:
  - name: code
    agents:
      - {{name: CODER, run: 'echo done > "$SPINNEY_TASK.txt"'}}
  - name: test
    agents:
      - {{name: TESTER, run: '{test}'}}
"""
PASSES = FLOW.format(test='echo tested >> "$SPINNEY_TASK.txt"')
STAYS = FLOW.format(test="sleep 100")


class Place:
    """Clones of one repository on the stand-in."""

    def __init__(self, github: GitHub, repo: Repo, undo: ExitStack) -> None:
        self.github, self._undo, self._folder = github, undo, repo.path.parent
        repo.write("passes.yaml", PASSES)
        repo.write("stays.yaml", STAYS)
        repo.commit("workflows")
        repo.git("push", "--quiet", str(github.bare.path), "main")
        self.first = self._spinney(repo)

    def _spinney(self, repo: Repo) -> Spinney:
        repo.git("remote", "add", "origin", self.github.git_url)
        spinney = self._undo.enter_context(running(repo))
        spinney.extra |= self.github.environment()
        return spinney

    def clone(self, name: str, *how: str) -> Spinney:
        """As a job of Actions has it: on no branch."""
        path = self._folder / name / "repo"
        Repo(self._folder).git("clone", "--quiet", *how, f"file://{self.github.bare.path}", str(path))
        repo = Repo(path)
        for key, value in (("user.name", "A job"), ("user.email", "job@example.com"), ("gc.auto", "0")):
            repo.git("config", key, value)
        repo.git("remote", "remove", "origin")
        repo.git("switch", "--quiet", "--detach", "main")
        return self._spinney(repo)

    def branches(self) -> set[str]:
        refs = self.github.bare.refs()
        return {ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/spinney/")}


@pytest.fixture
def place(repo: Repo, github: GitHub, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as undo:
        yield Place(github, repo, undo)


def stopped_in_its_second_phase(place: Place, *more: str) -> None:
    """A run of all issues, ended by a signal."""
    process = place.first.start("run", "--workflow", "stays.yaml", *more)
    until(lambda: place.first.repo.refs("refs/heads/spinney/issue-1"), "the task's branch", 60)
    until(lambda: len(place.first.repo.log("main..spinney/issue-1")) == 1, "the first phase", 60)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert place.first.end(process).code == 130
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("how", [(), ("--depth=1",)], ids=["whole", "shallow"])
def test_stopped_run_is_gone_on_with_by_the_next_in_a_fresh_clone(place: Place, how: tuple[str, ...]) -> None:
    place.github.issue("One", "Do it.")
    stopped_in_its_second_phase(place, "#1")
    assert place.branches() == {"spinney/issue-1"}
    assert place.github.pulls() == []
    assert "Stopped before the end" in place.github.comments(1)[0]
    job = place.clone("job", *how)
    done = job("run", "#1", "--workflow", "passes.yaml", "--json")
    assert done.code == 0, done.err
    assert [commit["phase"] for commit in done.tasks["issue-1"]["commits"]] == ["code", "test"]
    assert [event["agent"] for event in job.events() if event["event"] == "agent.started"] == ["TESTER"]
    (pull,) = place.github.pulls()
    assert (
        place.github.bare.refs()["refs/heads/spinney/issue-1"] == done.tasks["issue-1"]["commits"][1]["oid"]
    )
    assert (pull_of(pull).head, pull_of(pull).base) == ("spinney/issue-1", "main")
    (comment,) = place.github.comments(1)
    assert f"Pull request: #{pull.number}." in comment


def test_plan_says_as_the_run_that_a_task_belongs_to_a_run_that_was_stopped(place: Place) -> None:
    for title in ("One", "Two"):
        place.github.issue(title, "Do it.")
    stopped_in_its_second_phase(place, "#1")
    run = place.first.runs()[0].name
    plan = place.first("plan", "#1", "#2", "--workflow", "passes.yaml", "--json")
    refused = place.first("run", "#1", "#2", "--workflow", "passes.yaml")
    assert (plan.code, refused.code) == (0, 2), plan.err
    (note,) = [note for note in plan.json["notes"] if "not finished" in note]
    for words in (
        f"run {run} is not finished and has: issue-1",
        f"spinney resume --run {run}",
        f"clean --run {run}",
    ):
        assert words in note
        assert words in refused.err
    other = place.first("plan", "#2", "--workflow", "passes.yaml", "--json")
    assert not [note for note in other.json["notes"] if "not finished" in note]


def test_second_run_at_once_is_refused_and_writes_nothing(place: Place) -> None:
    place.github.issue("One", "Do it.")
    place.github.issue("Two", "Do it.")
    process = place.first.start("run", "#1", "--workflow", "stays.yaml")
    until(lambda: place.first.repo.refs("refs/heads/spinney/issue-1"), "the task's branch", 60)
    other = place.clone("other")
    done = other("run", "#2", "--workflow", "passes.yaml")
    assert done.code == 3, done.err
    assert "holds this repository on the forge" in done.err
    assert other.runs() == []
    process.send_signal(signal.SIGTERM)
    place.first.end(process)


def test_branch_that_somebody_made_is_left_alone_and_the_others_are_done(place: Place) -> None:
    for title in ("One", "Two"):
        place.github.issue(title, "Do it.")
    place.github.commit("spinney/issue-1", "mine.txt", "mine\n", start="main")
    before = place.github.bare.refs()["refs/heads/spinney/issue-1"]
    done = place.first("run", "#1", "#2", "--workflow", "passes.yaml", "--json")
    assert done.code == 0, done.err
    assert done.statuses == {"issue-2": "merged"}
    assert place.github.bare.refs()["refs/heads/spinney/issue-1"] == before
    assert [one["issue"] for one in done.json["left_out"]] == ["#1"]
    assert "not made by Spinney" in done.json["left_out"][0]["reason"]


@pytest.mark.parametrize(
    ("match", "at"),
    [("POST .*/pulls$", 1), ("GIT git-receive-pack", 2), ("POST .*/comments$", 1), ("POST .*/statuses/", 1)],
    ids=["pull request", "push", "comment", "status"],
)
def test_answer_that_is_lost_doubles_nothing(place: Place, match: str, at: int) -> None:
    place.github.issue("One", "Do it.")
    place.github.fail(match, "lose", at=at)
    done = place.first("run", "#1", "--workflow", "passes.yaml", "--json")
    assert done.code == 0, done.err
    assert [pull_of(pull).head for pull in place.github.pulls()] == ["spinney/issue-1"]
    assert len(place.github.comments(1)) == 1
    assert place.github.statuses()[-1].state == "success"


def test_pull_request_that_somebody_closes_during_the_run_stays_closed(place: Place) -> None:
    place.github.issue("One", "Do it.")

    def close() -> None:
        place.github.close(place.github.pulls()[0].number)

    place.github.when("POST .*/statuses/", close)
    first = place.first("run", "#1", "--workflow", "passes.yaml", "--json")
    assert first.code == 0, first.err
    assert [note for note in first.json["notes"] if "was closed by somebody else" in note]
    again = place.first("run", "#1", "--workflow", "passes.yaml", "--json")
    assert (again.code, again.json["tasks"]) == (0, [])
    assert [pull.state for pull in place.github.pulls()] == ["closed"]


def test_base_that_moves_during_the_run_is_told_and_the_pull_request_goes_into_it(place: Place) -> None:
    place.github.issue("One", "Do it.")
    place.github.when(
        "POST .*/pulls$", lambda: place.github.commit("main", "other.txt", "x\n", "somebody's"), when="before"
    )
    done = place.first("run", "#1", "--workflow", "passes.yaml", "--json")
    assert done.code == 0, done.err
    assert [note for note in done.json["notes"] if note.startswith("main has moved on GitHub since")]
    (pull,) = place.github.pulls()
    assert (pull.state, pull_of(pull).base) == ("open", "main")


def test_work_in_review_is_gone_on_with_in_the_checkout_that_did_it(place: Place) -> None:
    place.github.issue("One", "Do it.")
    assert place.first("run", "#1", "--workflow", "passes.yaml").code == 0
    for _ in range(2):
        before = place.github.bare.refs()["refs/heads/spinney/issue-1"]
        done = place.first("run", "#1", "--workflow", "passes.yaml", "--continue", "--json")
        assert (done.code, done.statuses) == (0, {"issue-1": "merged"}), done.err
        assert not [note for note in done.json["notes"] if "somebody else" in note]
        after = place.github.bare.refs()["refs/heads/spinney/issue-1"]
        assert (after, place.first.repo.refs()["refs/heads/spinney/issue-1"]) == (
            done.tasks["issue-1"]["commits"][-1]["oid"],
            after,
        )
        assert len(place.first.repo.log(f"{before}..{after}")) == 2
        (pull,) = place.github.pulls()
        assert (pull.state, done.tasks["issue-1"]["pull_request"]["number"]) == ("open", pull.number)


@pytest.mark.slow
def test_work_in_review_is_gone_on_with_twice_in_a_fresh_clone(place: Place) -> None:
    place.github.issue("One", "Do it.")
    assert place.first("run", "#1", "--workflow", "passes.yaml").code == 0
    job = place.clone("job")
    for _ in range(2):
        before = place.github.bare.refs()["refs/heads/spinney/issue-1"]
        done = job("run", "#1", "--workflow", "passes.yaml", "--continue", "--json")
        assert (done.code, done.statuses) == (0, {"issue-1": "merged"}), done.err
        after = place.github.bare.refs()["refs/heads/spinney/issue-1"]
        assert after == done.tasks["issue-1"]["commits"][-1]["oid"]
        assert len(job.repo.log(f"{before}..{after}")) == 2
    assert [pull.state for pull in place.github.pulls()] == ["open"]


def test_fresh_keeps_the_old_branch_aside_on_github(place: Place) -> None:
    place.github.issue("One", "Do it.")
    assert place.first("run", "#1", "--workflow", "passes.yaml").code == 0
    old = place.github.bare.refs()["refs/heads/spinney/issue-1"]
    place.github.close(place.github.pulls()[0].number)
    done = place.clone("job")("run", "#1", "--workflow", "passes.yaml", "--fresh", "--json")
    assert done.code == 0, done.err
    refs = place.github.bare.refs()
    assert refs["refs/spinney/archive/issue-1/1"] == old
    assert refs["refs/heads/spinney/issue-1"] != old
    assert [pull.state for pull in place.github.pulls()] == ["closed", "open"]


def test_pull_request_names_what_it_builds_on_and_the_command_that_does_it_again(place: Place) -> None:
    place.github.issue("One", "Do it.")
    place.github.issue("Two", "Blocked by #1.")
    first = place.first("run", "#1", "#2", "--workflow", "passes.yaml", "--gate", "test -e passes.yaml")
    assert first.code == 0, first.err
    bodies = {pull_of(pull).head: (pull.number, pull.body) for pull in place.github.pulls()}
    (number, below), (_, above) = bodies["spinney/issue-1"], bodies["spinney/issue-2"]
    shown = above.partition("-->\n")[2].lstrip()
    assert shown.startswith(f"Builds on #{number}: its commits are in here too, merge that first.\n")
    assert "Builds on" not in below
    told = re.search("To do it again: `spinney ([^`]+)`", above)
    assert told, above
    again = place.first(*shlex.split(told[1]), "--json")
    assert (again.code, again.statuses) == (0, {"issue-1": "merged", "issue-2": "merged"}), again.err


@pytest.mark.parametrize("who", ["a reader", "a token for contents to read"])
def test_token_that_may_not_push_starts_nothing(place: Place, who: str) -> None:
    place.github.issue("One", "Do it.")
    if who == "a reader":
        place.github.person("bob", "read")
        token = place.github.new_token("bob").value
    else:
        token = place.github.actions_token({**ALL_PERMISSIONS, "contents": "read"}).value
    place.first.extra["GITHUB_TOKEN"] = token
    done = place.first("run", "#1", "--workflow", "passes.yaml")
    assert done.code == 2, done.err
    assert "the token may not push to acme/widgets; nothing was started" in done.err
    assert "Contents: write" in done.err
    assert "spinney doctor --github" in done.err
    assert (place.first.runs(), place.branches(), place.github.comments(1)) == ([], set(), [])
    assert not [ref for ref in place.first.repo.refs() if "spinney" in ref]


WRITES = "^(POST|PATCH) |^GIT git-receive-pack"  # of GitHub's API and of git; of questions, GraphQL's are POSTs, too


def killed_and_gone_on_with(place: Place, number: int, when: Literal["before", "after"]) -> None:
    place.github.issue("One", "Do it.")
    started: list[subprocess.Popen[bytes]] = []
    place.github.when(WRITES, lambda: started[0].kill(), at=number, when=when)
    started.append(place.first.start("run", "#1", "--workflow", "passes.yaml"))
    place.first.end(started[0])
    done = place.first("resume", "--json") if place.first.runs() else None
    if done is None or done.code == 2:  # killed before it had begun, or not at all
        done = place.first("run", "#1", "--workflow", "passes.yaml", "--json")
    assert done.code == 0, done.err
    (pull,) = place.github.pulls()
    tip = place.github.bare.refs()["refs/heads/spinney/issue-1"]
    assert pull_of(pull).head == "spinney/issue-1"
    assert place.first.repo.refs()["refs/heads/spinney/issue-1"] == tip
    (comment,) = place.github.comments(1)
    assert "Done, and fits" in comment
    assert not [ref for ref in place.github.bare.refs() if ref == "refs/spinney/lock"]


def test_killed_when_it_had_the_lock_and_nothing_else_the_next_run_need_not_wait(place: Place) -> None:
    place.github.issue("One", "Do it.")
    started: list[subprocess.Popen[bytes]] = []
    place.github.when("^GIT git-receive-pack", lambda: started[0].kill(), when="after")
    started.append(place.first.start("run", "#1", "--workflow", "passes.yaml"))
    assert place.first.end(started[0]).code == -signal.SIGKILL
    assert "refs/spinney/lock" in place.github.bare.refs()
    assert place.clone("job")("run", "#1", "--workflow", "passes.yaml").code != 0  # it cannot know
    done = place.first("run", "#1", "--workflow", "passes.yaml", "--json")
    assert done.code == 0, done.err
    assert "refs/spinney/lock" not in place.github.bare.refs()


@pytest.mark.parametrize(("number", "when"), [(4, "after"), (6, "before")])
def test_killed_at_a_call_and_gone_on_with_nothing_is_doubled(
    place: Place, number: int, when: Literal["before", "after"]
) -> None:
    killed_and_gone_on_with(place, number, when)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 13))
def test_killed_at_any_call_and_gone_on_with_nothing_is_doubled(
    place: Place, number: int, when: Literal["before", "after"]
) -> None:
    killed_and_gone_on_with(place, number, when)
