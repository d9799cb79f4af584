"""A task's worktree as the manager sees it: what each agent left, scratch worktrees, phase commits, salvage.

Agents of several phases can be at work at once. What an ended agent left is taken in (``absorb``) before
anybody who may write the same paths starts, and kept per phase until that phase is committed; so a commit
holds what its own agents wrote, and nothing of what others have written so far.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import SpinneyError
from shared.files import replace_json
from shared.git import changes as worktree_changes
from shared.git import commits
from shared.git.durability import flushed_later
from shared.git.program import Git
from shared.git.repository import create_ref, open_repository, read_ref, tree_of
from shared.git.trees import (
    Changes,
    Entry,
    changed_lines,
    changed_paths,
    conflicted_tree,
    content_of,
    edit_from,
    entries_of,
    merge_trees,
)
from shared.git.worktrees import Worktree, Worktrees
from shared.globs import matches_any
from shared.model import Agent, AgentName, Assignment, Oid, PhaseCommit
from workflow_manager.draft import Draft
from workflow_manager.inspection import encodable, leak, outside_writes, refusals
from workflow_manager.leavings import found_at, has_markers, storable
from workflow_manager.scratches import Scratch, Scratches
from workflow_manager.sharing import may_collide

INCLUDE_FILE = ".worktreeinclude"


class Refusal(SpinneyError):
    """What the agents left may not be committed; it stays in the worktree."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two agents of the task changed the same places: ``theirs`` is the tree of the one that came later."""

    scratch: Scratch
    theirs: Oid
    paths: tuple[str, ...]


class Workspace:
    """Reads and commits through the git directory recorded at creation, never the worktree's own link."""

    def __init__(self, assignment: Assignment) -> None:
        self._a = assignment
        self.root = Path(assignment.worktree)
        self._repo = open_repository(assignment.admin_dir)
        self._ref = f"refs/heads/{assignment.task.branch}"
        self._worktrees = Worktrees(Path(assignment.facts.git_dir), Path(assignment.facts.worktrees))
        self.scratches = Scratches(assignment, self._repo, self._worktrees)
        self._running: dict[AgentName, Agent] = {}  # in the shared worktree
        self._ended: list[tuple[str, Agent]] = []  # phase and agent, not taken in yet
        self._known: dict[str, Entry | None] = {}  # taken in and not committed: the latest of every path
        self._pending: dict[str, dict[str, Entry | None]] = {}  # the same by phase
        self._order = {phase.name: index for index, phase in enumerate(assignment.task.workflow.phases)}
        self._refused: dict[str, list[str]] = {}  # by phase
        self._left: dict[AgentName, set[str]] = {}  # paths by agent, of everything taken in
        self._baseline: dict[str, Entry | None] = {}
        self._baseline_file = Path(assignment.facts.run_dir, "baseline", f"{assignment.task.id}.json")
        tip = read_ref(self._repo, self._ref)
        if tip is None:
            raise SpinneyError(f"the branch {assignment.task.branch} is gone")
        self.parent: Oid = tip  # the last phase commit, or the base

    # --- preparing

    def include_files(self, root: Path | None = None) -> int:
        """Copy the untracked files that .worktreeinclude names from the user's checkout; returns how many.

        ``root`` is where to: the task's worktree, unless it is told otherwise.
        """
        checkout = Path(self._a.facts.checkout)
        if not (checkout / INCLUDE_FILE).is_file():
            return 0
        listed = Git(self._a.facts.git_dir, str(checkout)).run(
            "ls-files", "-z", "--others", "--ignored", f"--exclude-from={checkout / INCLUDE_FILE}"
        )
        names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
        for name in names:
            source, target = checkout / name, (root or self.root) / name
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
        for lock in self._dead_locks():
            lock.unlink(missing_ok=True)
        if self._baseline_file.is_file():
            stored = json.loads(self._baseline_file.read_text())
            self._baseline = {path: tuple(entry) if entry else None for path, entry in stored.items()}
        kept = self.salvage("the run was interrupted")
        self._baseline = {}
        self._worktrees.restore(worktree, self.parent, self._a.task.branch)
        for scratch, used in self.scratches.left(self.parent):
            if used:
                self.keep(scratch, "the run was interrupted")
            self.scratches.drop(scratch)
        return kept

    def _dead_locks(self) -> list[Path]:
        """Locks of a manager or an agent that was killed: nobody else writes these."""
        common, task = Path(self._a.facts.git_dir), self._a.task.id
        return [
            *(Path(self._a.admin_dir) / lock for lock in ("index.lock", "HEAD.lock")),
            common / f"{self._ref}.lock",
            *common.glob(f"{self.scratches.ref(task)}@*.lock"),
            *common.glob(f"refs/spinney/salvage/{task}/*.lock"),
        ]

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

    def _refusals(self, root: Path, paths: Sequence[str]) -> list[str]:
        found = (found_at(root, path) for path in paths)
        return refusals(self._a.task, found, self._a.settings.max_file_size)

    def _leaks(self, changes: Changes, before: Changes) -> list[str]:
        """The same for secrets, in exactly the objects that would be committed."""
        told = (
            leak(self._a.task, self._a.secrets, path, content_of(self._repo, entry), old)
            for path, entry in changes.items()
            if entry is not None
            for old in (content_of(self._repo, before[path]),)
        )
        return [sentence for sentence in told if sentence]

    # --- agents in the shared worktree

    def starts(self, phase: str, agent: Agent) -> None:
        """``agent`` is about to work in the task's worktree.

        It may go on from what others left, or it left itself on an earlier try: that is taken in first, so that
        nothing half done gets into a commit, and nothing of this phase into an earlier one.
        """
        if any(other != phase or may_collide(before, agent) for other, before in self._ended):
            self.absorb()
        self._running[agent.name] = agent

    def ends(self, phase: str, agent: Agent) -> None:
        """``agent`` is over, for good or for this try."""
        if self._running.pop(agent.name, None) is not None:
            self._ended.append((phase, agent))

    def absorb(self) -> None:
        """Take in what agents have left since the last time, each path for the phase of its writer."""
        ended, self._ended = self._ended, []
        if not ended:
            return
        scanned = self._scan()
        candidates = [path for path in sorted({*scanned, *self._known}) if self._told_by(ended, path)]
        with flushed_later():  # their phase's commit makes them durable
            found = self._changes(candidates) if candidates else {}
        before = entries_of(self._repo, self.parent, found)
        fresh = {path: entry for path, entry in found.items() if entry != self._known.get(path, before[path])}
        nested = [path for path in scanned if path.endswith("/")]
        owners: dict[str, tuple[str, Agent]] = {}
        for path in (*fresh, *nested):
            owner = next((pair for pair in ended if _may_write(pair[1], path)), None)
            if owner is not None:
                owners[path] = owner
            elif self._told_by(ended, path):
                self._stray(path, ended)
        self._take(fresh, before, owners)

    def _told_by(self, ended: Sequence[tuple[str, Agent]], path: str) -> bool:
        """Whether those who ended answer for ``path``: not where only somebody at work may have written it."""
        if any(_may_write(agent, path) for _, agent in ended):
            return True
        return not any(_may_write(agent, path) for agent in self._running.values())

    def _take(self, fresh: Changes, before: Changes, owners: dict[str, tuple[str, Agent]]) -> None:
        for phase in dict.fromkeys(phase for phase, _ in owners.values()):
            mine = [path for path, (other, _) in owners.items() if other == phase]
            leaks = self._leaks({path: fresh[path] for path in mine if path in fresh}, before)
            self._refused.setdefault(phase, []).extend([*self._refusals(self.root, mine), *leaks])
        for path, (phase, agent) in owners.items():
            if path in fresh:
                self._keep_for(phase, agent, path, fresh[path])

    def _keep_for(self, phase: str, agent: Agent, path: str, entry: Entry | None) -> None:
        self._known[path] = self._pending.setdefault(self._phase_for(phase, path), {})[path] = entry
        self._left.setdefault(agent.name, set()).add(path)

    def _phase_for(self, phase: str, path: str) -> str:
        """``phase``, or a later one that has changed ``path`` before: this goes on from there, and is committed there.

        In the earlier commit it would bring what the later phase wrote, and the later commit would undo it.
        """
        here = self._order.get(phase, 0)
        later = [other for other, changes in self._pending.items() if path in changes]
        return max([phase, *later], key=lambda other: self._order.get(other, here))

    def _stray(self, path: str, ended: Sequence[tuple[str, Agent]]) -> None:
        """Nobody who was at work may write ``path``: the phase of those who ended answers for it."""
        phase = ended[0][0]
        names = ", ".join(sorted({agent.name for _, agent in ended} | set(self._running)))
        told = f"{names} wrote outside the declared `writes`: {path}"
        self._refused.setdefault(phase, []).append(told)

    def left_by(self, agent: AgentName) -> tuple[str, ...]:
        """Paths that ``agent`` has changed, as far as they are taken in."""
        return tuple(sorted(self._left.get(agent, ())))

    def changed_lines(self) -> dict[str, int]:
        """Changed lines by path, of everything the task has done so far; a binary file counts as one."""
        self.absorb()
        return changed_lines(self._repo, self._a.base, edit_from(self._repo, self.parent, self._known))

    # --- scratch worktrees

    def scratch(self, phase: str, agent: Agent) -> Scratch:
        """A worktree for ``agent`` alone, that starts from what ended agents have left."""
        self.absorb()
        tree = edit_from(self._repo, self.parent, self._known)
        return self._new_scratch(phase, agent, tree)

    def conflicted(self, conflict: Conflict, resolver: Agent) -> Scratch:
        """A worktree for ``resolver`` that holds both sides of a conflict, with markers where that can be."""
        self.absorb()
        base = tree_of(self._repo, conflict.scratch.base)
        ours = edit_from(self._repo, self.parent, self._known)
        who = conflict.scratch.agent.name
        collision = conflicted_tree(self._repo, base, ours, conflict.theirs, who)
        start = self._new_scratch(conflict.scratch.phase, resolver, collision.tree)
        # Its work is everything that differs from what the others left, the markers' files included.
        ours_commit = self._commit_of(ours, f"spinney: before {resolver.name}")
        paths = (*collision.marked, *collision.beside)
        return replace(start, base=ours_commit, resolves=paths, beside=collision.beside)

    def _new_scratch(self, phase: str, agent: Agent, tree: Oid) -> Scratch:
        return self.scratches.create(phase, agent, self._commit_of(tree, f"spinney: before {agent.name}"))

    def fold(self, scratch: Scratch) -> Conflict | None:
        """Bring what ``scratch`` holds into the task's worktree, merged in memory, or say where it collides.

        With a conflict nothing is changed. Raises Refusal for what may not be committed.
        """
        self.absorb()
        repo, paths = self.scratches.changed(scratch)
        place = scratch.worktree.path
        if refused := self._refusals(Path(place), paths):
            raise Refusal(_some(refused))
        if marked := [path for path in scratch.resolves if has_markers(Path(place, path))]:
            raise Refusal(f"conflict markers are left in {', '.join(marked[:5])}")
        if left := [path for path in scratch.beside if os.path.lexists(Path(place, path))]:
            raise Refusal(
                f"one side of the conflict is still in {', '.join(left[:5])}, to be removed in the end"
            )
        found = worktree_changes.read_changes(repo, place, paths)
        if leaks := self._leaks(found, entries_of(self._repo, scratch.base, found)):
            raise Refusal(_some(leaks))
        stray = outside_writes([scratch.agent], found)
        if stray:
            raise Refusal(f"{scratch.agent.name} wrote outside its `writes`: {', '.join(stray[:5])}")
        theirs = edit_from(self._repo, scratch.base, found)
        ours = edit_from(self._repo, self.parent, self._known)
        merged, collisions = merge_trees(self._repo, tree_of(self._repo, scratch.base), ours, theirs)
        if merged is None:
            return Conflict(scratch, theirs, collisions)
        touched = entries_of(self._repo, merged, changed_paths(self._repo, ours, merged))
        if busy := self._being_written(touched):
            return Conflict(scratch, theirs, busy)
        worktree_changes.write_out(self._repo, str(self.root), touched)
        for path, entry in touched.items():
            self._keep_for(scratch.phase, scratch.agent, path, entry)
        return None

    def _being_written(self, touched: Changes) -> tuple[str, ...]:
        """Paths that an agent in the shared worktree has changed and not finished with."""
        if not self._running:
            return ()
        now = worktree_changes.read_changes(self._repo, str(self.root), touched)
        before = entries_of(self._repo, self.parent, touched)
        return tuple(path for path, entry in now.items() if entry != self._known.get(path, before[path]))

    def give_up(self, conflict: Conflict) -> None:
        """Nobody resolves ``conflict``: the later agent's work is kept under ``refs/spinney/salvage``."""
        self._salvage(conflict.theirs, f"conflict of {conflict.scratch.agent.name}")

    def keep(self, scratch: Scratch, why: str) -> None:
        """Put what ``scratch`` holds under ``refs/spinney/salvage``: it will not be part of the work."""
        repo, paths = self.scratches.changed(scratch)
        found = worktree_changes.read_changes(repo, scratch.worktree.path, storable(paths))
        tree = edit_from(self._repo, scratch.base, found)
        if tree != tree_of(self._repo, scratch.base):
            self._salvage(tree, f"{scratch.agent.name}: {why}")

    # --- keeping

    def ready(self, phase: str) -> Draft:
        """What the commit of ``phase`` will hold. Raises Refusal for what may not be committed."""
        self.absorb()
        if refused := self._refused.pop(phase, []):
            raise Refusal(_some(refused))
        return Draft(self._a, self.parent, self._pending.pop(phase, {}))

    def committed(self, draft: Draft, oid: Oid | None) -> tuple[str, ...]:
        """``draft`` has become ``oid``, None where nothing changed; returns the paths."""
        if oid is None:
            return ()
        self.parent = oid
        for path, entry in draft.changes.items():
            if self._known.get(path, 0) == entry:
                del self._known[path]
        self._repo.set_head(self._ref)
        worktree_changes.update_index(self._repo, draft.changes)
        return tuple(draft.changes)

    def commit(self, phase: str, message: str) -> tuple[Oid | None, tuple[str, ...]]:
        """Commit what the agents of ``phase`` left, all at once; returns the commit and the paths."""
        draft = self.ready(phase)
        oid = draft.write(message)
        return oid, self.committed(draft, oid)

    def salvage(self, why: str) -> Oid | None:
        """Keep what is not committed under ``refs/spinney/salvage``; None where there is nothing."""
        tree = self._write_tree()
        if tree == tree_of(self._repo, self.parent):
            return None
        return self._salvage(tree, why)

    def _salvage(self, tree: Oid, why: str) -> Oid:
        marks = f"{commits.RUN}: {self._a.run}\n{commits.TASK}: {self._a.task.id}\n"
        message = f"Salvaged from {self._a.task.id}: {why}\n\n{marks}"
        oid = commits.write_with_contents(self._repo, tree, [self.parent], message, self._a.identity)
        number = 1
        while not create_ref(
            self._repo, f"refs/spinney/salvage/{self._a.task.id}/{self._a.run}-{number}", oid
        ):
            number += 1
        return oid

    def _write_tree(self) -> Oid:
        paths = [path for path in self._scan() if not path.endswith("/") and encodable(path)]
        return edit_from(self._repo, self.parent, self._changes(paths))

    def _commit_of(self, tree: Oid, message: str) -> Oid:
        return commits.write_with_contents(self._repo, tree, [self.parent], message, self._a.identity)


def _may_write(agent: Agent, path: str) -> bool:
    return agent.writes is None or matches_any(agent.writes, path)


def _some(sentences: Sequence[str]) -> str:
    return "; ".join(sentences[:5]) + (f"; and {len(sentences) - 5} more" if len(sentences) > 5 else "")
