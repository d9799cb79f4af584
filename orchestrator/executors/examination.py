"""Commits that came out of a bundle: whether they are what a WorkflowManager would have made of this task.

Whatever ran elsewhere was inspected there, by somebody who could be anybody by then. So all of it is inspected here
again, commit by commit: each will be pushed, whatever a later one undoes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import SpinneyError
from shared.git import commits
from shared.git.lineage import Allowance, Commit, Difference, commit_at, differences
from shared.git.repository import Repository
from shared.git.trees import changed_paths, content_of
from shared.mentions import linked, skips
from shared.model import Assignment, Identity, Oid, PhaseCommit
from shared.text import first_sentence, printable
from workflow_manager.inspection import Found, leak, refusals

_LONGEST = 1000  # commits
_MOST = 100_000  # paths changed by all of them
_LARGEST = 1 << 30  # bytes of all files that they leave
_MESSAGE = 64 * 1024  # characters
_OWN_FOLDER = ".tasks"


class Refused(SpinneyError):
    """What a job handed back is not taken in."""


@dataclass(frozen=True, slots=True)
class Examined:
    commits: tuple[PhaseCommit, ...]  # oldest first
    paths: tuple[str, ...]  # everything that they changed


def examine(
    repo: Repository,
    assignment: Assignment,
    tip: Oid,
    there: Oid | None = None,
    identity: Identity | None = None,
) -> Examined:
    """Everything from the assignment's base to ``tip``; ``there`` is where its branch is already.

    What is not there yet must be by ``identity``, where that is given: a job could name anybody as its author.
    Raises Refused, or GitError for what is not there.
    """
    chain, base = _chain(repo, assignment, tip, there, _people(identity))
    allowance = Allowance(_MOST, _LARGEST)
    parent = base
    for commit in chain:
        _inspect(repo, assignment, parent, commit, allowance)
        parent = commit.oid
    found = tuple(PhaseCommit(commits.trailers(one.message)[commits.PHASE], one.oid) for one in chain)
    return Examined(found, changed_paths(repo, base, tip))


def _people(identity: Identity | None) -> tuple[str, ...] | None:
    """Author and committer as commits hold them: git leaves out what would not stand there."""
    who = commits.signature(identity) if identity is not None else None
    return (who.name, who.email) * 2 if who is not None else None


def _chain(
    repo: Repository, assignment: Assignment, tip: Oid, there: Oid | None, people: tuple[str, ...] | None
) -> tuple[list[Commit], Oid]:
    """The task's own commits, oldest first, and what the first of them stands on."""
    found: list[Commit] = []
    phases = {phase.name for phase in assignment.task.workflow.phases}
    at, new = tip, True
    while not _same(repo, at, assignment.base, people if new and at != there else None):
        new = new and at != there  # rounds of earlier runs may be on the branch
        commit = commit_at(repo, at)
        if len(found) == _LONGEST:
            raise Refused(f"it has more than {_LONGEST} commits")
        marks = commits.trailers(commit.message)
        ours = marks.get(commits.TASK) == assignment.task.id and marks.get(commits.PHASE) in phases
        if not ours or len(commit.parents) != 1:
            if not found:
                raise Refused(f"its commit {at[:10]} is none of this task")
            raise Refused(
                f"its commits stand on {at[:10]}, which is neither its base {assignment.base[:10]} "
                "nor a commit of this task"
            )
        if not _showable(commit):
            raise Refused(f"what its commit {at[:10]} says cannot be shown as it is")
        if new and people is not None and commit.people != people:
            raise Refused(
                f"its commit {at[:10]} is not by {people[0]} <{people[1]}>, as whom its job was to commit"
            )
        if assignment.task.foreign and linked(commit.message):
            raise Refused(f"the message of its commit {at[:10]} names people or issues")
        if new and marks.get(commits.ANSWERS, "") != " ".join(assignment.task.answers):
            raise Refused(f"its commit {at[:10]} says that it answers what it was not asked")
        # Where the user's own title says so, it is wanted.
        if skips(commit.message) and (assignment.task.foreign or not skips(assignment.task.title)):
            raise Refused(f"the message of its commit {at[:10]} would turn its checks off")
        found.append(commit)
        at = commit.parents[0]
    return found[::-1], at


def _same(repo: Repository, one: Oid, base: Oid, people: tuple[str, ...] | None) -> bool:
    """Whether ``one`` is ``base``, or the same merge of the same needs that was made elsewhere at another time.

    Such a merge is by ``people``, where these are given.
    """
    if one == base:
        return True
    ours = commit_at(repo, base)
    if len(ours.parents) < 2:
        return False
    theirs = commit_at(repo, one)
    return (
        theirs.tree == ours.tree
        and len(theirs.parents) == len(ours.parents)
        and commits.TASK not in commits.trailers(theirs.message)
        and people in (None, theirs.people)
        and _showable(theirs)
        and not linked(theirs.message)
        and not skips(theirs.message)
        and all(_same(repo, a, b, people) for a, b in zip(theirs.parents, ours.parents, strict=True))
    )


def _showable(commit: Commit) -> bool:
    texts = (commit.message, *commit.people)
    return commit.readable and all(printable(text, limit=_MESSAGE) == text for text in texts)


def _inspect(
    repo: Repository, assignment: Assignment, parent: Oid, commit: Commit, allowance: Allowance
) -> None:
    """Raises Refused for what a manager would not have committed, GitError for too much of anything."""
    for found in differences(repo, parent, commit.oid, allowance):
        for sentence in _problems(repo, assignment, found):
            raise Refused(f"{first_sentence(sentence, 300)} (in its commit {commit.oid[:10]})")


def _problems(repo: Repository, assignment: Assignment, found: Difference) -> Iterator[str]:
    task = assignment.task
    if found.path.split("/", 1)[0].lower() == _OWN_FOLDER:
        yield f"{found.path}: {_OWN_FOLDER} is never committed"
    fact = Found(found.path, found.new is None, found.size, found.link, found.repository)
    yield from refusals(task, [fact], assignment.settings.max_file_size)
    if found.new is not None:
        new, old = content_of(repo, found.new), content_of(repo, found.old)
        if told := leak(task, assignment.secrets, found.path, new, old):
            yield told
