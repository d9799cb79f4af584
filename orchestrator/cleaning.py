"""Removing what finished runs left behind, and nothing that is not merged, archived or asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.preparation import archive_branch, is_merged
from orchestrator.runs import Place
from shared.git.repository import Repository, move_ref, read_ref, refs_below
from shared.git.worktrees import Worktrees
from shared.lock import RepositoryLock
from shared.model import Oid, RunId


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing to remove: what it is for people, its kind and its name."""

    kind: str  # worktree | branch | archive | run
    name: str
    why: str


def find(place: Place, repo: Repository, runs: Sequence[RunId]) -> list[Removal]:
    """What ``clean`` would remove: worktrees of ``runs``, their merged branches, and the runs' folders.

    Branches with commits that are nowhere else are archived under ``refs/spinney/archive`` where their run is
    given up, so their names become free and no commit is lost.
    """
    found: list[Removal] = []
    names = {task.id for run in runs for task in place.plan(run).tasks}
    worktrees = Worktrees(place.git_dir, place.worktrees)
    for name in worktrees.names():
        if name in names or "@" in name:
            found.append(Removal("worktree", name, str(place.worktrees / name)))
    for ref, tip in refs_below(repo, "refs/heads/spinney/"):
        task = ref.removeprefix("refs/heads/spinney/")
        if task in names:
            merged = is_merged(repo, tip)
            why = "merged" if merged else "not merged: kept under refs/spinney/archive"
            found.append(Removal("branch" if merged else "archive", f"spinney/{task}", why))
    found += [Removal("run", run, f"{place.status(run)}: journal, logs and reports") for run in runs]
    return found


def carry_out(place: Place, repo: Repository, removals: Sequence[Removal], lock: RepositoryLock) -> list[str]:
    """Remove them; holding the lock is what permits it. Returns where archived branches are kept."""
    assert lock.generation
    worktrees = Worktrees(place.git_dir, place.worktrees)
    kept = []
    for removal in removals:
        match removal.kind:
            case "worktree":
                worktrees.remove(worktrees.at(removal.name))
            case "branch":
                tip = read_ref(repo, f"refs/heads/{removal.name}")
                if tip is not None and is_merged(repo, Oid(tip)):
                    move_ref(repo, f"refs/heads/{removal.name}", None, old=tip, why="spinney: clean")
            case "archive":
                kept.append(f"{removal.name} is kept as {archive_branch(repo, removal.name)}")
            case _:
                place.remove(RunId(removal.name))
    worktrees.empty_trash()
    return kept
