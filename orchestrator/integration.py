"""Bringing finished branches together: merged in memory, gated as merged, landed by compare-and-swap.

The target only ever moves to a commit whose gate passed, exactly that commit, fast-forward. Nothing here
touches a checkout.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import process
from shared.containment import contained
from shared.errors import GitError, Interrupted
from shared.git import commits
from shared.git.merges import Clean, Merger
from shared.git.repository import Repository, checked_out_at, is_ancestor, move_ref, open_repository, read_ref
from shared.git.worktrees import Worktree, Worktrees
from shared.model import (
    Containment,
    Identity,
    Oid,
    RepositoryFacts,
    RunId,
    Settings,
    Task,
    TaskId,
    TaskStatus,
)
from shared.process import Cancel
from shared.text import last_line

GATE_WORKTREE = "@gate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one task's integration."""

    task: TaskId
    status: TaskStatus  # merged, conflict or unmerged
    reason: str = ""
    merged: Oid | None = None
    files: tuple[str, ...] = ()
    others: tuple[TaskId, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    task: Task
    tip: Oid
    paths: tuple[str, ...]


Record = Callable[[str, dict[str, Any]], None]  # an event for the journal


@dataclass(slots=True)
class Integrator:
    """Owns the queue's head. Used by one thread at a time."""

    facts: RepositoryFacts
    run: RunId
    settings: Settings
    identity: Identity
    base: Oid
    containment: Containment
    environment: dict[str, str]
    merger: Merger
    record: Record
    cancel: Cancel
    _repo: Repository = field(init=False)
    _worktrees: Worktrees = field(init=False)
    _head: Oid = field(init=False)
    _gate_worktree: Worktree | None = None
    _passed: set[str] = field(default_factory=set)  # trees whose gate passed
    _merged_paths: list[tuple[TaskId, frozenset[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._repo = open_repository(self.facts.git_dir)
        self._worktrees = Worktrees(Path(self.facts.git_dir), Path(self.facts.worktrees))
        found = read_ref(self._repo, self.batch_ref)
        self._head = found or self._into_tip() or self.base

    @property
    def batch_ref(self) -> str:
        return f"refs/heads/spinney/batch/{self.run}"

    @property
    def head(self) -> Oid:
        return self._head

    @property
    def landed(self) -> bool:
        """Whether ``into`` is at the merged result."""
        return self._into_tip() == self._head

    def _into_tip(self) -> Oid | None:
        return read_ref(self._repo, f"refs/heads/{self.settings.into}") if self.settings.into else None

    def remember(self, task: TaskId, paths: tuple[str, ...]) -> None:
        """A task that an earlier session merged, so that a later conflict can name it."""
        self._merged_paths.append((task, frozenset(paths)))

    def contains(self, tip: Oid) -> bool:
        """Whether ``tip`` is in the merged result already."""
        return read_ref(self._repo, self.batch_ref) is not None and is_ancestor(self._repo, tip, self._head)

    def integrate(self, candidate: Candidate) -> Verdict:
        """Merge, gate, land. Raises GitError only for what is nobody's conflict, such as a missing object."""
        task = candidate.task
        if self.contains(candidate.tip):
            self.remember(task.id, candidate.paths)
            self._land_into()
            return Verdict(task.id, TaskStatus.MERGED, merged=self._head)
        self._catch_up()
        merge = self.merger.merge(self._head, candidate.tip)
        if not isinstance(merge, Clean):
            others = tuple(other for other, paths in self._merged_paths if paths & set(merge.paths))
            names = ", ".join(others) or self.settings.into or "the target"
            reason = f"conflicts with {names} in {', '.join(merge.paths)}"
            return Verdict(task.id, TaskStatus.CONFLICT, reason, files=merge.paths, others=others)
        message = commits.merge_message(task.title, task.branch, self.run, task.id)
        commit = commits.write_commit(
            self._repo, merge.tree, [self._head, candidate.tip], message, self.identity
        )
        passed, reason, log = self._gate(commit, merge.tree, task.id)
        if not passed:
            return Verdict(task.id, TaskStatus.UNMERGED, reason, log=log)
        self._advance(commit)
        self.remember(task.id, candidate.paths)
        self._land_into()
        return Verdict(task.id, TaskStatus.MERGED, merged=self._head)

    def _advance(self, commit: Oid) -> None:
        old = read_ref(self._repo, self.batch_ref)
        move_ref(self._repo, self.batch_ref, commit, old=old, why="spinney: merged and passed the gate")
        self._head = commit

    def _catch_up(self) -> None:
        """Take in what others put on ``into`` since, so that it can be moved forward again."""
        tip = self._into_tip()
        if tip is None or is_ancestor(self._repo, tip, self._head):
            return
        if is_ancestor(self._repo, self._head, tip):
            if read_ref(self._repo, self.batch_ref) is not None:
                self._advance(tip)
            self._head = tip
            return
        merge = self.merger.merge(self._head, tip)
        if not isinstance(merge, Clean):
            self._note(
                f"{self.settings.into} has moved and conflicts in {', '.join(merge.paths)}: it is left where it is"
            )
            return
        message = f"Merge {self.settings.into} into the batch\n\n{commits.RUN}: {self.run}\n"
        commit = commits.write_commit(self._repo, merge.tree, [self._head, tip], message, self.identity)
        passed, reason, _ = self._gate(commit, merge.tree, TaskId("batch"))
        if passed:
            self._advance(commit)
        else:
            self._note(f"{self.settings.into} has moved, and with it the gate does not pass: {reason}")

    def _land_into(self) -> None:
        """Move ``into`` to the head, unless somebody has it checked out or moved it meanwhile."""
        into, tip = self.settings.into, self._into_tip()
        if tip is None or tip == self._head or not is_ancestor(self._repo, tip, self._head):
            return
        folder = checked_out_at(self._repo, into)
        if folder is not None:
            self._note(
                f"{into} is checked out at {folder} and stays where it is; the result is on {self.batch_ref[11:]}"
            )
            return
        try:
            move_ref(self._repo, f"refs/heads/{into}", self._head, old=tip, why="spinney: landed")
        except GitError as error:
            self._note(f"{into} was not moved: {error.message}")
            return
        self.record("into.moved", {"oid": self._head})

    _notes: set[str] = field(default_factory=set)

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.add(text)
            self.record("note", {"text": text})

    # --- the gate

    def _gate(self, commit: Oid, tree: str, task: TaskId) -> tuple[bool, str, str]:
        """Whether the gate passes on exactly ``commit``; otherwise why not, and where its output is."""
        if not self.settings.gate or tree in self._passed:
            return True, "", ""
        log = Path(self.facts.run_dir, "logs", "gate", f"{task}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        worktree = self._warm_worktree(commit)
        self.record("gate.started", {"task": task, "commit": commit})
        started = time.monotonic()
        tail = bytearray()
        with log.open("wb") as file:
            written = 0

            def on_output(data: bytes) -> None:
                nonlocal written
                if written < 8 * 1024 * 1024:
                    file.write(data)
                    written += len(data)
                tail.extend(data)
                del tail[:-4096]

            hold = Containment(
                self.containment.program,
                self.containment.protect,
                (*self.containment.writable, worktree.path, worktree.admin_dir),
            )
            end = process.stream(
                contained(hold, ["/bin/sh", "-c", self.settings.gate]),
                cwd=worktree.path,
                env={**self.environment, "SPINNEY_RUN": self.run, "SPINNEY_GATE": task, "PWD": worktree.path},
                on_output=on_output,
                timeout=self.settings.gate_timeout,
                cancel=self.cancel,
            )
        seconds = time.monotonic() - started
        self.record(
            "gate.ended", {"task": task, "commit": commit, "passed": end.ok, "seconds": round(seconds, 3)}
        )
        if end.ok:
            self._passed.add(tree)
            return True, "", str(log)
        if self.cancel.is_set:
            raise Interrupted("the run was stopped during the gate")
        said = last_line(tail.decode(errors="replace"))
        return False, f"the gate failed, {end}{f': {said}' if said else ''}", str(log)

    def _warm_worktree(self, commit: Oid) -> Worktree:
        if self._gate_worktree is None or not self._gate_worktree.exists:
            self._gate_worktree = self._worktrees.create(GATE_WORKTREE, commit, None)
            self._set_up(self._gate_worktree)
        else:
            self._worktrees.move_to(self._gate_worktree, commit)
        return self._gate_worktree

    def _set_up(self, worktree: Worktree) -> None:
        if self.settings.setup:
            process.stream(
                ["/bin/sh", "-c", self.settings.setup],
                cwd=worktree.path,
                env={**self.environment, "SPINNEY_RUN": self.run, "SPINNEY_WORKTREE": worktree.path},
                on_output=lambda data: None,
                timeout=self.settings.timeout,
                cancel=self.cancel,
            )

    def close(self) -> None:
        if self._gate_worktree is not None:
            self._worktrees.remove(self._gate_worktree)
            self._gate_worktree = None
