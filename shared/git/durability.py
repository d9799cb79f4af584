"""Objects on disk before a ref names them, flushed together rather than one by one.

libgit2 flushes a loose object and its folder before it writes the next one. Measured with 92 objects on a busy
disk: 480 ms that way, 60 ms when they are written first and then flushed by sixteen threads, because the file
system gathers flushes that wait at the same time into one write of its journal.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

_THREADS = 16
_FEW = 3  # files that are not worth a thread
# libgit2 has one switch for the whole process. Refs are written under the same lock, so always with it on.
switch = threading.Lock()


@contextlib.contextmanager
def flushed_later() -> Iterator[None]:
    """Objects written inside are not on disk until ``flush`` is given a commit that holds them."""
    with switch:
        pygit2.settings.enable_fsync_gitdir(False)
        try:
            yield
        finally:
            pygit2.settings.enable_fsync_gitdir(True)


def flush(repo: pygit2.Repository, commit: pygit2.Oid) -> None:
    """Make ``commit`` durable with everything that it has and its first parent has not."""
    found = repo[commit].peel(pygit2.Commit)
    before = found.parents[0].tree if found.parents else None
    objects = Path(_objects(repo))
    files = [
        path for oid in (commit, *_new(repo, before, found.tree)) if (path := _loose(objects, oid)).exists()
    ]
    _each(files)
    _each({path.parent for path in files} | {objects})


def _objects(repo: pygit2.Repository) -> str:
    git_dir = Path(repo.path)
    with contextlib.suppress(FileNotFoundError):
        git_dir = git_dir / (git_dir / "commondir").read_text().strip()
    return os.path.normpath(git_dir / "objects")


def _loose(objects: Path, oid: pygit2.Oid) -> Path:
    name = str(oid)
    return objects / name[:2] / name[2:]


def _new(repo: pygit2.Repository, old: pygit2.Tree | None, new: pygit2.Tree) -> Iterator[pygit2.Oid]:
    """Trees and blobs of ``new`` that ``old`` does not have at the same place."""
    if old is not None and old.id == new.id:
        return
    yield new.id
    before = {entry.name: entry for entry in old} if old is not None else {}
    for entry in new:
        same = before.get(entry.name)
        if (same is not None and same.id == entry.id) or entry.filemode == FileMode.COMMIT:
            continue
        if isinstance(entry, pygit2.Tree):
            yield from _new(repo, same if isinstance(same, pygit2.Tree) else None, entry)
        else:
            yield entry.id


def _each(paths: Iterable[Path]) -> None:
    listed = list(paths)
    if len(listed) <= _FEW:
        for path in listed:
            _fsync(path)
        return
    with ThreadPoolExecutor(min(_THREADS, len(listed))) as pool:
        list(pool.map(_fsync, listed))  # taking the results raises what went wrong


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
