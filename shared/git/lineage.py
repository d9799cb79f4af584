"""Commits that somebody else made: how they follow each other, and what each changed, whatever names they use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pygit2
from pygit2.enums import DeltaStatus, FileMode

from shared.errors import GitError
from shared.git.repository import Repository
from shared.git.trees import Entry
from shared.model import Oid

_LONGEST_LINK = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Commit:
    oid: Oid
    parents: tuple[Oid, ...]
    tree: Oid
    message: str
    people: tuple[str, ...]  # author and committer, names and addresses
    readable: bool  # all of that is UTF-8, and said to be


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that a commit changed; bytes of its name that are no UTF-8 are escaped as ``os.fsdecode`` does."""

    path: str
    old: Entry | None
    new: Entry | None
    size: int  # bytes of ``new``; 0 where it is gone
    link: str | None  # where it leads, for a symbolic link
    repository: bool  # ``new`` is a commit of another repository


def commit_at(repo: Repository, oid: Oid) -> Commit:
    """Raises GitError where ``oid`` is not a commit that is there."""
    try:
        found: object = repo[oid]
    except (KeyError, ValueError):
        raise GitError(f"the commit {oid[:10]} is not there") from None
    if not isinstance(found, pygit2.Commit):
        raise GitError(f"{oid[:10]} is not a commit")
    named = [name for who in (found.author, found.committer) for name in (who.raw_name, who.raw_email)]
    texts = [raw.decode(errors="replace") for raw in (found.raw_message, *named)]
    readable = found.message_encoding in (None, "", "utf-8", "UTF-8") and not any(
        "\ufffd" in t for t in texts
    )
    parents = tuple(Oid(str(parent)) for parent in found.parent_ids)
    return Commit(oid, parents, Oid(str(found.tree_id)), texts[0], tuple(texts[1:]), readable)


def differences(repo: Repository, old: Oid, new: Oid) -> Iterator[Difference]:
    """What differs between two trees or commits; a change of kind is two of them."""
    diff = repo[old].peel(pygit2.Tree).diff_to_tree(repo[new].peel(pygit2.Tree))
    for delta in diff.deltas:
        before = None if delta.status == DeltaStatus.ADDED else _entry(delta.old_file)
        after = None if delta.status == DeltaStatus.DELETED else _entry(delta.new_file)
        path = os.fsdecode((delta.old_file if after is None else delta.new_file).raw_path)
        yield Difference(path, before, after, *_facts(repo, after))


def _entry(file: pygit2.DiffFile) -> Entry:
    return Oid(str(file.id)), int(file.mode)


def _facts(repo: Repository, entry: Entry | None) -> tuple[int, str | None, bool]:
    """Size, where a link leads, and whether it is another repository."""
    if entry is None:
        return 0, None, False
    if entry[1] == FileMode.COMMIT:
        return 0, None, True
    _, size = repo.odb.read_header(entry[0])
    if entry[1] != FileMode.LINK:
        return size, None, False
    # No system makes a link with a longer target; it is not read, and said to lead out.
    return size, os.fsdecode(repo[entry[0]].read_raw()) if size <= _LONGEST_LINK else "/", False
