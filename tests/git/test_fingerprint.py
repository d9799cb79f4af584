"""Fingerprints tell what was written in the checkout and in git's directory, whatever its times say."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.git.fingerprint import take
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
