"""Phase commits, and reading them back from their trailers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pygit2

from shared.git.durability import flush, flushed_later, switch
from shared.git.repository import move_ref
from shared.git.trees import Changes, edit_tree
from shared.model import Identity, Oid, PhaseCommit, Usage
from shared.text import first_sentence

RUN, TASK, PHASE, ATTEMPT = "Spinney-Run", "Spinney-Task", "Spinney-Phase", "Spinney-Attempt"
TOKENS, COST = "Spinney-Tokens", "Spinney-Cost"
ANSWERS = "Spinney-Answers"  # which checks and remarks of its pull request a commit answers


def trailers(message: str) -> dict[str, str]:
    """The ``Spinney-…`` trailers in the last paragraph of a commit message."""
    found = {}
    for line in message.rstrip().rpartition("\n\n")[2].splitlines():
        key, colon, value = line.partition(": ")
        if colon and key.startswith("Spinney-"):
            found[key] = value.strip()
    return found


@dataclass(frozen=True, slots=True)
class PhaseMessage:
    """What a phase commit says: a subject, a line an agent, trailers."""

    run: str
    task: str
    title: str
    phase: str
    attempt: int
    summaries: tuple[tuple[str, str], ...]  # agent and what it says it did
    skipped: tuple[tuple[str, str], ...] = ()  # agent and why it did not run
    usage: Usage = Usage()  # of models, by all agents of the phase
    answers: tuple[str, ...] = ()  # words without spaces

    def __str__(self) -> str:
        lines = [f"[{self.phase}] {first_sentence(self.title)}", ""]
        lines += [f"- {agent}: {first_sentence(summary, 100) or 'done'}" for agent, summary in self.summaries]
        lines += [f"- {agent}: skipped, {first_sentence(reason, 90)}" for agent, reason in self.skipped]
        lines += [""] if self.summaries or self.skipped else []
        lines += [
            f"{RUN}: {self.run}",
            f"{TASK}: {self.task}",
            f"{PHASE}: {self.phase}",
            f"{ATTEMPT}: {self.attempt}",
            *([f"{ANSWERS}: {' '.join(self.answers)}"] if self.answers else []),
            *self._spent(),
        ]
        return "\n".join(lines) + "\n"

    def _spent(self) -> list[str]:
        tokens, cost = self.usage.tokens, self.usage.cost_usd
        if not tokens.total:
            return []
        spent = [f"{TOKENS}: {tokens.total - tokens.output} read, {tokens.output} written"]
        return spent if cost is None else [*spent, f"{COST}: {cost:.6f} USD"]


def merge_message(task_title: str, branch: str, run: str, task: str) -> str:
    return f"Merge {branch}: {first_sentence(task_title)}\n\n{RUN}: {run}\n{TASK}: {task}\n"


def signature(identity: Identity) -> pygit2.Signature:
    return pygit2.Signature(identity.name, identity.email)


def write_commit(
    repo: pygit2.Repository, tree: Oid, parents: Iterable[Oid], message: str, identity: Identity
) -> Oid:
    """A commit object, durable, of a tree that is durable already; no ref names it yet."""
    with switch:
        return Oid(str(_create(repo, tree, parents, message, identity)))


def write_with_contents(
    repo: pygit2.Repository, tree: Oid, parents: Iterable[Oid], message: str, identity: Identity
) -> Oid:
    """A commit object, durable with everything its first parent has not; no ref names it yet."""
    with flushed_later():
        oid = _create(repo, tree, parents, message, identity)
    flush(repo, oid)
    return Oid(str(oid))


def _create(
    repo: pygit2.Repository, tree: Oid, parents: Iterable[Oid], message: str, identity: Identity
) -> pygit2.Oid:
    who, above = signature(identity), [pygit2.Oid(hex=parent) for parent in parents]
    return repo.create_commit(None, who, who, message, pygit2.Oid(hex=tree), above)


def commit_changes(
    repo: pygit2.Repository,
    branch_ref: str,
    changes: Changes,
    message: str,
    identity: Identity,
    *,
    parent: Oid,
    tip: Oid,
) -> Oid | None:
    """Commit ``changes`` on top of ``parent`` and move ``branch_ref`` from ``tip`` to it.

    ``tip`` differs from ``parent`` where an agent committed by itself: what it did is in ``changes``, and
    the phase stays one commit. Returns None, and commits nothing, when the tree stays the same. Raises
    GitError when somebody else moved the branch.
    """
    base = repo[parent].peel(pygit2.Tree)
    with flushed_later():
        tree = edit_tree(repo, base, changes)
    if tree == str(base.id):
        if tip != parent:
            move_ref(repo, branch_ref, parent, old=tip, why="spinney: the phase changed nothing")
        return None
    oid = write_with_contents(repo, tree, [parent], message, identity)
    move_ref(repo, branch_ref, oid, old=tip, why=f"spinney: {message.partition(chr(10))[0]}")
    return oid


def first_parents(repo: pygit2.Repository, tip: Oid, base: Oid) -> Iterator[pygit2.Commit]:
    """Commits from ``tip`` back to ``base``, along first parents, newest first, without ``base``."""
    commit = repo[tip].peel(pygit2.Commit)
    while str(commit.id) != base:
        yield commit
        if not commit.parents:
            return
        commit = commit.parents[0]


def phase_commits(repo: pygit2.Repository, tip: Oid, base: Oid, task: str) -> tuple[PhaseCommit, ...]:
    """The phase commits of ``task`` between ``base`` and ``tip``, oldest first, told by their trailers."""
    found = []
    for commit in first_parents(repo, tip, base):
        marks = trailers(commit.message)
        if marks.get(TASK) == task and PHASE in marks:
            found.append(PhaseCommit(marks[PHASE], Oid(str(commit.id))))
    return tuple(reversed(found))
