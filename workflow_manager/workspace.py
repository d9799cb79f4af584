"""A task's worktree as the manager sees it: what changed, scratch worktrees, phase commits, salvage."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SpinneyError
from shared.files import replace_json
from shared.git import changes as worktree_changes
from shared.git import commits
from shared.git.program import Git
from shared.git.repository import Repository, create_ref, open_repository, read_ref, tree_of
from shared.git.trees import Changes, Entry, changed_paths, edit_from, entries_of, merge_trees
from shared.git.worktrees import Worktree, Worktrees
from shared.model import Agent, Assignment, Oid, PhaseCommit
from workflow_manager.inspection import Found, encodable, outside_writes, refusals

INCLUDE_FILE = ".worktreeinclude"


class Refusal(SpinneyError):
    """What the agents left may not be committed; it stays in the worktree."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A worktree for one agent, started from ``base``, a commit that no branch names."""

    agent: Agent
    worktree: Worktree
    base: Oid


class Workspace:
    """Reads and commits through the git directory recorded at creation, never the worktree's own link."""

    def __init__(self, assignment: Assignment) -> None:
        self._a = assignment
        self.root = Path(assignment.worktree)
        self._repo = open_repository(assignment.admin_dir)
        self._ref = f"refs/heads/{assignment.task.branch}"
        self._worktrees = Worktrees(Path(assignment.facts.git_dir), Path(assignment.facts.worktrees))
        self._baseline: dict[str, Entry | None] = {}
        self._baseline_file = Path(assignment.facts.run_dir, "baseline", f"{assignment.task.id}.json")
        tip = read_ref(self._repo, self._ref)
        if tip is None:
            raise SpinneyError(f"the branch {assignment.task.branch} is gone")
        self.parent: Oid = tip  # the last phase commit, or the base

    # --- preparing

    def include_files(self) -> int:
        """Copy the untracked files that .worktreeinclude names from the user's checkout; returns how many."""
        checkout = Path(self._a.facts.checkout)
        if not (checkout / INCLUDE_FILE).is_file():
            return 0
        listed = Git(self._a.facts.git_dir, str(checkout)).run(
            "ls-files", "-z", "--others", "--ignored", f"--exclude-from={checkout / INCLUDE_FILE}"
        )
        names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
        for name in names:
            source, target = checkout / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        return len(names)

    def settle(self) -> None:
        """Remember what set-up left in the worktree: it is not the task's work and is never committed."""
        self._baseline = dict(self._changes(self._scan()))
        self._baseline_file.parent.mkdir(parents=True, exist_ok=True)
        replace_json(self._baseline_file, self._baseline)

    def start_again(self) -> Oid | None:
        """Bring the worktree back to its last phase commit; what was not committed is salvaged first."""
        worktree = Worktree(self._a.worktree, self._a.admin_dir)
        for lock in ("index.lock", "HEAD.lock"):  # of a manager or an agent that was killed
            (Path(self._a.admin_dir) / lock).unlink(missing_ok=True)
        if self._baseline_file.is_file():
            stored = json.loads(self._baseline_file.read_text())
            self._baseline = {path: tuple(entry) if entry else None for path, entry in stored.items()}
        kept = self.salvage("the run was interrupted")
        self._baseline = {}
        self._worktrees.restore(worktree, self.parent, self._a.task.branch)
        return kept

    def phase_commits(self) -> tuple[PhaseCommit, ...]:
        return commits.phase_commits(self._repo, self.parent, self._a.base, self._a.task.id)

    def all_paths(self) -> tuple[str, ...]:
        """Everything the task has committed."""
        return changed_paths(self._repo, self._a.base, self.parent)

    # --- looking

    def _tip(self) -> Oid:
        return read_ref(self._repo, self._ref) or self.parent

    def _head(self) -> Oid:
        return self.parent if self._repo.head_is_unborn else Oid(str(self._repo.head.target))

    def _scan(self) -> tuple[str, ...]:
        return worktree_changes.scan(self._a.admin_dir, str(self.root), self._repo, self.parent, self._head())

    def _changes(self, paths: Sequence[str]) -> Changes:
        found = worktree_changes.read_changes(self._repo, str(self.root), paths)
        return {path: entry for path, entry in found.items() if self._baseline.get(path, 0) != entry}

    def _inspect(self, root: Path, paths: Sequence[str]) -> None:
        refused = refusals(
            self._a.task, (_found(root, path) for path in paths), self._a.settings.max_file_size
        )
        if refused:
            raise Refusal(
                "; ".join(refused[:5]) + (f"; and {len(refused) - 5} more" if len(refused) > 5 else "")
            )

    # --- scratch worktrees

    def scratch(self, agent: Agent) -> Scratch:
        """A worktree for ``agent`` alone, that starts from what the task's worktree holds now."""
        name = f"{self._a.task.id}@{agent.name.lower()}"
        base = self._snapshot(f"spinney: before {agent.name}")
        create_ref(self._repo, f"refs/spinney/scratch/{self._a.run}/{name}", base)
        return Scratch(agent, self._worktrees.create(name, base, None), base)

    def fold(self, scratch: Scratch) -> tuple[str, ...]:
        """Bring what ``scratch`` holds into the task's worktree; returns the files in conflict.

        Merged in memory. With a conflict nothing is changed, and the scratch state is kept under
        ``refs/spinney/salvage``.
        """
        repo, paths = self._scan_scratch(scratch)
        self._inspect(Path(scratch.worktree.path), paths)
        found = worktree_changes.read_changes(repo, scratch.worktree.path, paths)
        stray = outside_writes([scratch.agent], [path for path, _ in found.items()])
        if stray:
            raise Refusal(f"{scratch.agent.name} wrote outside its `writes`: {', '.join(stray[:5])}")
        theirs = edit_from(self._repo, scratch.base, found)
        ours = self._write_tree()
        merged, conflicts = merge_trees(self._repo, tree_of(self._repo, scratch.base), ours, theirs)
        if merged is None:
            self._salvage(theirs, f"conflict of {scratch.agent.name}")
            return conflicts
        touched = changed_paths(self._repo, ours, merged)
        worktree_changes.write_out(self._repo, str(self.root), entries_of(self._repo, merged, touched))
        return ()

    def _scan_scratch(self, scratch: Scratch) -> tuple[Repository, tuple[str, ...]]:
        place = scratch.worktree
        repo = open_repository(place.admin_dir)
        head = scratch.base if repo.head_is_unborn else Oid(str(repo.head.target))
        return repo, worktree_changes.scan(place.admin_dir, place.path, repo, scratch.base, head)

    def keep(self, scratch: Scratch, why: str) -> None:
        """Put what ``scratch`` holds under ``refs/spinney/salvage``: it will not be part of the work."""
        repo, paths = self._scan_scratch(scratch)
        storable = [path for path in paths if not path.endswith("/") and encodable(path)]
        found = worktree_changes.read_changes(repo, scratch.worktree.path, storable)
        tree = edit_from(self._repo, scratch.base, found)
        if tree != tree_of(self._repo, scratch.base):
            self._salvage(tree, f"{scratch.agent.name}: {why}")

    def drop(self, scratch: Scratch) -> None:
        self._worktrees.remove(scratch.worktree)
        name = f"refs/spinney/scratch/{self._a.run}/{Path(scratch.worktree.path).name}"
        if name in self._repo.references:
            self._repo.references.delete(name)

    # --- keeping

    def commit(self, agents: Sequence[Agent], message: str) -> tuple[Oid | None, tuple[str, ...]]:
        """Commit what the phase left; returns the commit, None where nothing changed, and the paths.

        Raises Refusal for what may not be committed.
        """
        paths = self._scan()
        found = self._changes(paths) if paths else {}
        self._inspect(self.root, [path for path in paths if path in found or path.endswith("/")])
        stray = outside_writes(agents, found)
        if stray:
            names = ", ".join(agent.name for agent in agents)
            raise Refusal(f"{names} wrote outside the declared `writes`: {', '.join(stray[:5])}")
        oid = commits.commit_changes(
            self._repo, self._ref, found, message, self._a.identity, parent=self.parent, tip=self._tip()
        )
        if oid is None:
            return None, ()
        self.parent = oid
        self._repo.set_head(self._ref)
        worktree_changes.update_index(self._repo, found)
        return oid, tuple(found)

    def salvage(self, why: str) -> Oid | None:
        """Keep what is not committed under ``refs/spinney/salvage``; None where there is nothing."""
        tree = self._write_tree()
        if tree == tree_of(self._repo, self.parent):
            return None
        return self._salvage(tree, why)

    def _salvage(self, tree: Oid, why: str) -> Oid:
        marks = f"{commits.RUN}: {self._a.run}\n{commits.TASK}: {self._a.task.id}\n"
        message = f"Salvaged from {self._a.task.id}: {why}\n\n{marks}"
        oid = commits.write_commit(self._repo, tree, [self.parent], message, self._a.identity)
        number = 1
        while not create_ref(
            self._repo, f"refs/spinney/salvage/{self._a.task.id}/{self._a.run}-{number}", oid
        ):
            number += 1
        return oid

    def _write_tree(self) -> Oid:
        paths = [path for path in self._scan() if not path.endswith("/") and encodable(path)]
        return edit_from(self._repo, self.parent, self._changes(paths))

    def _snapshot(self, message: str) -> Oid:
        return commits.write_commit(self._repo, self._write_tree(), [self.parent], message, self._a.identity)


def _found(root: Path, path: str) -> Found:
    status = worktree_changes.status_of(root, path)
    if status is None:
        return Found(path, gone=True)
    if stat.S_ISDIR(status.st_mode):  # git names a folder for being a repository, or in place of a file
        repository = path.endswith("/") or os.path.lexists(root / path / ".git")
        return Found(path.rstrip("/"), gone=not repository, repository=repository)
    link = os.readlink(root / path) if stat.S_ISLNK(status.st_mode) else None
    return Found(path, size=status.st_size, link=link)
