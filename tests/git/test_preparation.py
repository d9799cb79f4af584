"""Worktrees for the tasks of a run: made, handed on, and removed as soon as nobody will need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.preparation import Preparation, settle_branches
from shared.git.repository import open_repository
from shared.model import Identity, Oid, RepositoryFacts
from tests.support.build import RUN, task
from tests.support.repository import Repo

pytestmark = pytest.mark.git
WHO = Identity("Ada Lovelace", "ada@example.com")


def preparation(repo: Repo, *names: str) -> Preparation:
    folder = str(repo.path.with_name("repo.spinney"))
    facts = RepositoryFacts(str(repo.git_dir), str(repo.path), folder, str(repo.git_dir / "spinney"))
    (repo.git_dir / "spinney").mkdir(exist_ok=True)
    return Preparation(facts, RUN, Oid(repo.head), WHO, frozenset(names))


def test_finished_worktree_goes_to_a_task_that_has_had_none(repo: Repo) -> None:
    made = preparation(repo, "a", "b")
    first = made.prepare(task("a"), (), None).worktree
    number = Path(first.path).stat().st_ino
    made.give_back(first)
    second = made.prepare(task("b"), (), None).worktree
    assert (Path(second.path).stat().st_ino, Path(first.path).exists()) == (number, False)
    made.close(frozenset())
    assert not Path(made.worktrees.at("b").path).parent.exists()


def test_finished_worktree_that_nobody_needs_is_removed_before_the_end_of_the_run(repo: Repo) -> None:
    made = preparation(repo, "a", "b", "c")
    worktrees = [made.prepare(task(name), (), None).worktree for name in "abc"]
    made.give_back(worktrees[0])
    made.give_back(worktrees[1])
    made.close(frozenset("abc"))  # keeps what is there, and waits for what is being removed
    assert [Path(worktree.path).exists() for worktree in worktrees] == [False, False, True]
    assert made.worktrees.names() == ["c"]
    assert sorted(path.name for path in Path(worktrees[2].path).parent.iterdir()) == ["c"]


def test_round_of_fixes_goes_on_from_a_branch_that_a_batch_has_merged(repo: Repo) -> None:
    repo.git("branch", "spinney/a")
    repo.git("branch", "spinney/batch/earlier")
    settle_branches(
        open_repository(repo.git_dir),
        (task("a", answers=("check:1",)),),
        Oid(repo.head),
        fresh=False,
        go_on=True,
    )
    assert "refs/heads/spinney/a" in repo.refs()
