"""Bringing finished branches together: merged in memory, gated as merged, landed by compare-and-swap.

The target only ever moves to a commit whose gate passed, exactly that commit, fast-forward. Nothing here
touches a checkout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.gate import Gate, Record
from shared.errors import GitError
from shared.git import commits
from shared.git.merges import Clean, Merger
from shared.git.repository import (
    Repository,
    checked_out_at,
    is_ancestor,
    move_ref,
    open_repository,
    read_ref,
)
from shared.mentions import quiet
from shared.model import Identity, Oid, RepositoryFacts, RunId, Settings, Task, TaskId, TaskStatus


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
    landed: bool = False  # ``into`` was moved to it


@dataclass(frozen=True, slots=True)
class Candidate:
    task: Task
    tip: Oid
    paths: tuple[str, ...]


@dataclass(slots=True)
class Integrator:
    """Owns the queue's head. Used by one thread at a time."""

    facts: RepositoryFacts
    run: RunId
    settings: Settings
    identity: Identity
    base: Oid
    merger: Merger
    gate: Gate
    record: Record
    _repo: Repository = field(init=False)
    _head: Oid = field(init=False)
    _merged_paths: list[tuple[TaskId, frozenset[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._repo = open_repository(self.facts.git_dir)
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
            return Verdict(task.id, TaskStatus.MERGED, merged=self._head, landed=self.landed)
        self._catch_up()
        merge = self.merger.merge(self._head, candidate.tip)
        if not isinstance(merge, Clean):
            others = tuple(other for other, paths in self._merged_paths if paths & set(merge.paths))
            names = ", ".join(others) or self.settings.into or "the target"
            reason = f"conflicts with {names} in {', '.join(merge.paths)}"
            return Verdict(task.id, TaskStatus.CONFLICT, reason, files=merge.paths, others=others)
        title = quiet(task.title) if task.foreign else task.title
        message = commits.merge_message(title, task.branch, self.run, task.id)
        commit = commits.write_commit(
            self._repo, merge.tree, [self._head, candidate.tip], message, self.identity
        )
        answer = self.gate.check(commit, merge.tree, task.id)
        if not answer.passed:
            return Verdict(task.id, TaskStatus.UNMERGED, answer.reason, log=answer.log)
        self._advance(commit)
        self.remember(task.id, candidate.paths)
        self._land_into()
        return Verdict(task.id, TaskStatus.MERGED, merged=self._head, landed=self.landed)

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
        answer = self.gate.check(commit, merge.tree, "into")
        if answer.passed:
            self._advance(commit)
        else:
            self._note(f"{self.settings.into} has moved, and with it the gate does not pass: {answer.reason}")

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

    def close(self) -> None:
        self.gate.close()


def land(
    repo: Repository, merger: Merger, gate: Gate, branch: str, tip: Oid, message: str, identity: Identity
) -> Oid | GitError:
    """Merge ``tip`` into ``branch`` by itself, gated, and move the branch; what stood in the way otherwise."""
    folder = checked_out_at(repo, branch)
    if folder is not None:
        return GitError(
            f"{branch} is checked out at {folder} and is not moved under your feet",
            f"there: git merge {tip[:12]}",
        )
    old = read_ref(repo, f"refs/heads/{branch}")
    if old is None:
        return GitError(f"there is no branch {branch!r}")
    if is_ancestor(repo, tip, old):
        return old
    merge = merger.merge(old, tip)
    if not isinstance(merge, Clean):
        return GitError(f"it conflicts with {branch} in {', '.join(merge.paths)}")
    commit = commits.write_commit(repo, merge.tree, [old, tip], message, identity)
    answer = gate.check(commit, merge.tree, "pull")
    if not answer.passed:
        return GitError(answer.reason, f"its output: {answer.log}")
    move_ref(repo, f"refs/heads/{branch}", commit, old=old, why="spinney: pull request merged")
    return commit
