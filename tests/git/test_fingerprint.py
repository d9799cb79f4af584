"""Fingerprints tell what was written in the checkout and in git's directory, whatever its times say."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.git.fingerprint import take, take_control
from tests.support.repository import Repo

pytestmark = pytest.mark.git


def overwrite_and_hide(path: Path) -> None:
    """The same size, and the times set back."""
    status = path.stat()
    path.write_bytes(b"X" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


WRITES: list[tuple[str, Callable[[Path], object]]] = [
    ("README.md", overwrite_and_hide),
    ("README.md", lambda path: path.unlink()),
    ("README.md", lambda path: path.chmod(0o755)),
    ("src/app.py", lambda path: path.replace(path.with_suffix(".bak")) and path.write_text("x")),
    ("untracked.txt", lambda path: path.write_text("x")),
    (".git/config", overwrite_and_hide),
    (".git/HEAD", lambda path: path.write_text("ref: refs/heads/other\n")),
    (".git/hooks/pre-commit", lambda path: path.parent.mkdir(exist_ok=True) or path.write_text("x")),
    (".git/info/attributes", lambda path: path.parent.mkdir(exist_ok=True) or path.write_text("x")),
    (".git/config.worktree", lambda path: path.write_text("x")),
]


@pytest.mark.parametrize(
    ("name", "write"), WRITES, ids=[f"{index}-{case[0]}" for index, case in enumerate(WRITES)]
)
def test_a_write_is_told_with_its_time(repo: Repo, name: str, write: Callable[[Path], object]) -> None:
    before = take(str(repo.git_dir), str(repo.path))
    began = time.time()
    write(repo.path / name)
    found = before.differences(take(str(repo.git_dir), str(repo.path)))
    assert str(repo.path / name) in found
    at = found[str(repo.path / name)]
    assert at is None or began - 0.1 < at < time.time() + 0.1


def test_reading_is_no_difference(repo: Repo) -> None:
    before = take(str(repo.git_dir), str(repo.path))
    repo.git("status")
    repo.git("log")
    (repo.path / "README.md").read_text()
    assert before.differences(take(str(repo.git_dir), str(repo.path))) == {}


def test_ignored_files_are_nobodys_business(repo: Repo) -> None:
    repo.write(".gitignore", "*.log\n")
    repo.commit()
    before = take(str(repo.git_dir), str(repo.path))
    repo.write("noise.log", "x")
    assert before.differences(take(str(repo.git_dir), str(repo.path))) == {}


def test_names_of_any_kind_are_told(repo: Repo) -> None:
    before = take(str(repo.git_dir), str(repo.path))
    names = ["a b", "new\nline", "ü", os.fsdecode(b"caf\xe9")]
    for name in names:
        (repo.path / name).touch()
    found = before.differences(take(str(repo.git_dir), str(repo.path)))
    assert sorted(found) == sorted(str(repo.path / name) for name in names)


REF_WRITES: list[tuple[str, list[str]]] = [
    ("refs/heads/main", ["update-ref", "refs/heads/main", "HEAD^{}", "HEAD"]),
    ("refs/tags/v1", ["update-ref", "-d", "refs/tags/v1"]),
    ("index", ["rm", "--cached", "--quiet", "README.md"]),
]


@pytest.mark.parametrize(("place", "command"), REF_WRITES, ids=[case[0] for case in REF_WRITES])
def test_a_moved_ref_and_a_staged_change_are_told(repo: Repo, place: str, command: list[str]) -> None:
    if place == "refs/heads/main":
        tree, command[2] = repo.git("write-tree"), ""
        command[2] = repo.git("commit-tree", tree, "-m", "moved")
    repo.git("tag", "v1")
    before = take(str(repo.git_dir), str(repo.path))
    began = time.time()
    repo.git(*command)
    found = before.differences(take(str(repo.git_dir), str(repo.path)))
    at = found[f"{repo.git_dir}/{place}"]
    assert at is not None
    assert began - 0.1 < at < time.time() + 0.1


def test_a_new_branch_takes_nothing_from_anybody(repo: Repo) -> None:
    before = take(str(repo.git_dir), str(repo.path))
    repo.git("update-ref", "refs/heads/other", "HEAD")
    assert before.differences(take(str(repo.git_dir), str(repo.path))) == {}


def test_what_spinney_moves_itself_is_no_difference(repo: Repo) -> None:
    for ref in ("refs/heads/spinney/task", "refs/heads/release"):
        repo.git("update-ref", ref, "HEAD")
    tip = repo.git("commit-tree", repo.git("write-tree"), "-m", "moved")
    before = take(str(repo.git_dir), str(repo.path), ["refs/heads/release"])
    for ref in ("refs/heads/spinney/task", "refs/spinney/salvage/task/1", "refs/heads/release"):
        repo.git("update-ref", ref, tip)
    assert before.differences(take(str(repo.git_dir), str(repo.path), ["refs/heads/release"])) == {}


def test_what_makes_git_run_programs_is_found_without_looking_at_the_checkout(repo: Repo) -> None:
    before = take_control(str(repo.git_dir))
    (repo.path / "README.md").write_text("by the user")
    repo.git("commit", "--quiet", "--all", "--message", "by the user")
    assert before.differences(take_control(str(repo.git_dir))) == {}
    repo.git("config", "core.fsmonitor", "evil")
    (repo.git_dir / "hooks").mkdir(exist_ok=True)
    (repo.git_dir / "hooks/pre-commit").write_text("evil")
    assert before.differences(take_control(str(repo.git_dir))).keys() == {
        f"{repo.git_dir}/config",
        f"{repo.git_dir}/hooks/pre-commit",
    }
