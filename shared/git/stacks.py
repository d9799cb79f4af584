"""What a task's branch holds over its base, by ancestry and trailers: its own commits, and whose lie below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pygit2

from shared.errors import GitError
from shared.git.commits import ANSWERS, TASK, trailers
from shared.git.repository import Repository, is_ancestor
from shared.model import Oid

_LOOKED_AT = 2000  # commits over the base


@dataclass(frozen=True, slots=True)
class Stack:
    own: tuple[
        Oid, ...
    ]  # oldest first: from its task's first commit on, with what people put among and on them
    cut: Oid  # what they stand on; the tip where none is its task's
    below: frozenset[str]  # tasks whose commits lie between ``cut`` and the base
    based: bool  # whether the base's tip is in it
    merges: bool  # whether one of its own is a merge
    answers: Mapping[frozenset[str], Oid]  # what each of its own rounds of fixes answers, and its last commit


def stack(repo: Repository, tip: Oid, base: Oid | None, task: str) -> Stack:
    """``base`` is the base's tip; None where it is gone. Raises GitError where a commit is missing, as in a clone
    that is shallow."""
    try:
        over = _over(repo, [tip], base)
        chain = _first_parents(repo, tip, over)
        ours = [index for index, commit in enumerate(chain) if trailers(commit.message).get(TASK) == task]
        own = chain[: ours[-1] + 1][::-1] if ours else []
        cut = Oid(str(own[0].parent_ids[0])) if own and own[0].parent_ids else tip
        below = _tasks(repo, _over(repo, [cut], base)) - {task} if own and base is not None else frozenset()
        return Stack(
            own=tuple(Oid(str(commit.id)) for commit in own),
            cut=cut,
            below=frozenset(below),
            based=base is not None and is_ancestor(repo, base, tip),
            merges=any(len(commit.parent_ids) > 1 for commit in own),
            answers={
                frozenset(words.split()): Oid(str(commit.id))
                for commit in own
                if (words := trailers(commit.message).get(ANSWERS, ""))
            },
        )
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise GitError(f"the history of {tip[:10]} is not whole here: {error}") from error


def _over(repo: Repository, tips: Iterable[Oid], base: Oid | None) -> frozenset[pygit2.Oid]:
    """Commits that are in one of ``tips`` and not in ``base``, the newest ones where there are very many."""
    walker = repo.walk(None)
    for tip in tips:
        walker.push(pygit2.Oid(hex=tip))
    if base is not None:
        walker.hide(pygit2.Oid(hex=base))
    return frozenset(commit.id for commit, _ in zip(walker, range(_LOOKED_AT), strict=False))


def _first_parents(repo: Repository, tip: Oid, among: frozenset[pygit2.Oid]) -> list[pygit2.Commit]:
    """Newest first."""
    found = []
    at = pygit2.Oid(hex=tip)
    while at in among:
        commit = repo[at].peel(pygit2.Commit)
        found.append(commit)
        if not commit.parent_ids:
            break
        at = commit.parent_ids[0]
    return found


def _tasks(repo: Repository, commits: Iterable[pygit2.Oid]) -> frozenset[str]:
    marks = (trailers(repo[oid].peel(pygit2.Commit).message).get(TASK) for oid in commits)
    return frozenset(task for task in marks if task)


Relation = Literal["same", "ahead", "behind", "apart"]


def relation(repo: Repository, here: Oid, there: Oid) -> Relation:
    """How a branch here stands to the same one elsewhere."""
    if here == there:
        return "same"
    if is_ancestor(repo, there, here):
        return "ahead"
    return "behind" if is_ancestor(repo, here, there) else "apart"


def all_of_task(repo: Repository, tip: Oid, base: Oid, task: str) -> bool:
    """Whether every commit of ``tip`` that is not in ``base`` is one that Spinney made for ``task``."""
    marks = (trailers(repo[oid].peel(pygit2.Commit).message) for oid in _over(repo, [tip], base))
    return all(found.get(TASK) == task for found in marks)


def is_round(repo: Repository, commit: Oid) -> bool:
    """Whether it is the commit of a round of fixes."""
    return ANSWERS in trailers(repo[commit].peel(pygit2.Commit).message)
