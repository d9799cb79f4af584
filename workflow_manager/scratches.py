"""Worktrees for one agent each, beside the task's own, for those that would write the same paths at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.git import changes as worktree_changes
from shared.git.repository import Repository, create_ref, open_repository, read_ref
from shared.git.trees import Entry
from shared.git.worktrees import Worktree, Worktrees
from shared.model import Agent, AgentName, Assignment, Oid
from workflow_manager.leavings import storable


@dataclass(frozen=True, slots=True)
class Scratch:
    """A worktree for one agent, started from ``base``, a commit that no branch names."""

    phase: str
    agent: Agent
    worktree: Worktree
    base: Oid
    resolves: tuple[str, ...] = ()  # files that collided, with markers when it started where they are texts
    beside: tuple[str, ...] = ()  # of those, the ones that hold a side that fits in nowhere: to be removed


class Scratches:
    """Those of one task. Each has a ref that keeps the commit it started from, as long as it is there."""

    def __init__(self, assignment: Assignment, repo: Repository, worktrees: Worktrees) -> None:
        self._task, self._run = assignment.task.id, assignment.run
        self._repo, self._worktrees = repo, worktrees
        self._set_up: dict[str, dict[str, Entry | None]] = {}  # by worktree: what set-up left there

    def ref(self, name: str) -> str:
        return f"refs/spinney/scratch/{self._run}/{name}"

    def create(self, phase: str, agent: Agent, base: Oid) -> Scratch:
        name = f"{self._task}@{agent.name.lower()}"
        create_ref(self._repo, self.ref(name), base)
        return Scratch(phase, agent, self._worktrees.create(name, base, None), base)

    def left(self, parent: Oid) -> Iterator[tuple[Scratch, bool]]:
        """What a manager that was killed left behind, without its locks, and whether an agent was there already.

        One that has no commit of its own yet is told as one that starts from ``parent``.
        """
        for name in self._worktrees.names():
            if not name.startswith(f"{self._task}@"):
                continue
            place, base = self._worktrees.at(name), read_ref(self._repo, self.ref(name))
            agent = Agent(AgentName(name.partition("@")[2].upper()))
            used = base is not None and place.exists and self._worktrees.is_filled(place)
            if used:
                for lock in ("index.lock", "HEAD.lock"):
                    (Path(place.admin_dir) / lock).unlink(missing_ok=True)
            yield Scratch("", agent, place, base or parent), used

    def settle(self, scratch: Scratch) -> None:
        """Remember what set-up left there: it is not the agent's work. Any thread may call this."""
        place = scratch.worktree
        repo = open_repository(place.admin_dir)
        head = Oid(str(repo.head.target))
        paths = worktree_changes.scan(place.admin_dir, place.path, repo, head, head)
        left = worktree_changes.read_changes(repo, place.path, storable(paths))
        self._set_up[place.path] = {**dict.fromkeys(paths), **left}

    def changed(self, scratch: Scratch) -> tuple[Repository, tuple[str, ...]]:
        """The paths that the agent changed: those that set-up left, and that are still so, are not among them."""
        place, before = scratch.worktree, self._set_up.get(scratch.worktree.path, {})
        repo = open_repository(place.admin_dir)
        head = scratch.base if repo.head_is_unborn else Oid(str(repo.head.target))
        paths = worktree_changes.scan(place.admin_dir, place.path, repo, scratch.base, head)
        known = [path for path in paths if path in before]
        now = {**dict.fromkeys(known), **worktree_changes.read_changes(repo, place.path, storable(known))}
        return repo, tuple(path for path in paths if path not in now or now[path] != before[path])

    def drop(self, scratch: Scratch) -> None:
        self._worktrees.remove(scratch.worktree)
        self._set_up.pop(scratch.worktree.path, None)
        name = self.ref(Path(scratch.worktree.path).name)
        if name in self._repo.references:
            self._repo.references.delete(name)
