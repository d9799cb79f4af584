"""Tasks as jobs in clones of their own, and one job that takes in what they handed back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.model import Tokens
from tests.support.messages import MessagesServer
from tests.support.repository import AUTHOR, Repo
from tests.support.running import Done, Spinney, has_bubblewrap, running, until
from tests.support.teams import batch, features

pytestmark = pytest.mark.process

BATCH = """\
version: 1
gate: test ! -e BAD
tasks:
  - {id: one, title: One, run: "echo 1 > one.txt"}
  - {id: two, title: Two, needs: [one], run: "cat one.txt one.txt > two.txt"}
  - {id: three, title: Three, run: "echo 3 > three.txt"}
  - {id: four, title: Four, needs: [two, three], run: "cat two.txt three.txt > four.txt"}
"""
SMALL = """\
version: 1
tasks:
  - {id: good, title: Good, run: "echo 1 > good.txt"}
  - {id: evil, title: Evil, run: "echo 1 > evil.txt"}
"""


@dataclass
class Fleet:
    """A repository with a plan, clones of it, and what is done in each."""

    home: Spinney
    folder: Path
    stack: ExitStack
    matrix: dict[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> str:
        return str(self.folder / "plan.json")

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def make_plan(self, text: str, *arguments: str) -> dict[str, Any]:
        path = self.home.batch(text)
        done = self.home("plan", path, "--github-matrix", "--out", self.plan, *arguments)
        assert done.code == 0, done
        [line] = done.out.splitlines()
        self.matrix = json.loads(line)
        return self.matrix

    def clone(self, name: str) -> Spinney:
        path = self.folder / "clones" / name / "repo"
        path.parent.mkdir(parents=True)
        self.home.repo.git("clone", "--quiet", "--no-local", str(self.home.repo.path), str(path))
        made = Repo(path)
        made.git("config", "user.name", AUTHOR[0])
        made.git("config", "user.email", AUTHOR[1])
        return self.stack.enter_context(running(made))

    def arguments(self, task: str) -> list[str]:
        fixed = ["--plan", self.plan, "--digest", self.matrix["digest"], "--task", task]
        return ["run-task", *fixed, "--need", str(self.results), "--out", str(self.results / task)]

    def run_task(self, task: str, *arguments: str) -> Done:
        return self.clone(task)(*self.arguments(task), *arguments)

    def run_all(self, **expected: int) -> None:
        for wave in self.matrix["waves"]:
            for job in wave:
                done = self.run_task(job["task"])
                assert done.code == expected.get(job["task"], 0), done

    def integrate(self, *arguments: str) -> Done:
        return self.home(
            "integrate",
            str(self.results),
            "--plan",
            self.plan,
            "--digest",
            self.matrix["digest"],
            "--json",
            *arguments,
        )

    def trees(self, repo: Repo, *names: str) -> dict[str, list[str]]:
        return {name: repo.log(f"main..spinney/{name}", "%T %s") for name in names}


@pytest.fixture
def fleet(spinney: Spinney, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(spinney, tmp_path / "fleet", stack)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()


def test_jobs_in_four_clones_and_one_that_integrates_come_to_the_same_as_a_run(
    fleet: Fleet, tmp_path: Path
) -> None:
    same = tmp_path / "same" / "repo"
    shutil.copytree(fleet.home.repo.path, same, symlinks=True)
    waves = fleet.make_plan(BATCH)["waves"]
    assert [[job["task"] for job in wave] for wave in waves] == [["one", "three"], ["two"], ["four"]]
    assert waves[2] == [{"task": "four", "title": "Four", "needs": ["two", "three"]}]
    fleet.run_all()
    assert sorted(path.name for path in fleet.results.rglob("*.*")) == [
        f"{name}.{kind}" for name in ("four", "one", "three", "two") for kind in ("bundle", "json")
    ]
    done = fleet.integrate()
    assert done.code == 0, done
    with running(Repo(same)) as alone:
        run = alone("run", alone.batch(BATCH), "--json")
    assert run.code == 0, run
    here, there = fleet.home.repo, Repo(same)
    assert here.git("rev-parse", f"{done.json['merged']}^{{tree}}") == there.git(
        "rev-parse", f"{run.json['merged']}^{{tree}}"
    )
    names = ("one", "two", "three", "four")
    assert fleet.trees(here, *names) == fleet.trees(there, *names)
    assert done.statuses == run.statuses == dict.fromkeys(names, "merged")
    assert {pull["head"] for pull in fleet.home.pulls()} == {f"spinney/{name}" for name in names}
    assert here.git("fsck", "--strict", "--no-dangling") == ""
    assert here.read(done.json["merged"], "four.txt") == "1\n1\n3"
    # What agents took elsewhere is in the figures, and so is the time that it took.
    metrics = done.json["metrics"]
    assert metrics["total_time_seconds"] > max(metrics["task_times"].values()) > 0


def test_jobs_commit_as_who_planned_whatever_their_clones_say(fleet: Fleet) -> None:
    text = "version: 1\ntasks:\n" + "".join(
        f'  - {{id: {name}, title: T, needs: [{needs}], run: "echo {name} > {name}"}}\n'
        for name, needs in (("x", ""), ("y", ""), ("z", "x, y"))
    )
    fleet.make_plan(text)
    for task in "xyz":
        clone = fleet.clone(task)
        for key, value in (("user.name", f"Job {task}"), ("user.email", "job@example.com")):
            clone.repo.git("config", key, value)
        assert clone(*fleet.arguments(task)).code == 0
    done = fleet.integrate()
    assert (done.code, done.statuses) == (0, dict.fromkeys("xyz", "merged")), done
    who = fleet.home.repo.log("main..spinney/z", "%an <%ae> %cn <%ce>")  # and of the base of two needs
    assert set(who) == {" ".join([f"{AUTHOR[0]} <{AUTHOR[1]}>"] * 2)}


@pytest.mark.slow
@pytest.mark.git
def test_what_models_cost_in_jobs_is_what_the_integration_reports(fleet: Fleet) -> None:
    if not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    names = ("addition", "product")
    fleet.make_plan(batch(*names))
    billed: dict[str, tuple[Tokens, float]] = {}
    for name in names:
        with MessagesServer(features(*names)) as server:
            clone = fleet.clone(name)
            clone.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
            done = clone(*fleet.arguments(name))
            assert done.code == 0, done
            billed[name] = server.billed, server.billed_usd
    done = fleet.integrate()
    assert done.statuses == dict.fromkeys(names, "merged"), done
    for name, (tokens, usd) in billed.items():
        task = done.tasks[name]
        assert task["tokens"] == {"input": tokens.total - tokens.output, "output": tokens.output}
        assert task["cost_usd"] == pytest.approx(usd, abs=1e-5)
    whole = sum(usd for _, usd in billed.values())
    assert done.json["metrics"]["cost_usd"] == pytest.approx(whole, abs=1e-5)
    assert "Spinney-Cost: " in fleet.home.repo.git("log", "-1", "--format=%B", "spinney/addition")


def test_a_job_whose_budget_is_spent_goes_on_with_a_larger_one(fleet: Fleet) -> None:
    if not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    fleet.make_plan(batch("addition"))
    clone = fleet.clone("addition")
    with MessagesServer(features("addition")) as server:
        clone.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        assert clone(*fleet.arguments("addition"), "--budget", "1ktokens").code == 4
        done = clone(*fleet.arguments("addition"), "--budget", "9mtokens")
        assert done.code == 0, done
        assert "goes on" in done.out
    assert json.loads((fleet.results / "addition/addition.json").read_text())["outcome"] == "done"


def test_second_integration_of_the_same_does_nothing_twice(fleet: Fleet) -> None:
    fleet.make_plan(SMALL)
    fleet.run_all()
    first = fleet.integrate()
    again = fleet.integrate()
    assert (first.code, again.code) == (0, 0), again
    assert len(fleet.home.pulls()) == 2


def test_hostile_result_is_refused_alone_and_its_siblings_land(fleet: Fleet) -> None:
    fleet.make_plan(SMALL)
    fleet.run_all()
    evil = fleet.clone("hostile").repo
    evil.git("checkout", "--quiet", "-b", "spinney/evil")
    evil.write(".github/workflows/ci.yml", "on: push\n")
    marks = "Spinney-Run: r\nSpinney-Task: evil\nSpinney-Phase: command\nSpinney-Attempt: 1\n"
    evil.commit(f"[command] Evil\n\n{marks}")
    evil.git("bundle", "create", "-q", str(fleet.results / "evil" / "evil.bundle"), "main..spinney/evil")
    path = fleet.results / "evil" / "evil.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tip": evil.head}))
    done = fleet.integrate()
    assert done.code == 1, done
    assert done.statuses == {"good": "merged", "evil": "failed"}
    assert "ci.yml: it is a workflow" in done.tasks["evil"]["reason"]
    assert fleet.home.repo.files(done.json["merged"]) == ["README.md", "good.txt", "src/app.py"]


def test_a_job_claims_no_merge_and_says_nothing_of_landing(fleet: Fleet) -> None:
    fleet.make_plan(SMALL)
    clone = fleet.clone("good")
    told = [
        clone(*fleet.arguments("good")).out,
        clone("report").out,
        clone("report", "--github-summary").out,
    ]
    for text in told:
        assert "done" in text
        assert "merged" not in text.replace("to be merged", "")  # what it waited for
        assert "to land it" not in text


def test_job_that_handed_nothing_back_fails_alone(fleet: Fleet) -> None:
    fleet.make_plan(SMALL)
    assert fleet.run_task("good").code == 0
    done = fleet.integrate()
    assert done.tasks["evil"]["reason"] == "its job handed nothing back"
    assert done.statuses == {"good": "merged", "evil": "failed"}


def test_failed_task_hands_back_its_branch_and_the_reason(fleet: Fleet) -> None:
    fleet.make_plan(
        "version: 1\ntasks:\n"
        "  - {id: bad, title: Bad, run: 'echo 1 > a.txt; exit 3'}\n"
        "  - {id: after, title: After, needs: [bad], run: 'true'}\n"
        "  - {id: good, title: Good, run: 'echo 1 > good.txt'}\n"
    )
    fleet.run_all(bad=1, after=1)
    results = {
        name: json.loads((fleet.results / name / f"{name}.json").read_text()) for name in ("bad", "after")
    }
    assert (results["bad"]["outcome"], results["after"]["outcome"]) == ("failed", "skipped")
    assert "exit status 3" in results["bad"]["reason"]
    assert results["after"]["reason"] == "its need bad ended as failed"
    done = fleet.integrate()
    assert done.code == 1
    assert done.statuses == {"bad": "failed", "after": "skipped", "good": "merged"}
    assert "exit status 3" in done.tasks["bad"]["reason"]


def test_gate_runs_on_what_is_brought_together(fleet: Fleet) -> None:
    fleet.make_plan(
        "version: 1\ntasks:\n  - {id: a, title: A, run: 'touch BAD'}\n  - {id: b, title: B, run: 'touch b'}\n"
    )
    fleet.run_all()
    done = fleet.integrate("--gate", "test ! -e BAD")
    assert (done.code, done.statuses) == (1, {"a": "unmerged", "b": "merged"})


def test_stopped_job_hands_back_what_is_committed_and_the_next_goes_on(fleet: Fleet) -> None:
    started, go = fleet.folder / "started", fleet.folder / "go"
    (fleet.home.repo.path / "two-steps.yaml").write_text(
        "version: 1\nname: two-steps\nphases:\n"
        "  - {name: first, agents: [{name: A, run: 'echo 1 >> first.txt'}]}\n"
        f"  - {{name: second, agents: [{{name: B, run: 'touch {started} second.txt; test -e {go} || sleep 60'}}]}}\n"
    )
    slow = "version: 1\ntasks:\n  - {id: slow, title: Slow, workflow: two-steps.yaml}\n"
    fleet.make_plan(slow)
    clone = fleet.clone("slow")
    process = clone.start(*fleet.arguments("slow"))
    until(started.exists, "the second phase")
    process.send_signal(signal.SIGTERM)
    done = clone.end(process)
    assert done.code == 130, done
    clone.gone()
    path = fleet.results / "slow" / "slow.json"
    assert json.loads(path.read_text())["outcome"] == "interrupted"
    refused = clone(
        "resume"
    )  # which would not know where to put what is handed back, nor what it started from
    assert refused.code == 2
    assert "go on with it by the same command as before: spinney run-task" in refused.err
    integrated = fleet.integrate()
    assert integrated.code == 1
    assert integrated.statuses == {"slow": "failed"}
    assert integrated.tasks["slow"]["reason"].endswith("the next run goes on from its branch")
    first = fleet.home.repo.git("rev-parse", "spinney/slow")
    assert fleet.home.repo.files("spinney/slow") == ["README.md", "first.txt", "src/app.py"]

    go.touch()
    fleet.make_plan(slow, "--continue")
    assert fleet.clone("again")(*fleet.arguments("slow")).code == 0
    assert [phase["phase"] for phase in json.loads(path.read_text())["phases"]] == ["second"]
    integrated = fleet.integrate()
    assert integrated.statuses == {"slow": "merged"}, integrated
    assert fleet.home.repo.git("rev-parse", "spinney/slow~1") == first
    assert fleet.home.repo.read("spinney/slow", "first.txt") == "1"


def integrating_until_its_gate(fleet: Fleet) -> tuple[subprocess.Popen[bytes], Path]:
    """An integration whose gate waits for the file that is returned."""
    started, go = fleet.folder / "started", fleet.folder / "go"
    gate = f"gate: 'touch {started}; until test -e {go}; do sleep 0.05; done'\nsandbox_commands: off\n"
    fleet.make_plan(SMALL.replace("version: 1\n", f"version: 1\n{gate}"))
    fleet.run_all()
    process = fleet.home.start("integrate", str(fleet.results), "--plan", fleet.plan)
    until(started.exists, "the gate")
    return process, go


def test_killed_integration_is_gone_on_with_by_the_same_command_alone(fleet: Fleet) -> None:
    process, go = integrating_until_its_gate(fleet)
    process.send_signal(signal.SIGKILL)
    fleet.home.end(process)
    fleet.home.gone()
    go.touch()
    refused = fleet.home("resume")
    assert refused.code == 2
    assert "what they handed back is needed" in refused.err
    done = fleet.integrate()
    assert (done.code, done.statuses) == (0, {"good": "merged", "evil": "merged"}), done
    assert len(fleet.home.runs()) == 1


def test_stopped_integration_says_everywhere_what_goes_on_with_it(fleet: Fleet) -> None:
    process, go = integrating_until_its_gate(fleet)
    stopped = fleet.home("stop")
    assert stopped.out.splitlines()[-1] == "stopped; go on with: the same spinney integrate"
    ended = fleet.home.end(process)
    assert ended.code == 4
    assert ended.out.splitlines()[-1] == "to go on: the same spinney integrate again"
    for arguments in (("status",), ("doctor",), ("run", fleet.home.batch(SMALL))):
        told = fleet.home(*arguments)
        assert "the same spinney integrate" in told.out + told.err, told
        assert "spinney resume" not in told.out + told.err
    go.touch()
    assert fleet.integrate().statuses == {"good": "merged", "evil": "merged"}


def test_nothing_in_the_matrix_is_more_than_text(fleet: Fleet) -> None:
    fleet.make_plan(
        'version: 1\ntasks:\n  - {id: a, title: "${{ secrets.X }}\\n::add-mask::x\\u202e\\u2028", run: "true"}\n'
    )
    [[job]] = fleet.matrix["waves"]
    assert job["title"] == "${{ secrets.X }} ::add-mask::x"


def test_wrong_requests_are_refused_with_what_to_do(fleet: Fleet) -> None:
    fleet.make_plan(BATCH)
    spinney, here = fleet.home, str(fleet.folder)
    for arguments, why in (
        (("plan", "-c", "true", "--github-matrix"), "--github-matrix and --out FILE belong together"),
        (("plan", "-c", "true", "--out", "x.json"), "--github-matrix and --out FILE belong together"),
        (
            ("plan", "-c", "true", "--github-matrix", "--out", "x.json", "--json"),
            "--github-matrix prints a line of its own: leave out --json",
        ),
        (
            ("plan", "-c", "true", "--github-matrix", "--out", "x.json", "--dot", "--commands"),
            "--github-matrix prints a line of its own: leave out --dot, --commands",
        ),
        (fleet.arguments("five"), "the plan has no task 'five'"),
        (("integrate", str(fleet.results), "--plan", fleet.plan), "does not exist"),
        ((*fleet.arguments("one")[:-1], fleet.plan), "plan.json cannot be made: File exists"),
        (fleet.arguments("two"), "two needs one, and what that handed back is not there"),
        (("run-task", "--plan", "nowhere", "--task", "one", "--out", "x"), "nowhere cannot be read"),
        (("run-task", "--plan", here, "--task", "one", "--out", "x"), "is not a plain file"),
        (("integrate", here, "--plan", fleet.plan, "--digest", "0" * 64), "is not the plan that was made"),
        (
            ("integrate", here, "--plan", fleet.plan, "--into", "nowhere"),
            "there is no branch 'nowhere'",
        ),
    ):
        done = spinney(*arguments)
        assert done.code == 2, done
        assert why in done.err
    assert not fleet.results.exists()


def test_gate_without_a_sandbox_is_refused_with_the_reason(fleet: Fleet) -> None:
    fleet.make_plan(SMALL)
    fleet.home.bubblewrap = False
    done = fleet.home("integrate", str(fleet.folder), "--plan", fleet.plan, "--gate", "true")
    assert done.code == 2, done
    assert "the gate executes what jobs handed back, and is shut into a sandbox here" in done.err
    assert "sandbox_commands: off" in done.err
    assert fleet.home.runs() == []


def test_clone_without_the_base_is_told_how_to_get_it(fleet: Fleet, tmp_path: Path) -> None:
    fleet.make_plan(BATCH)
    other = tmp_path / "other" / "repo"
    other.mkdir(parents=True)
    repo = Repo(other)
    repo.git("init", "--quiet")
    repo.write("a", "a")
    repo.git("-c", "user.name=a", "-c", "user.email=a@b", "add", "a")
    repo.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "a")
    for key, value in zip(("user.name", "user.email"), AUTHOR, strict=True):
        repo.git("config", key, value)
    with running(repo) as stranger:
        done = stranger(*fleet.arguments("one"))
    assert done.code == 2
    assert "which this repository does not have" in done.err
    assert "fetch-depth: 0" in done.err
