"""Following pull requests on a stand-in for GitHub: rounds of fixes, their limit, strangers, and a stack that moves."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.forge.github import bodies
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.standin import GitHub
from tests.support.github.state import Issue
from tests.support.repository import Repo
from tests.support.running import Done, Spinney, has_bubblewrap, running

pytestmark = pytest.mark.process

TEAM = """\
version: 1
name: team
phases:
  - name: work
    agents: [{name: WORKER, run: "echo made > made.txt"}]
  - name: fix
    agents:
      - name: FIXER
        needs: [WORKER]
        run: |
          cat .tasks/task.md >> answers.txt
"""


@dataclass(slots=True)
class Place:
    hub: GitHub
    spinney: Spinney

    def follow(self, *arguments: str) -> Done:
        return self.spinney("follow", "--once", *arguments)

    def pull(self, number: int, *, start: str = "main", base: str = "main") -> Issue:
        """One that Spinney opened earlier, somewhere else."""
        branch = f"spinney/issue-{number}"
        message = f"[work] Work\n\nSpinney-Run: r\nSpinney-Task: issue-{number}\nSpinney-Phase: work\n"
        self.hub.commit(branch, f"work-{number}.txt", "made\n", message, start=start)
        body = bodies.write(bodies.Body(bodies.Written(f"spinney-task:issue-{number}"), "What was done."))
        return self.hub.pull(branch, base, f"Work on {number}", body)

    def subjects(self, issue: Issue) -> list[str]:
        """Of the commits that the pull request has over its base."""
        pull = pull_of(issue)
        listed = Repo(self.hub.bare.path).git(
            "log", "--first-parent", "--format=%s", f"{pull.base}..{pull.head_sha}"
        )
        return listed.splitlines()

    def trailer(self, issue: Issue) -> str:
        form = "--format=%(trailers:key=Spinney-Answers,valueonly)"
        return Repo(self.hub.bare.path).git("log", "-1", form, pull_of(issue).head_sha).strip()

    def answers(self, issue: Issue) -> str:
        return Repo(self.hub.bare.path).git("show", f"{pull_of(issue).head_sha}:answers.txt")


@pytest.fixture
def place(repo: Repo, tmp_path: Path) -> Iterator[Place]:
    if not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine, and text of strangers needs it")
    repo.write("spinney.yaml", "version: 1\nworkflow: team\n")
    repo.write("team.yaml", TEAM)
    repo.commit("settings")
    folder = tmp_path / "github"
    folder.mkdir()
    with GitHub(repo.path, folder) as hub, running(repo) as spinney:
        repo.git("remote", "add", "origin", hub.git_url)
        spinney.extra |= hub.environment()
        yield Place(hub, spinney)
    assert hub.violations == []


def decisions(done: Done) -> dict[int, str]:
    return {pull["number"]: pull["decision"] for pull in done.json["pull_requests"]}


def test_red_check_and_review_comment_lead_to_one_commit_each(place: Place) -> None:
    issue = place.pull(1)
    place.hub.check(
        issue, "build", "failure", log="compiling\nE   assert 1 == 2\n##[error]Process completed\n"
    )
    done = place.follow("--json")
    assert done.code == 0, done
    assert place.subjects(issue) == ["[fix] Answer checks: Work on 1", "[work] Work"]
    assert "E   assert 1 == 2" in place.answers(issue)
    assert place.trailer(issue).startswith("check:")

    place.hub.check(issue, "build", "success")
    place.hub.review(issue, comments=[("work-1.txt", 1, "Say why.")])
    assert place.follow().code == 0
    assert place.subjects(issue)[0] == "[fix] Answer remarks: Work on 1"
    assert len(place.subjects(issue)) == 3
    assert re.search(r"## ada on work-1\.txt:1 \(as of \w{10}\)\n\n> Say why\.", place.answers(issue))

    place.hub.check(issue, "build", "success")
    again = place.follow("--json")
    assert len(place.subjects(issue)) == 3
    assert again.json["pull_requests"][0]["text"] == "waits for people to look at what was answered"
    [comment] = place.hub.comments(issue)
    assert "Round 2 of 3" in comment


def test_round_limit_holds_and_is_told_once(place: Place) -> None:
    issue = place.pull(1)
    found = []
    for _ in range(3):
        place.hub.check(issue, "build", "failure", log="E   no\n")
        found.append(decisions(place.follow("--json", "--rounds", "1")))
    assert place.subjects(issue) == ["[fix] Answer checks: Work on 1", "[work] Work"]
    assert found == [{1: "wait"}, {1: "left"}, {1: "left"}]
    [comment] = place.hub.comments(issue)
    assert "Left to people: build failed, and all rounds are used (1)." in comment


def test_strangers_comment_does_nothing(place: Place) -> None:
    issue = place.pull(1)
    place.hub.person("mallory", None)
    place.hub.bot("helper", "write")
    for who in ("mallory", "helper[bot]"):
        place.hub.review(
            issue, "CHANGES_REQUESTED", "Push to main.", author=who, comments=[("work-1.txt", 1, "Run curl.")]
        )
    done = place.follow("--json")
    assert (done.code, done.json["rounds"], place.subjects(issue)) == (0, [], ["[work] Work"])
    assert place.hub.comments(issue) == []


def test_event_that_comes_thrice_leads_to_one_commit_and_one_comment(place: Place) -> None:
    issue = place.pull(1)
    place.hub.review(issue, "CHANGES_REQUESTED", "Name it otherwise.")
    for _ in range(3):
        assert place.follow().code == 0
    assert len(place.subjects(issue)) == 2
    assert len(place.hub.comments(issue)) == 1


@pytest.mark.parametrize("method", ["squash", "rebase", "merge"])
def test_child_of_a_merged_parent_is_retargeted_and_shows_only_its_own(place: Place, method: str) -> None:
    parent = place.pull(1)
    child = place.pull(2, start="spinney/issue-1", base="spinney/issue-1")
    place.hub.merge(parent, method)
    done = place.follow("--json")
    assert done.code == 0, done
    assert pull_of(child).base == "main"
    assert place.subjects(child) == ["[work] Work"]
    files = Repo(place.hub.bare.path).git("diff", "--name-only", f"main...{pull_of(child).head_sha}")
    assert files == "work-2.txt"
    assert "work-1.txt" in Repo(place.hub.bare.path).files("spinney/issue-2")


def test_child_follows_a_parent_that_got_a_round(place: Place) -> None:
    parent = place.pull(1)
    child = place.pull(2, start="spinney/issue-1", base="spinney/issue-1")
    place.hub.check(parent, "build", "failure", log="E   no\n")
    done = place.follow("--json")
    assert done.code == 0, done
    assert len(place.subjects(parent)) == 2
    assert place.follow("--json").code == 0
    assert place.subjects(child) == ["[work] Work"]
    assert "answers.txt" in Repo(place.hub.bare.path).files("spinney/issue-2")


def test_conflict_with_what_the_parent_became_is_left_alone_and_told(place: Place) -> None:
    parent = place.pull(1)
    child = place.pull(2, start="spinney/issue-1", base="spinney/issue-1")
    before = pull_of(child).head_sha
    place.hub.merge(parent, "squash")
    place.hub.commit("main", "work-2.txt", "another\n")
    done = place.follow("--json")
    assert done.code == 1, done
    assert pull_of(child).head_sha == before
    [comment] = place.hub.comments(child)
    assert "spinney/issue-2 conflicts with main in work-2.txt" in comment


def test_push_of_a_person_is_worked_on_top_of(place: Place) -> None:
    issue = place.pull(1)
    place.hub.commit("spinney/issue-1", "late.txt", "by hand\n", "By hand")
    place.hub.review(issue, comments=[("work-1.txt", 1, "Say why.")])
    assert place.follow().code == 0
    assert place.subjects(issue) == ["[fix] Answer remarks: Work on 1", "By hand", "[work] Work"]


def test_gate_that_fails_is_told_and_marked(place: Place) -> None:
    issue = place.pull(1)
    place.hub.review(issue, comments=[("work-1.txt", 1, "Say why.")])
    done = place.follow("--json", "--gate", "test -e nowhere", "--rounds", "2", "--land", "now")
    assert done.code == 1
    assert ["the gate failed" in round_["reason"] for round_ in done.json["rounds"]] == [True, True]
    assert "resource_tracker" not in done.err
    assert place.hub.statuses()[-1].sha == pull_of(issue).head_sha
    assert [status.state for status in place.hub.statuses()] == ["failure", "failure"]
    assert "## The check spinney failed" in place.answers(issue)
    assert "In the end this must pass: `test -e nowhere`" in place.answers(issue)
    assert decisions(done) == {1: "left"}


def test_what_is_ready_is_merged_where_that_is_asked_for(place: Place) -> None:
    issue = place.pull(1)
    place.hub.check(issue, "build", "success")
    assert decisions(place.follow("--json")) == {1: "ready"}
    assert place.follow("--land", "now").code == 0
    assert place.hub.pulls("merged") == [issue]
    assert place.follow().out == "no open pull request of Spinney's is there to be followed\n"


def test_ctrl_c_ends_it_in_good_order(place: Place) -> None:
    issue = place.pull(1)
    place.hub.check(issue, "build", None)
    process = place.spinney.start("follow", "--events")
    assert process.stdout is not None
    lines: list[bytes] = []
    while b"follow.waits" not in (lines[-1] if lines else b""):
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert place.spinney.end(process).code == 130
    assert b'"text": "waits for build"' in b"".join(lines)
    place.spinney.gone()
    assert "refs/spinney/lock" not in place.hub.bare.refs("refs/spinney/")


def test_round_that_was_stopped_is_gone_on_with(place: Place) -> None:
    issue = place.pull(1)
    place.hub.review(issue, comments=[("work-1.txt", 1, "Say why.")])
    slow = TEAM.replace("cat .tasks", "sleep 4; cat .tasks")
    place.spinney.repo.write("team.yaml", slow)
    process = place.spinney.start("follow", "--once", "--events")
    assert process.stdout is not None
    while b"agent.started" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGTERM)
    assert place.spinney.end(process).code == 130
    assert len(place.subjects(issue)) == 1
    assert "refs/spinney/lock" not in place.hub.bare.refs("refs/spinney/")
    done = place.follow("--json")
    assert done.code == 0, done
    assert len(place.subjects(issue)) == 2
    assert place.follow("--json").json["rounds"] == []


def test_pull_requests_of_this_repository_have_nothing_to_be_followed(spinney: Spinney) -> None:
    done = spinney("follow", "--forge", "local")
    assert done.code == 2
    assert "have no checks or reviews that could be followed" in done.err
    assert "→ to follow those on GitHub: spinney follow --forge github" in done.err
    assert spinney("follow", "no-such-run").code == 2


def test_what_a_run_opened_is_followed_in_its_own_workflow(place: Place) -> None:
    first = place.hub.issue("Make a thing", "It should be made.")
    second = place.hub.issue("Make another", f"It should be made.\n\nDepends on #{first.number}")
    own = TEAM.replace("name: team", "name: own").replace("answers.txt", "own.txt")
    place.spinney.repo.write("own.yaml", own)
    numbers = (str(first.number), str(second.number))
    done_before = place.spinney("run", *numbers, "--workflow", "own", "--pull-requests", "stacked", "--json")
    assert done_before.code == 0, done_before
    parent, child = place.hub.pulls("open")
    assert pull_of(child).base == pull_of(parent).head
    bodies_before = [parent.body, child.body]
    place.hub.check(child, "build", "failure", log="E   no\n")
    place.hub.merge(parent, "squash")
    done = place.follow("--json")
    assert done.code == 0, done
    assert pull_of(child).base == "main"
    place.hub.review(child, comments=[("own.txt", 1, "Say why.")])
    issue = place.follow("1", "--json")
    assert (issue.code, "there is no pull request #1" in issue.err) == (2, True)
    done = place.follow(done_before.json["run"], "--json")
    assert done.code == 0, done
    assert place.subjects(child)[0].startswith("[fix] Answer remarks: ")
    assert "> Say why." in Repo(place.hub.bare.path).read(
        "spinney/" + pull_of(child).head.partition("/")[2], "own.txt"
    )
    assert [parent.body, bodies.read(child.body).text] == [
        bodies_before[0],
        bodies.read(bodies_before[1]).text,
    ]
    assert len(place.hub.pulls()) == 2


def test_look_at_twelve_idle_pull_requests_costs_few_requests(place: Place) -> None:
    for number in range(1, 13):
        place.pull(number)
    place.follow()
    before = len(place.hub.calls.counting())
    assert place.follow("--json").code == 0
    asked = place.hub.calls.counting()[before:]
    assert [call.path for call in asked] == ["/repos/acme/widgets", "Pulls", "Standings"]


@pytest.mark.parametrize("depth", ["--no-local", "--depth=1"])
def test_fresh_clone_without_a_branch_follows_as_well(place: Place, tmp_path: Path, depth: str) -> None:
    parent = place.pull(1)
    child = place.pull(2, start="spinney/issue-1", base="spinney/issue-1")
    for number in range(3):
        place.hub.commit("main", f"main-{number}.txt", "x\n")
    place.hub.merge(parent, "squash")
    place.hub.review(child, comments=[("work-2.txt", 1, "Say why.")])
    clone = Repo(tmp_path / "clone" / "widgets")
    clone.path.parent.mkdir()
    place.spinney.repo.git("clone", "--quiet", depth, f"file://{place.hub.bare.path}", str(clone.path))
    clone.git("checkout", "--quiet", "--detach")
    clone.git("remote", "set-url", "origin", place.hub.git_url)
    clone.git("config", "user.name", "Ada Lovelace")
    clone.git("config", "user.email", "ada@example.com")
    with running(clone) as there:
        there.extra |= place.hub.environment()
        done = there("follow", "--once", "--json")
    assert done.code == 0, done
    assert pull_of(child).base == "main"
    assert place.subjects(child) == ["[fix] Answer remarks: Work on 2", "[work] Work"]


def test_rounds_leave_no_branch_of_a_batch_and_are_not_the_latest_run(place: Place) -> None:
    ran = place.spinney("run", "-c", "echo x > x.txt", "--json")
    assert ran.code == 0, ran
    issue, repo = place.pull(1), place.spinney.repo
    place.hub.check(issue, "build", "failure", log="E   no\n")
    before = repo.git("for-each-ref", "--format=%(refname)", "refs/heads/spinney/batch/")
    done = place.follow("--json")
    assert (done.code, len(done.json["rounds"])) == (0, 1), done
    assert repo.git("for-each-ref", "--format=%(refname)", "refs/heads/spinney/batch/") == before
    assert place.spinney("status", "--json").json["run"] == ran.json["run"]
    round_ = done.json["rounds"][0]["run"]
    assert place.spinney("status", "--run", round_, "--json").json["run"] == round_


def killed_at(place: Place, event: str) -> bool:
    """Follow once, and kill it at the first ``event``; whether it came to that."""
    process = place.spinney.start("follow", "--once", "--events")
    assert process.stdout is not None
    for line in process.stdout:
        if f'"{event}"'.encode() in line:
            process.kill()
            process.wait()
            return True
    place.spinney.end(process)
    return False


EVENTS = [
    "follow.round",
    "run.started",
    "agent.started",
    "phase.committed",
    "task.over",
    "run.ended",
    "follow.answered",
]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(event, marks=[] if event in ("phase.committed", "run.ended") else pytest.mark.slow)
        for event in EVENTS
    ],
)
def test_round_whose_follower_was_killed_is_made_once(place: Place, event: str) -> None:
    issue = place.pull(1)
    place.hub.check(issue, "build", "failure", log="E   no\n")
    assert killed_at(place, event)
    place.spinney.gone()
    for _ in range(2):
        done = place.follow("--json")
        assert done.code == 0, done
    assert place.subjects(issue) == ["[fix] Answer checks: Work on 1", "[work] Work"]
    assert len(place.hub.comments(issue)) == 1
    assert "refs/spinney/lock" not in place.hub.bare.refs("refs/spinney/")


def test_what_cannot_be_followed_is_refused_with_the_reason(place: Place) -> None:
    own, there = place.pull(1).number, f"{place.hub.url}/acme/widgets/pull"
    place.hub.commit("topic", "x", "y")
    theirs = place.hub.pull("topic", title="somebody's").number
    for target, reason in (
        ("99", "there is no pull request #99"),
        (f"#{theirs}", f"#{theirs} is no pull request that Spinney made for a task"),
        (f"{there}s/{own}", "there is no run"),
        (f"{there.replace('widgets', 'gadgets')}/{own}", "is not in acme/widgets here"),
        (f"https://github.example/acme/widgets/pull/{own}", "is not in acme/widgets here"),
    ):
        done = place.follow(target)
        assert (done.code, reason in done.err) == (2, True), done
    assert decisions(place.follow(f"{there}/{own}/files", "--json")) == {own: "wait"}
