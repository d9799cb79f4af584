"""A repository opened as Spinney opens it, and worktrees beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.composition.forges import GitHub as Parts
from orchestrator.composition.forges import Opened, open_forge
from orchestrator.runs import Place
from shared.git.repository import Repository, open_repository
from shared.git.worktrees import Worktree, Worktrees, ensure_branch
from shared.model import Assignment, Identity, Oid, RepositoryFacts, Settings, Task
from tests.support import build
from tests.support.repository import AUTHOR, Repo
from workflow_manager.workspace import Workspace

if TYPE_CHECKING:
    from tests.support.github.standin import GitHub

IDENTITY = Identity(*AUTHOR)
CODER = build.agent("CODER")


@pytest.fixture
def opened(repo: Repo) -> Repository:
    return open_repository(repo.git_dir)


@pytest.fixture
def worktrees(repo: Repo) -> Worktrees:
    return Worktrees(repo.git_dir, repo.path.with_name("repo.spinney"))


@pytest.fixture
def make(repo: Repo, opened: Repository, worktrees: Worktrees) -> Callable[..., Worktree]:
    """Make a task's worktree at the present commit, as a run does."""

    def made(name: str = "task") -> Worktree:
        ensure_branch(opened, f"spinney/{name}", Oid(repo.head))
        return worktrees.create(name, Oid(repo.head), f"spinney/{name}")

    return made


@pytest.fixture
def workspace(repo: Repo, tmp_path: Path) -> Callable[..., Workspace]:
    """A manager's view of a worktree."""

    def made(worktree: Worktree, task: Task | None = None, base: str = "") -> Workspace:
        task = task or build.task(Path(worktree.path).name)
        assignment: Assignment = build.assignment(
            task,
            facts=RepositoryFacts(
                str(repo.git_dir), str(repo.path), str(Path(worktree.path).parent), str(tmp_path / "run")
            ),
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=Oid(base or repo.head),
            identity=IDENTITY,
            settings=Settings(),
        )
        return Workspace(assignment)

    return made


@pytest.fixture
def opened_github(repo: Repo, github: GitHub) -> Iterator[Opened]:
    """The stand-in as a run opens it, from a repository whose remote it is."""
    repo.git("remote", "add", "origin", github.git_url)
    forge = open_forge(
        Place(repo.git_dir, repo.path), Settings(forge="github"), {"GITHUB_TOKEN": github.token}, issues=True
    )
    yield forge
    forge.close()


@pytest.fixture
def parts(opened_github: Opened) -> Parts:
    assert opened_github.github is not None
    return opened_github.github


def commit_all(work: Workspace, message: str) -> tuple[Oid | None, tuple[str, ...]]:
    """Commit what an agent that may write anywhere has left, as a phase of its own."""
    work.starts("phase", CODER)
    work.ends("phase", CODER)
    return work.commit("phase", message)
