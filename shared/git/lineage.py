"""Commits that somebody else made: how they follow each other, and what each changed, whatever names they use."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from shared.errors import GitError
from shared.git.repository import Repository
from shared.git.trees import Entry
from shared.model import Oid

_LONGEST_LINK = 4096  # bytes
_LONGEST_PATH = 4096  # bytes; no system has longer ones


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


@dataclass(slots=True)
class Allowance:
    """What may still be looked at, over several commits."""

    paths: int  # folders that changed count as well
    size: int  # bytes of the files

    def take(self, paths: int, size: int) -> None:
        """Raises GitError where there is not so much left."""
        self.paths -= paths
        self.size -= size
        if self.paths < 0 or self.size < 0:
            raise GitError(f"it changes too {'many paths' if self.paths < 0 else 'much'}")


def differences(repo: Repository, old: Oid, new: Oid, allowance: Allowance) -> Iterator[Difference]:
    """What differs between two trees or commits; a change of kind is two of them.

    Looked up one by one: a few small trees that hold each other can spell out more paths than any memory holds.
    So can one large file under many names. Raises GitError behind the allowance, and for a path that is too long.
    """
    folders: list[tuple[bytes, pygit2.Tree | None, pygit2.Tree | None]]
    folders = [(b"", repo[old].peel(pygit2.Tree), repo[new].peel(pygit2.Tree))]
    while folders:
        above, before, after = folders.pop()
        for name, was, now in _changed(before, after):
            allowance.take(1, 0)
            path = above + name
            if len(path) > _LONGEST_PATH:
                raise GitError(f"it changes a path with more than {_LONGEST_PATH} bytes")
            below = _folder(was), _folder(now)
            if below != (None, None):
                folders.append((path + b"/", *below))
            for one, other in _sides(_entry(was), _entry(now)):
                found = Difference(os.fsdecode(path), one, other, *_facts(repo, other))
                allowance.take(0, found.size)
                yield found


def _changed(
    before: pygit2.Tree | None, after: pygit2.Tree | None
) -> Iterator[tuple[bytes, pygit2.Object | None, pygit2.Object | None]]:
    """Entries of two folders that are not the same."""
    left = {_name(one): one for one in before or ()}
    for now in after or ():
        was = left.pop(_name(now), None)
        if was is None or (was.id, was.filemode) != (now.id, now.filemode):
            yield _name(now), was, now
    for name, was in left.items():
        yield name, was, None


def _name(entry: pygit2.Object) -> bytes:
    return entry.raw_name or b""


def _folder(found: pygit2.Object | None) -> pygit2.Tree | None:
    return found if isinstance(found, pygit2.Tree) else None


def _entry(found: pygit2.Object | None) -> Entry | None:
    """Nothing for a folder, which is there by what is in it."""
    if found is None or found.filemode == FileMode.TREE:
        return None
    return Oid(str(found.id)), int(found.filemode)


def _sides(old: Entry | None, new: Entry | None) -> Iterator[tuple[Entry | None, Entry | None]]:
    """One difference, or two where one kind of file took another's place."""
    if old is not None and new is not None and stat.S_IFMT(old[1]) != stat.S_IFMT(new[1]):
        yield old, None
        yield None, new
    elif old is not None or new is not None:
        yield old, new


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
