"""What changed in a worktree, and turning it into objects."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from shared.git.program import Git
from shared.git.trees import Changes, Entry, changed_paths
from shared.model import Oid

TASK_FOLDER = ".tasks"


def scan(admin_dir: str, worktree: str, repo: pygit2.Repository, since: Oid, head: Oid) -> tuple[str, ...]:
    """Paths in ``worktree`` that differ from commit ``since``, sorted; ignored files are not among them.

    ``head`` is the commit the branch is at: it differs from ``since`` where an agent committed by itself.
    The program finds the paths (half the time of libgit2), with both directories given and submodules
    unread, so that nothing an agent wrote can make it run anything.
    """
    listed = Git(admin_dir, worktree).run(
        "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all"
    )
    paths = {os.fsdecode(record[3:]) for record in listed.split(b"\0") if record}
    if head != since:
        paths.update(changed_paths(repo, since, head))
    return tuple(sorted(path for path in paths if path.partition("/")[0] != TASK_FOLDER))


def read_entry(repo: pygit2.Repository, worktree: str, path: str) -> Entry | None:
    """The content of ``path`` in the worktree as an object; None where there is nothing.

    A folder counts as nothing: what is in it is named by its own paths, and a nested repository is refused
    by inspection before it comes here.
    """
    status = status_of(worktree, path)
    if status is None or stat.S_ISDIR(status.st_mode):
        return None
    try:
        oid = Oid(str(repo.create_blob_fromworkdir(path)))
    except (KeyError, OSError, pygit2.GitError):
        if status_of(worktree, path) is None:
            return None  # it went while we looked
        raise
    if stat.S_ISLNK(status.st_mode):
        return oid, FileMode.LINK
    executable = status.st_mode & stat.S_IXUSR
    return oid, FileMode.BLOB_EXECUTABLE if executable else FileMode.BLOB


def status_of(worktree: str | Path, path: str) -> os.stat_result | None:
    """The status of ``path`` itself; None where there is nothing, which includes what lies behind a link.

    A tracked folder can have been replaced by a link: git does not look through it, and neither do we.
    """
    *folders, _ = path.rstrip("/").split("/")
    place = Path(worktree)
    for folder in folders:
        place /= folder
        if place.is_symlink():
            return None
    try:
        return os.lstat(Path(worktree, path.rstrip("/")))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_changes(repo: pygit2.Repository, worktree: str, paths: Iterable[str]) -> Changes:
    return {path: read_entry(repo, worktree, path) for path in paths}


def update_index(repo: pygit2.Repository, changes: Changes) -> None:
    """Bring the worktree's index to what was committed, so that the next scan and the agents' git are clean."""
    index = repo.index
    index.read(False)
    for path, entry in changes.items():
        if entry is not None:
            # Without the file's times: git reads just these files once more, where adding by path would
            # hash and write each of them a second time here.
            index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=entry[0]), FileMode(entry[1])))
        elif path in index:
            index.remove(path)
    try:
        index.write()
    except pygit2.GitError as error:
        if "lock" not in str(error).lower():
            raise  # an agent's own git has it: the next scan is slower, and finds the same


def write_out(repo: pygit2.Repository, worktree: str, changes: Changes) -> None:
    """Bring files of the worktree to ``changes``; folders that become empty go."""
    root = Path(worktree)
    for path, entry in sorted(changes.items(), key=lambda item: item[1] is not None):
        target = root / path
        if target.is_symlink() or target.is_file():
            target.unlink()
        if entry is None:
            for folder in target.parents:
                if folder == root or any(folder.iterdir()):
                    break
                folder.rmdir()
            continue
        oid, mode = entry
        inside = [folder for folder in target.parents if folder.is_relative_to(root) and folder != root]
        for folder in reversed(inside):
            if folder.is_symlink() or folder.is_file():
                folder.unlink()  # never write through a link that an agent put there
        if target.is_dir():
            shutil.rmtree(target)  # only ignored files can be left in it
        target.parent.mkdir(parents=True, exist_ok=True)
        data = repo[oid].read_raw()
        if mode == FileMode.LINK:
            target.symlink_to(os.fsdecode(data))
        else:
            target.write_bytes(data)
            target.chmod(0o755 if mode == FileMode.BLOB_EXECUTABLE else 0o644)
