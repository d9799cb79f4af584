"""What only looks writes nothing; what runs leaves the user's checkout, index, stash and branches alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.repository import Repo
from tests.support.running import Spinney, snapshot

pytestmark = pytest.mark.process

BATCH = """\
version: 1
gate: "true"
tasks:
  - {id: one, title: One, touches: [src/**], run: "echo 1 > one.txt"}
  - {id: two, title: Two, touches: [src/**], run: "echo 2 > README.md"}
"""


def everything_below(repo: Repo) -> dict[str, object]:
    return dict(snapshot(repo.path.parent))


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "{batch}"],
        ["plan", "{batch}", "--json"],
        ["plan", "{batch}", "--dot"],
        ["run", "{batch}", "--dry-run"],
        ["run", "{batch}", "--dry-run", "--json"],
        ["run", "-c", "touch x", "--dry-run", "-j3", "--into", "main"],
        ["plan", "{batch}", "--gate", "false", "--pull-requests", "batch"],
        ["run", "missing.yaml"],
        ["run", "{batch}", "--base", "no-such-branch"],
        ["status"],
        ["resume"],
        ["stop"],
        ["pr", "list"],
        ["schema", "batch"],
        ["--help"],
        ["run", "--help"],
    ],
    ids=" ".join,
)
def test_commands_that_only_look_write_nothing_at_all(
    spinney: Spinney, home: Path, arguments: list[str]
) -> None:
    batch = spinney.batch(BATCH)
    spinney.repo.write(
        "README.md", "changed\n"
    )  # so that the index is stale and git would like to refresh it
    spinney.repo.write("src/app.py", "def answer():\n    return 42\n")
    os.utime(spinney.repo.path / "src/app.py", (1_000_000, 1_000_000))
    before = everything_below(spinney.repo)
    done = spinney(*(argument.format(batch=batch) for argument in arguments))
    assert done.code in (0, 2), done
    assert everything_below(spinney.repo) == before
    assert list(home.iterdir()) == []


def the_users(repo: Repo) -> dict[str, object]:
    """The checkout and git's own records of it, byte for byte, without what Spinney owns."""
    ours = ("spinney", "worktrees", "objects")
    shots = {}
    for path, shot in snapshot(repo.path).items():
        inside = Path(path).relative_to(repo.path).as_posix()
        if inside.startswith(tuple(f".git/{name}" for name in ours)):
            continue
        if inside.startswith(
            (".git/refs/heads/spinney", ".git/logs/refs/heads/spinney", ".git/refs/spinney")
        ):
            continue
        if inside.startswith(".git") and Path(path).is_dir():
            continue  # folders in which something of ours was made
        shots[inside] = shot
    return shots


def test_a_run_with_a_dirty_tree_leaves_the_users_files_byte_for_byte(both: Spinney) -> None:
    repo = both.repo
    repo.write("stashed.txt", "for later\n")
    repo.git("stash", "push", "--include-untracked", "--quiet")
    repo.git("branch", "feature")
    repo.write("staged.txt", "staged\n")
    repo.git("add", "staged.txt")
    repo.write("README.md", "changed but not staged\n")
    repo.write("untracked.txt", "untracked\n")
    (repo.path / "src/app.py").unlink()
    before, branches = the_users(repo), repo.refs("refs/heads")
    stash = repo.git("stash", "list", "--format=%H")
    done = both("run", both.batch(BATCH), "--json")
    assert done.statuses == {"one": "merged", "two": "merged"}, done
    assert the_users(repo) == before
    after = {name: oid for name, oid in repo.refs("refs/heads").items() if "/spinney/" not in name}
    assert after == branches
    assert repo.git("stash", "list", "--format=%H") == stash
    notes = [event["text"] for event in both.events() if event["event"] == "note"]
    assert notes == [
        "uncommitted changes are not part of the run and stay as they are: README.md, src/app.py, staged.txt"
    ]
    merged = done.json["merged"]
    assert repo.read(merged, "README.md") == "2"
    assert repo.files(merged) == ["README.md", "one.txt", "src/app.py"]


def test_untracked_files_and_changes_are_not_seen_by_tasks(spinney: Spinney) -> None:
    spinney.repo.write("untracked.txt", "mine\n")
    spinney.repo.write("README.md", "changed\n")
    done = spinney(
        "run", "--json", "-c", "test ! -e untracked.txt && head -1 README.md > seen.txt", "--title", "Look"
    )
    assert list(done.statuses.values()) == ["merged"], done
    assert spinney.repo.read(done.json["merged"], "seen.txt") == "# A repository for tests"
