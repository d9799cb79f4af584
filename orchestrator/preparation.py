"""Bases, branches and worktrees for tasks, and the pool of finished worktrees that are used again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.errors import GitError, UserError
from shared.git import commits
from shared.git.merges import Clean, Merger
from shared.git.program import Git
from shared.git.repository import (
    Repository,
    create_ref,
    is_ancestor,
    move_ref,
    open_repository,
    read_ref,
    refs_below,
)
from shared.git.worktrees import Worktree, Worktrees, ensure_branch
from shared.model import Identity, Oid, RepositoryFacts, RunId, Task, TaskId


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task's worktree; ``resumed`` where an earlier attempt may have left something in it."""

    task: TaskId
    worktree: Worktree
    base: Oid
    resumed: bool


class Preparation:
    """Used from several threads: bases are made one at a time, checkouts in parallel."""

    def __init__(
        self, facts: RepositoryFacts, run: RunId, base: Oid, identity: Identity, names: frozenset[str]
    ) -> None:
        self._run, self._base, self._identity = run, base, identity
        self._names = names  # of the run's tasks
        self.worktrees = Worktrees(Path(facts.git_dir), Path(facts.worktrees))
        self._lock = threading.Lock()
        self._repo = open_repository(facts.git_dir)
        self._merger = Merger(facts.git_dir)
        self._pool: list[Worktree] = []
        self._without = len(names)  # tasks that may still come for their first worktree
        self._remover = ThreadPoolExecutor(1, thread_name_prefix="remove")

    def prepare(self, task: Task, needs: tuple[Oid, ...], base: Oid | None) -> Prepared:
        """A worktree for ``task``. ``base`` is what an earlier attempt recorded; None the first time.

        Raises GitError where its needs cannot be brought together or git refuses.
        """
        with self._lock:
            tip = read_ref(self._repo, f"refs/heads/{task.branch}")
            if base is not None and tip is not None:
                existing = self.worktrees.at(task.id)
                if existing.exists:
                    return Prepared(task.id, existing, base, resumed=True)
            else:
                base = tip if tip is not None else self._base_for(needs)
                ensure_branch(self._repo, task.branch, base)
                tip = base
            spare = self._pool.pop() if self._pool else None
            self._without -= 1
        if spare is not None:
            made = self.worktrees.reuse(spare, task.id, tip, task.branch)
        else:
            made = self.worktrees.create(task.id, tip, task.branch)
        return Prepared(task.id, made, base, resumed=False)

    def _base_for(self, tips: tuple[Oid, ...]) -> Oid:
        return base_of_needs(self._repo, self._merger, self._base, tips, self._run, self._identity)

    def give_back(self, worktree: Worktree) -> None:
        """A finished worktree: for the next task, or removed meanwhile where all have or had theirs."""
        with self._lock:
            wanted = len(self._pool) < self._without
            if wanted:
                self._pool.append(worktree)
        if not wanted:
            self._remover.submit(self._remove, worktree)  # what goes wrong is tried again by `close`

    def _remove(self, worktree: Worktree) -> None:
        self.worktrees.remove(worktree)
        self.worktrees.sweep()

    def close(self, keep: frozenset[str]) -> None:
        """Remove this run's worktrees but those in ``keep``, scratch ones included, and delete what was removed."""
        self._merger.close()
        self._remover.shutdown()
        ours = {task for task in self._names if task not in keep}
        for name in self.worktrees.names():
            if name in ours or "@" in name:
                self.worktrees.remove(self.worktrees.at(name))
        for ref, tip in list(refs_below(self._repo, f"refs/spinney/scratch/{self._run}/")):
            move_ref(self._repo, ref, None, old=tip, why="spinney: scratch")
        self.worktrees.empty_trash()


def base_of_needs(
    repo: Repository, merger: Merger, base: Oid, tips: tuple[Oid, ...], run: RunId, identity: Identity
) -> Oid:
    """A commit that contains all ``tips``, ``base`` where there are none. Raises GitError where they conflict."""
    kept = [
        tip
        for tip in dict.fromkeys(tips)
        if not any(other != tip and is_ancestor(repo, tip, other) for other in tips)
    ]
    base = kept[0] if kept else base
    for tip in kept[1:]:
        merge = merger.merge(base, tip)
        if not isinstance(merge, Clean):
            raise GitError(f"its needs conflict with each other in {', '.join(merge.paths)}")
        message = f"Base for several needs\n\n{commits.RUN}: {run}\n"
        base = commits.write_commit(repo, merge.tree, [base, tip], message, identity)
    return base


def archive_branch(repo: Repository, branch: str) -> str:
    """Keep a branch's tip under ``refs/spinney/archive`` and free its name; returns where it is kept."""
    name = f"refs/heads/{branch}"
    tip = read_ref(repo, name)
    assert tip is not None
    number = 1
    while not create_ref(repo, f"refs/spinney/archive/{branch.removeprefix('spinney/')}/{number}", tip):
        number += 1
    move_ref(repo, name, None, old=tip, why="spinney: archived")
    return f"refs/spinney/archive/{branch.removeprefix('spinney/')}/{number}"


def settle_branches(
    repo: Repository, tasks: tuple[Task, ...], base: Oid, *, fresh: bool, go_on: bool
) -> list[str]:
    """Decide about branches that are there already, before anything starts; returns notes.

    A merged one is free. One with commits that are nowhere else is refused, unless ``fresh`` (archive it)
    or ``go_on`` (start from it) says what to do. Raises UserError naming each.
    """
    refused: list[str] = []
    free: list[str] = []
    for task in tasks:
        tip = read_ref(repo, f"refs/heads/{task.branch}")
        if (
            tip is None or task.answers
        ):  # a round of fixes goes on where the pull request stands, merged or not
            continue
        if tip == base or is_merged(repo, tip):
            move_ref(
                repo, f"refs/heads/{task.branch}", None, old=tip, why="spinney: merged, the name is free"
            )
        elif not _ours(repo, tip, base):
            refused.append(
                f"{task.branch} exists and was not made by Spinney: rename it, or give the task another id"
            )
        elif not fresh and not go_on:
            refused.append(f"{task.branch} holds unmerged commits of an earlier run")
        elif fresh:
            free.append(task.branch)
    if refused:
        hints = (
            ["--continue starts from them, --fresh archives them first"]
            if any("unmerged" in r for r in refused)
            else []
        )
        raise UserError("; ".join(refused), *hints)
    return [f"{branch} was there already: kept as {archive_branch(repo, branch)}" for branch in free]


def is_merged(repo: Repository, tip: Oid) -> bool:
    """Whether ``tip`` is in a branch of the user's or in a batch's merged result."""
    listed = Git(repo.path).run("for-each-ref", "--format=%(refname)", f"--contains={tip}", "refs/heads")
    names = listed.decode(errors="replace").splitlines()
    return any(
        not name.startswith("refs/heads/spinney/") or name.startswith("refs/heads/spinney/batch/")
        for name in names
    )


def _ours(repo: Repository, tip: Oid, base: Oid) -> bool:
    for number, commit in enumerate(commits.first_parents(repo, tip, base)):
        if commits.TASK in commits.trailers(commit.message):
            return True
        if number > 200:
            break
    return False
