"""A branch's own commits made again on another base, in memory: no worktree, no index, no ref is touched.

``git merge-tree`` takes no merge base before git 2.40. So each commit is merged with one made for the purpose, which
has the tree of the new base and the old parent as its parent: their merge base is that parent, and what comes out is
the new base with the commit's change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pygit2

from shared.errors import GitError
from shared.git.commits import signature
from shared.git.durability import switch
from shared.git.merges import Clean, Merger
from shared.git.repository import Repository, tree_of
from shared.model import Identity, Oid


@dataclass(frozen=True, slots=True)
class Stuck:
    """Nothing was made: this commit conflicts with the new base."""

    commit: Oid
    paths: tuple[str, ...]


def replay(
    repo: Repository, merger: Merger, own: Sequence[Oid], onto: Oid, identity: Identity
) -> Oid | Stuck:
    """The tip of ``own``, oldest first, on ``onto``; authors and messages stay, ``identity`` is the committer.

    A commit whose change is in the new base already is left out. Raises GitError where one of ``own`` is a merge or
    has no parent.
    """
    head = onto
    for oid in own:
        commit = repo[oid].peel(pygit2.Commit)
        if len(commit.parent_ids) != 1:
            raise GitError(
                f"{oid[:10]} cannot be made again elsewhere: it has {len(commit.parent_ids)} parents"
            )
        parent = Oid(str(commit.parent_ids[0]))
        if parent == head:
            head = oid
            continue
        stand_in = _commit(repo, tree_of(repo, head), parent, commit, identity)
        merge = merger.merge(stand_in, oid)
        if not isinstance(merge, Clean):
            return Stuck(oid, merge.paths)
        if merge.tree != tree_of(repo, head):
            head = _commit(repo, merge.tree, head, commit, identity)
    return head


def _commit(repo: Repository, tree: Oid, parent: Oid, like: pygit2.Commit, identity: Identity) -> Oid:
    """A commit that says what ``like`` says; no ref names it yet."""
    encoding = [like.message_encoding] if like.message_encoding else []
    with switch:
        oid = repo.create_commit(
            None,
            like.author,
            signature(identity),
            like.message,
            pygit2.Oid(hex=tree),
            [pygit2.Oid(hex=parent)],
            *encoding,
        )
    return Oid(str(oid))
