"""Bringing results back: the gate, the target branch, conflicts, pull requests, and a second run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.repository import Repo
from tests.support.running import Done, Spinney, until

pytestmark = pytest.mark.process

CONFLICT = """\
version: 1
gate: "! grep -q BAD *.txt"
tasks:
  - {id: low, title: Low, run: "echo low > limit.txt"}
  - {id: high, title: High, run: "echo high > limit.txt"}
"""
TWO = """\
version: 1
tasks:
  - {id: one, title: One, run: "echo 1 > one.txt"}
  - {id: two, title: Two, run: "echo 2 > two.txt"}
"""


def run(spinney: Spinney, text: str, *arguments: str) -> Done:
    return spinney("run", spinney.batch(text), "--json", *arguments)


# --- the target


def test_a_free_target_is_moved_to_the_merged_result(spinney: Spinney) -> None:
    spinney.repo.git("branch", "release")
    done = run(spinney, TWO, "--into", "release")
    assert done.code == 0, done
    assert spinney.repo.git("rev-parse", "release") == done.json["merged"]
    assert spinney.repo.git("rev-parse", "main") == done.json["base"]
    assert [pull["state"] for pull in spinney.pulls()] == ["merged", "merged"]


def test_a_target_that_is_checked_out_is_left_and_the_command_is_said(spinney: Spinney) -> None:
    done = spinney("run", spinney.batch(TWO), "--into", "main")
    assert done.code == 0, done
    assert spinney.repo.git("rev-parse", "main") == spinney.repo.head
    assert spinney.repo.git("status", "--porcelain") == ""
    assert f"note: main is checked out at {spinney.repo.path}/ and stays where it is" in done.out
    [command] = [
        line.partition(":")[2].strip() for line in done.out.splitlines() if line.startswith("to land it:")
    ]
    spinney.repo.git(*command.split()[1:])
    assert spinney.repo.files("main") == ["README.md", "one.txt", "src/app.py", "two.txt"]


def test_a_target_that_is_checked_out_in_another_worktree_is_left(spinney: Spinney, tmp_path: Path) -> None:
    spinney.repo.git("worktree", "add", "--quiet", "-b", "release", str(tmp_path / "linked"))
    before = spinney.repo.git("rev-parse", "release")
    assert run(spinney, TWO, "--into", "release").code == 0
    assert spinney.repo.git("rev-parse", "release") == before
    assert Repo(tmp_path / "linked").git("status", "--porcelain") == ""


def test_a_target_that_moved_meanwhile_is_taken_in_not_overwritten(spinney: Spinney, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    spinney.repo.git("branch", "release")
    process = spinney.start(
        "run", "--json", "--into", "release", "--title", "mine",
        "-c", f"touch {started}; until test -e {go}; do sleep 0.01; done; echo mine > mine.txt",
    )  # fmt: skip
    until(started.exists, "the task")
    spinney.repo.write("theirs.txt", "theirs")
    theirs = spinney.repo.commit("pushed by somebody else")
    spinney.repo.git("update-ref", "refs/heads/release", theirs)
    go.touch()
    done = spinney.end(process)
    assert done.code == 0, done
    assert spinney.repo.git("rev-parse", "release") == done.json["merged"]
    assert set(spinney.repo.files("release")) >= {"mine.txt", "theirs.txt"}
    spinney.repo.git("merge-base", "--is-ancestor", theirs, "release")


def test_the_target_only_moves_to_what_passed_the_gate(spinney: Spinney, tmp_path: Path) -> None:
    spinney.repo.git("branch", "release")
    judged = tmp_path / "judged"
    text = """\
version: 1
into: release
tasks:
  - {id: good, title: Good, run: "echo good > good.txt"}
  - {id: bad, title: Bad, run: "echo BAD > bad.txt"}
  - {id: better, title: Better, run: "echo better > better.txt"}
"""
    gate = f"git rev-parse HEAD >> {judged}; ! grep -q BAD *.txt"
    done = run(spinney, text, "--gate", gate)
    assert done.statuses == {"good": "merged", "bad": "unmerged", "better": "merged"}
    assert done.tasks["bad"]["reason"].startswith("the gate failed, exit status 1")
    assert "bad.txt" not in spinney.repo.files("release")
    assert spinney.repo.read("spinney/bad", "bad.txt") == "BAD"
    merges = spinney.repo.git("log", "--first-parent", "--format=%H", "main..release").splitlines()
    assert set(merges) <= set(judged.read_text().split()), "exactly these commits were judged"


def test_the_gate_cannot_change_what_lands(both: Spinney) -> None:
    done = run(
        both, TWO, "--gate", "echo x > one.txt; echo y > new.txt; git add -A; git commit -qm gate || true"
    )
    assert done.statuses == {"one": "merged", "two": "merged"}
    assert both.repo.files(done.json["merged"]) == ["README.md", "one.txt", "src/app.py", "two.txt"]
    assert both.repo.read(done.json["merged"], "one.txt") == "1"


# --- conflicts


def test_a_conflict_that_was_resolved_on_its_branch_is_landed_by_merge(
    spinney: Spinney, tmp_path: Path
) -> None:
    done = run(spinney, CONFLICT)
    assert done.code == 1
    assert done.statuses == {"low": "merged", "high": "conflict"}
    assert done.tasks["high"]["reason"] == "conflicts with low in limit.txt"
    assert spinney.repo.read("spinney/high", "limit.txt") == "high"
    [pull] = [pull for pull in spinney.pulls() if pull["head"] == "spinney/high"]
    assert pull["labels"] == ["conflict"]

    there = tmp_path / "resolving"
    spinney.repo.git("worktree", "add", "--quiet", str(there), "spinney/high")
    batch = done.json["merged_ref"].removeprefix("refs/heads/")
    Repo(there).git("merge", "--quiet", "--strategy-option=ours", batch)
    merged = spinney("merge", "--json")
    assert merged.code == 0, merged
    assert merged.statuses == {"low": "merged", "high": "merged"}
    assert spinney.repo.read(merged.json["merged"], "limit.txt") == "high"
    [pull] = [pull for pull in spinney.pulls() if pull["head"] == "spinney/high"]
    assert pull["labels"] == []


def test_merge_without_a_resolution_leaves_the_conflict(spinney: Spinney) -> None:
    run(spinney, CONFLICT)
    again = spinney("merge", "--json")
    assert again.code == 1
    assert again.statuses == {"low": "merged", "high": "conflict"}
    assert len(spinney.pulls()) == 2


def test_a_resolution_that_fails_the_gate_is_not_landed(spinney: Spinney, tmp_path: Path) -> None:
    done = run(spinney, CONFLICT)
    there = Repo(tmp_path / "resolving")
    spinney.repo.git("worktree", "add", "--quiet", str(there.path), "spinney/high")
    there.git(
        "merge", "--quiet", "--strategy-option=ours", done.json["merged_ref"].removeprefix("refs/heads/")
    )
    there.write("limit.txt", "BAD\n")
    there.commit("worse")
    again = spinney("merge", "--json")
    assert again.statuses == {"low": "merged", "high": "unmerged"}
    assert spinney.repo.read(again.json["merged"], "limit.txt") == "low"


# --- pull requests


def test_a_pull_request_is_not_merged_into_a_branch_that_is_checked_out(spinney: Spinney) -> None:
    run(spinney, TWO)
    refused = spinney("pr", "merge", "1")
    assert refused.code == 1
    assert f"main is checked out at {spinney.repo.path}/ and is not moved under your feet" in refused.err
    assert "→ there: git merge " in refused.err
    assert spinney.repo.git("rev-parse", "main") == spinney.repo.head


def test_a_pull_request_is_merged_into_a_free_branch_through_the_gate(spinney: Spinney) -> None:
    run(spinney, TWO, "--gate", "! test -e two.txt")
    assert {pull["head"]: pull["state"] for pull in spinney.pulls()} == {
        "spinney/one": "open",
        "spinney/two": "open",
    }
    numbers = {pull["head"]: str(pull["number"]) for pull in spinney.pulls()}
    spinney.repo.git("switch", "--quiet", "--detach")
    merged = spinney("pr", "merge", numbers["spinney/one"])
    assert merged.code == 0, merged
    assert "one.txt" in spinney.repo.files("main")
    refused = spinney("pr", "merge", numbers["spinney/two"])
    assert refused.code == 1
    assert "the gate failed" in refused.err
    assert "two.txt" not in spinney.repo.files("main")
    again = spinney("pr", "merge", numbers["spinney/one"])
    assert (again.code, "is merged already" in again.err) == (2, True)


@pytest.mark.parametrize(("policy", "count"), [("per-task", 2), ("stacked", 2), ("batch", 1), ("none", 0)])
def test_as_many_pull_requests_are_opened_as_was_asked(spinney: Spinney, policy: str, count: int) -> None:
    text = TWO.replace("title: Two", "title: Two, needs: [one]")
    done = run(spinney, text, "--pull-requests", policy)
    assert done.code == 0, done
    pulls = spinney.pulls()
    assert len(pulls) == count
    if policy == "stacked":
        assert {pull["head"]: pull["base"] for pull in pulls} == {
            "spinney/one": "main",
            "spinney/two": "spinney/one",
        }


# --- again


def test_the_same_batch_again_updates_its_pull_requests(spinney: Spinney) -> None:
    first = run(spinney, TWO)
    second = run(spinney, TWO.replace("echo 2", "echo two"))
    assert second.statuses == {"one": "merged", "two": "merged"}, second
    assert second.json["run"] != first.json["run"]
    assert len(spinney.pulls()) == 2
    [two] = [pull for pull in spinney.pulls() if pull["head"] == "spinney/two"]
    assert spinney.repo.read(two["tip"], "two.txt") == "two"


def test_without_its_state_folder_the_same_batch_again_makes_no_duplicates(spinney: Spinney) -> None:
    first = run(spinney, CONFLICT)
    shutil.rmtree(spinney.repo.git_dir / "spinney")
    refused = run(spinney, CONFLICT)
    assert refused.code == 2, "the conflicting branch holds work that is nowhere else"
    assert "spinney/high holds unmerged commits of an earlier run" in refused.err
    assert "--continue starts from them, --fresh archives them first" in refused.err
    again = run(spinney, CONFLICT, "--fresh")
    assert again.statuses == {"low": "merged", "high": "conflict"}
    heads = [pull["head"] for pull in spinney.pulls()]
    assert sorted(heads) == ["spinney/high", "spinney/low"]
    archived = spinney.repo.refs("refs/spinney/archive")
    assert list(archived) == ["refs/spinney/archive/high/1"]
    assert list(archived.values()) == [first.tasks["high"]["commits"][0]["oid"]]


def test_continue_starts_from_what_is_there(spinney: Spinney) -> None:
    run(spinney, CONFLICT)
    again = run(
        spinney,
        "version: 1\ntasks:\n  - {id: high, title: High, run: 'echo more > more.txt'}\n",
        "--continue",
    )
    assert again.statuses == {"high": "merged"}, again
    assert spinney.repo.read(again.json["merged"], "limit.txt") == "high"
    assert spinney.repo.read(again.json["merged"], "more.txt") == "more"


def test_a_branch_that_spinney_did_not_make_is_never_taken(spinney: Spinney) -> None:
    spinney.repo.git("switch", "--quiet", "--create", "spinney/one")
    spinney.repo.write("mine.txt", "mine")
    mine = spinney.repo.commit("my own")
    spinney.repo.git("switch", "--quiet", "main")
    for arguments in ([], ["--fresh"], ["--continue"]):
        done = run(spinney, TWO, *arguments)
        assert done.code == 2
        assert (
            "spinney/one exists and was not made by Spinney: rename it, or give the task another id"
            in done.err
        )
    assert spinney.repo.git("rev-parse", "spinney/one") == mine


def test_a_closed_pull_request_is_never_reopened(spinney: Spinney) -> None:
    run(spinney, TWO)
    assert spinney("pr", "close", "1").code == 0
    run(spinney, TWO)
    states = {pull["number"]: pull["state"] for pull in spinney.pulls()}
    assert states[1] == "closed"


def test_a_run_from_a_linked_worktree_starts_from_its_commit(spinney: Spinney, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    spinney.repo.git("worktree", "add", "--quiet", "-b", "feature", str(linked))
    Repo(linked).write("feature.txt", "x")
    feature = Repo(linked).commit("on the feature")
    done = spinney("run", "--json", "-c", "cat feature.txt > seen.txt", "--title", "From here", cwd=linked)
    assert done.code == 0, done
    assert done.json["base"] == feature
