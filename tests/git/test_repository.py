"""A repository: found, moved by compare-and-swap, and refused where a run could go wrong."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import GitError, UserError
from shared.git.repository import (
    Repository,
    checked_out_at,
    create_ref,
    discover,
    free_dead_locks,
    head_commit,
    is_ancestor,
    move_ref,
    open_repository,
    read_ref,
    refs_below,
    refuse_unfit,
    resolve_commit,
    user_identity,
)
from shared.model import Identity, Oid
from tests.support.repository import Repo, git_environment

pytestmark = pytest.mark.git

REF = "refs/heads/spinney/task"


# --- found


def test_it_is_found_from_any_folder_in_it(repo: Repo) -> None:
    assert discover(repo.path) == (repo.git_dir, repo.path)
    assert discover(repo.path / "src") == (repo.git_dir, repo.path)


def test_a_linked_worktree_leads_to_the_main_checkout(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    assert discover(tmp_path / "linked" / "src") == (repo.git_dir, repo.path)


def test_links_on_the_way_are_resolved(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo.path)
    assert discover(tmp_path / "link") == (repo.git_dir, repo.path)


def test_a_git_directory_elsewhere_is_found(repo: Repo, tmp_path: Path) -> None:
    repo.git("init", "--quiet", f"--separate-git-dir={tmp_path / 'elsewhere.git'}")
    assert discover(repo.path / "src") == ((tmp_path / "elsewhere.git").resolve(), repo.path)


def test_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not in a git repository"):
        discover(tmp_path)


def test_a_bare_repository_is_an_error(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(tmp_path / "bare"))
    with pytest.raises(UserError, match="the repository is bare"):
        discover(tmp_path / "bare")


def test_sha_256_is_an_error(tmp_path: Path) -> None:
    subprocess.run(
        ["git", "init", "-q", "--object-format=sha256", str(tmp_path / "new")],
        check=True,
        env=git_environment(),
    )
    with pytest.raises(UserError, match="SHA-256"):
        discover(tmp_path / "new")


# --- read


def test_revisions_name_commits(repo: Repo, opened: Repository) -> None:
    repo.git("tag", "--annotate", "-m", "x", "v1")
    for revision in ("HEAD", "main", "v1", repo.head[:8], "refs/heads/main"):
        assert resolve_commit(opened, revision) == repo.head
    for revision in ("nowhere", "HEAD:README.md", "HEAD^{tree}", "HEAD~5", "", "--help"):
        with pytest.raises(UserError, match="is not a commit of this repository"):
            resolve_commit(opened, revision)


def test_refs_are_read_and_listed_in_order(repo: Repo, opened: Repository) -> None:
    head = repo.head
    for name in ("refs/x/b", "refs/x/a/c", "refs/xy"):
        repo.git("update-ref", name, head)
    assert list(refs_below(opened, "refs/x/")) == [("refs/x/a/c", head), ("refs/x/b", head)]
    assert read_ref(opened, "refs/x/b") == head
    assert read_ref(opened, "refs/x/none") is None
    repo.git("pack-refs", "--all")
    assert read_ref(opened, "refs/x/b") == head


def test_an_unborn_head_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = Repo(tmp_path / "new")
    new.git("init", "--quiet")
    with pytest.raises(UserError, match="the repository has no commit yet"):
        head_commit(open_repository(new.git_dir))


def test_ancestors(repo: Repo, opened: Repository) -> None:
    first = Oid(repo.head)
    second = Oid(repo.commit())
    assert is_ancestor(opened, first, second)
    assert is_ancestor(opened, first, first)
    assert not is_ancestor(opened, second, first)


def test_where_a_branch_is_checked_out(repo: Repo, opened: Repository, tmp_path: Path) -> None:
    repo.git("branch", "free")
    repo.git("worktree", "add", "--quiet", "-b", "busy", str(tmp_path / "linked"))
    assert checked_out_at(opened, "main") == f"{repo.path}/"
    assert checked_out_at(opened, "busy") == str(tmp_path / "linked")
    assert checked_out_at(opened, "free") is None
    (repo.git_dir / "worktrees" / "half").mkdir()  # as a killed `git worktree add` leaves it
    assert checked_out_at(opened, "free") is None


def test_who_the_user_is(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_identity(repo.path) == Identity("Ada Lovelace", "ada@example.com")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace")
    assert user_identity(repo.path) == Identity("Grace", "ada@example.com")
    repo.git("config", "--unset", "user.email")
    with pytest.raises(UserError, match="git does not know who you are"):
        user_identity(repo.path)


# --- moved


def test_a_ref_is_made_moved_and_deleted(repo: Repo, opened: Repository) -> None:
    first = Oid(repo.head)
    second = Oid(repo.commit())
    move_ref(opened, REF, first, old=None, why="made")
    move_ref(opened, REF, second, old=first, why="moved")
    assert repo.git("rev-parse", REF) == second
    move_ref(opened, REF, None, old=second, why="deleted")
    assert read_ref(opened, REF) is None
    assert create_ref(opened, REF, first)
    assert not create_ref(opened, REF, second)


def test_a_ref_that_is_elsewhere_is_not_moved(repo: Repo, opened: Repository) -> None:
    first = Oid(repo.head)
    second, third = Oid(repo.commit()), Oid(repo.commit())
    repo.git("update-ref", REF, second)
    for new, old in ((third, first), (third, None), (None, first)):
        with pytest.raises(GitError, match=r"was (moved|made) by somebody else"):
            move_ref(opened, REF, new, old=old, why="test")
    with pytest.raises(GitError, match="was moved by somebody else"):
        move_ref(opened, "refs/heads/none", third, old=first, why="test")
    assert repo.git("rev-parse", REF) == second


def test_packed_refs_are_moved_too(repo: Repo, opened: Repository) -> None:
    first = Oid(repo.head)
    repo.git("update-ref", REF, first)
    repo.git("pack-refs", "--all")
    second = Oid(repo.commit())
    move_ref(opened, REF, second, old=first, why="moved")
    assert repo.git("rev-parse", REF) == second


def test_of_many_who_move_a_ref_at_once_one_wins(repo: Repo) -> None:
    start = Oid(repo.head)
    repo.git("update-ref", REF, start)
    goals = [Oid(repo.git("commit-tree", "-m", str(number), "HEAD^{tree}")) for number in range(8)]
    together = threading.Barrier(8)

    def attempt(goal: Oid) -> bool:
        mine = open_repository(repo.git_dir)
        together.wait()
        try:
            move_ref(mine, REF, goal, old=start, why="race")
        except GitError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, goals))
    assert won.count(True) == 1
    assert repo.git("rev-parse", REF) == goals[won.index(True)]


def test_a_lock_that_is_let_go_is_waited_for(repo: Repo, opened: Repository) -> None:
    lock = repo.git_dir / f"{REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    threading.Timer(0.1, lock.unlink).start()
    move_ref(opened, REF, Oid(repo.head), old=None, why="test")
    assert repo.git("rev-parse", REF) == repo.head
    other = repo.git_dir / "refs/spinney/x.lock"
    other.parent.mkdir(parents=True, exist_ok=True)
    other.touch()
    threading.Timer(0.1, other.unlink).start()
    assert create_ref(opened, "refs/spinney/x", Oid(repo.head))


@pytest.mark.parametrize("place", ["", "worktrees/linked"])
def test_a_ref_that_is_there_is_never_made_again(repo: Repo, tmp_path: Path, place: str) -> None:
    """Opened at a worktree's git directory, libgit2 overwrites it even when it is told not to."""
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    at = open_repository(repo.git_dir / place)
    first = Oid(repo.head)
    second = Oid(repo.commit())
    assert create_ref(at, "refs/spinney/x", first)
    assert not create_ref(at, "refs/spinney/x", second)
    with pytest.raises(GitError, match="was made by somebody else"):
        move_ref(at, "refs/spinney/x", second, old=None, why="test")
    assert repo.git("rev-parse", "refs/spinney/x") == first


# --- locks of the dead


def lock(repo: Repo, ref: str, age: float, text: str = "") -> Path:
    path = repo.git_dir / f"{ref}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_locks_that_the_dead_left_on_our_refs_are_removed(repo: Repo, opened: Repository) -> None:
    ours = [lock(repo, ref, 5) for ref in (REF, "refs/heads/spinney/batch/run", "refs/spinney/pulls/1/head")]
    assert sorted(free_dead_locks(opened)) == sorted(str(path) for path in ours)
    assert not any(path.exists() for path in ours)


def test_a_lock_that_is_young_is_watched_before_it_is_removed(repo: Repo, opened: Repository) -> None:
    living = lock(repo, REF, 0)
    threading.Timer(0.1, living.unlink).start()
    began = time.monotonic()
    assert free_dead_locks(opened, age=0.3) == []
    assert 0.2 < time.monotonic() - began < 1


def test_locks_of_the_users_are_left_alone(repo: Repo, opened: Repository) -> None:
    theirs = [lock(repo, ref, 500) for ref in ("refs/heads/main", "HEAD", "index", "packed-refs", "config")]
    made_by_the_user = lock(repo, "refs/heads/release", 500, f"{repo.head}\n")
    assert free_dead_locks(opened, "release") == []
    assert all(path.exists() for path in [*theirs, made_by_the_user])


@pytest.mark.parametrize("written", [True, False])
def test_the_lock_of_the_target_is_removed_where_it_is_ours(
    repo: Repo, opened: Repository, written: bool
) -> None:
    commit = repo.git("commit-tree", "-m", "Merge\n\nSpinney-Run: x\n", "HEAD^{tree}")
    left = lock(repo, "refs/heads/release", 5, f"{commit}\n" if written else "")
    assert free_dead_locks(opened, "release") == [str(left)]


# --- refused or noted


def unfit(repo: Repo) -> list[str]:
    return refuse_unfit(open_repository(repo.git_dir), Oid(repo.head))


def test_a_usual_repository_is_fit(repo: Repo) -> None:
    repo.write(".gitattributes", "*.py text diff=python\n# *.png filter=lfs\n*.sh eol=lf\n")
    repo.commit()
    assert unfit(repo) == []


@pytest.mark.parametrize(
    "name", ["rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG"]
)
def test_the_middle_of_something_is_refused(repo: Repo, name: str) -> None:
    (repo.git_dir / name).touch()
    with pytest.raises(UserError, match="the checkout is in the middle of") as caught:
        unfit(repo)
    assert caught.value.hints[0].startswith("finish it first: git ")


@pytest.mark.parametrize("attribute", ["filter=lfs", "filter=crypt", "working-tree-encoding=UTF-16"])
@pytest.mark.parametrize("folder", ["", "deep/er/"])
def test_attributes_that_translate_files_are_refused(repo: Repo, folder: str, attribute: str) -> None:
    repo.write(f"{folder}.gitattributes", f"*.txt text\n*.bin -text {attribute}\n")
    repo.commit()
    with pytest.raises(UserError) as caught:
        unfit(repo)
    assert caught.value.message.startswith(
        f"{folder}.gitattributes:2: the attribute {attribute!r} needs a program"
    )


def test_a_sparse_checkout_is_refused(repo: Repo) -> None:
    repo.git("config", "core.sparseCheckout", "true")
    with pytest.raises(UserError, match="sparse checkouts are not supported"):
        unfit(repo)


def test_a_tracked_tasks_folder_is_refused(repo: Repo) -> None:
    repo.write(".tasks/x", "x")
    repo.commit()
    with pytest.raises(UserError, match=r"the repository tracks \.tasks/"):
        unfit(repo)


def test_submodules_and_shallow_history_are_noted(repo: Repo) -> None:
    repo.write(".gitmodules", "")
    repo.commit()
    (repo.git_dir / "shallow").write_text(f"{repo.head}\n")
    assert unfit(repo) == [
        "the repository is shallow: merges across its boundary are refused when they come up",
        "submodules stay empty in the worktrees; a `setup:` command can fill them",
    ]
