"""Secrets in what agents left: refused before the commit, kept in the worktree, never in a message."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.git.worktrees import Worktree
from shared.model import Allowance, Assignment, Identity, Oid, RepositoryFacts
from shared.secrets import digests
from tests.support import build
from tests.support.repository import AUTHOR, Repo
from workflow_manager.workspace import Refusal, Workspace

KEY = "sk-ant-api03-" + "Zq8vT1xR5kW2mN9pLs4d" * 4
TOKEN = "ghp_" + "Zq8vT1xR5kW2mN9pLs4dYb6Jc0uFgEaQoXiT"
CODER, APART = build.agent("CODER"), build.agent("APART", isolation="scratch")
Open = Callable[..., tuple[Workspace, Path]]


@pytest.fixture
def opened_for(repo: Repo, make: Callable[..., Worktree], tmp_path: Path) -> Open:
    """A manager that knows digests of the run's key."""

    def made(*allow: Allowance) -> tuple[Workspace, Path]:
        worktree = make()
        folder = Path(worktree.path)
        assignment: Assignment = build.assignment(
            build.task(folder.name, allow=allow),
            facts=RepositoryFacts(str(repo.git_dir), str(repo.path), str(folder.parent), str(tmp_path)),
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=Oid(repo.head),
            identity=Identity(*AUTHOR),
            secrets=digests([KEY]),
        )
        return Workspace(assignment), folder

    return made


def refused(work: Workspace) -> str:
    """What is said instead of a commit, of what lies there when CODER has ended."""
    work.starts("phase", CODER)
    work.ends("phase", CODER)
    with pytest.raises(Refusal) as refusal:
        work.commit("phase", "message\n")
    return refusal.value.message


def test_key_of_the_run_is_not_committed_in_any_usual_form(opened_for: Open) -> None:
    work, folder = opened_for("secrets")
    (folder / "plain.txt").write_text(f"\n{KEY}\n")
    (folder / "image.bin").write_bytes(b"\0\1\2" + KEY.encode())
    (folder / "encoded.txt").write_bytes(
        subprocess.run(["base64"], input=KEY.encode(), capture_output=True).stdout
    )
    (folder / "link").symlink_to(KEY)
    told = refused(work)
    assert told == (
        "encoded.txt: it holds a secret of this run; image.bin:1: it holds a secret of this run; "
        "link:1: it holds a secret of this run; plain.txt:2: it holds a secret of this run"
    )
    assert (folder / "plain.txt").exists()


def test_what_looks_like_a_secret_is_committed_only_where_the_task_allows_it(
    repo: Repo, opened_for: Open
) -> None:
    work, folder = opened_for()
    (folder / "src/app.py").write_text(f"# first\nTOKEN = {TOKEN!r}\n")
    told = refused(work)
    assert told == "src/app.py:2: it looks like a GitHub token; `allow: [secrets]` permits it"


def test_allowed_one_is_committed(repo: Repo, opened_for: Open) -> None:
    work, folder = opened_for("secrets")
    (folder / "src/app.py").write_text(f"TOKEN = {TOKEN!r}\n")
    work.starts("phase", CODER)
    work.ends("phase", CODER)
    oid, paths = work.commit("phase", "message\n")
    assert paths == ("src/app.py",)
    assert repo.read(str(oid), "src/app.py") == f"TOKEN = {TOKEN!r}"


def test_scratch_worktree_is_held_to_the_same(opened_for: Open) -> None:
    work, _ = opened_for()
    scratch = work.scratch("phase", APART)
    Path(scratch.worktree.path, "new.py").write_text(f"KEY = {KEY!r}\n")
    with pytest.raises(Refusal) as refusal:
        work.fold(scratch)
    assert refusal.value.message == "new.py:1: it holds a secret of this run"


def test_removing_a_file_that_held_one_is_no_leak(repo: Repo, opened_for: Open) -> None:
    repo.write("old.py", f"TOKEN = {TOKEN!r}\n")
    repo.commit("somebody's mistake")
    work, folder = opened_for()
    (folder / "old.py").unlink()
    (folder / "src/app.py").write_text("clean\n")
    work.starts("phase", CODER)
    work.ends("phase", CODER)
    assert work.commit("phase", "message\n")[1] == ("old.py", "src/app.py")
