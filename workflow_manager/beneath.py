"""Files below one folder, reached without following a link, whatever is swapped while we walk.

Each folder on the way is opened from the one before with ``O_NOFOLLOW``, so that a link, also one that appears between
two steps, is an error and never a way out. Files are replaced whole, in their own folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unreachable(Exception):
    """A path that is refused or is not what it should be; its text is for the agent."""


@contextlib.contextmanager
def opened_folder(root: Path, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder ``parts`` below ``root``; with ``create`` it and those above it are made.

    Raises Unreachable where one of them is a link, no folder, or missing.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # the root is ours to name
    try:
        for depth, part in enumerate(parts, 1):
            try:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=fd)
                following = os.open(part, _FOLDER, dir_fd=fd)
            except OSError as error:
                raise _refused("/".join(parts[:depth]), error, fd, part) from error
            os.close(fd)
            fd = following
        yield fd
    finally:
        os.close(fd)


def read(root: Path, parts: tuple[str, ...], limit: int) -> tuple[bytes, int]:
    """At most ``limit`` bytes of a file, and its whole size. Raises Unreachable."""
    with opened_folder(root, parts[:-1]) as folder:
        try:
            fd = os.open(parts[-1], _FILE, dir_fd=folder)
        except OSError as error:
            raise _refused("/".join(parts), error, folder, parts[-1]) from error
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise Unreachable(f"{'/'.join(parts)} is {_kind(status.st_mode)}")
        with os.fdopen(fd, "rb") as file:
            return file.read(limit), status.st_size


def is_folder(root: Path, parts: tuple[str, ...]) -> bool:
    """Whether there is a folder, not a link to one. Raises Unreachable where the way to it is barred."""
    if not parts:
        return True
    with opened_folder(root, parts[:-1]) as folder, contextlib.suppress(FileNotFoundError):
        return stat.S_ISDIR(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mode)
    return False


def write(root: Path, parts: tuple[str, ...], data: bytes) -> bool:
    """Replace a file whole, or make it and the folders above it; returns whether it is new. Raises Unreachable.

    What was there keeps its mode. A link, a folder or a pipe in its place is refused; other names of the same file
    (hard links) keep the old content.
    """
    shown = "/".join(parts)
    with opened_folder(root, parts[:-1], create=True) as folder:
        mode = _mode(folder, parts[-1], shown)
        try:
            replace_in(folder, parts[-1], data, mode or 0o644)
        except OSError as error:
            raise Unreachable(f"{shown} cannot be written: {error.strerror}") from error
    return mode == 0


def make(root: Path, parts: tuple[str, ...], data: bytes) -> bool:
    """Make a file, and the folders above it, unless there is anything of that name; returns whether it did.

    Raises Unreachable.
    """
    with opened_folder(root, parts[:-1], create=True) as folder, contextlib.suppress(FileNotFoundError):
        os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        return False
    return write(root, parts, data)


def exists(root: Path, parts: tuple[str, ...]) -> bool:
    """Whether there is anything, also a link, that can be reached without following one."""
    with contextlib.suppress(Unreachable, OSError), opened_folder(root, parts[:-1]) as folder:
        os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        return True
    return False


def remove(root: Path, parts: tuple[str, ...]) -> None:
    """Remove what is no folder, a link and not what it leads to. Nothing where there is nothing, or no way to it."""
    with contextlib.suppress(Unreachable, OSError), opened_folder(root, parts[:-1]) as folder:
        os.unlink(parts[-1], dir_fd=folder)


def replace_in(folder: int, name: str, data: bytes, mode: int = 0o644) -> None:
    """Replace a file whole in the folder that is open as ``folder``, or a link, which is not followed.

    Raises OSError.
    """
    temporary = f".{name[:100]}.{secrets.token_hex(8)}"
    try:
        fd = os.open(temporary, _NEW, 0o600, dir_fd=folder)
        try:
            _fill(fd, data, mode)
        finally:
            os.close(fd)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _fill(fd: int, data: bytes, mode: int) -> None:
    os.fchmod(fd, mode)
    view = memoryview(data)
    while view:  # a full disk can take a part of it
        view = view[os.write(fd, view) :]


def _mode(folder: int, name: str, shown: str) -> int:
    """Permissions of the file that is there, 0 where there is none."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise Unreachable(f"{shown} cannot be written: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise Unreachable(f"{shown} is {_kind(status.st_mode)}, which is not written over")
    return stat.S_IMODE(status.st_mode) & 0o777 or 0o644


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a folder" if stat.S_ISDIR(mode) else "no ordinary file"


def _refused(shown: str, error: OSError, folder: int, name: str) -> Unreachable:
    """What to tell of a step that was not possible."""
    with contextlib.suppress(OSError):
        target = os.readlink(name, dir_fd=folder)
        return Unreachable(f"{shown} is a link to {target}; links are not followed, name the file itself")
    if error.errno == errno.ENOENT:
        return Unreachable(f"there is no {shown}")
    if error.errno == errno.ENOTDIR:
        return Unreachable(f"{shown} is no folder")
    return Unreachable(f"{shown} cannot be opened: {error.strerror}")


def walk(root: Path, parts: tuple[str, ...], most: int, skipped: frozenset[str]) -> Iterator[str]:
    """Paths of files and links below a folder, relative to ``root``, sorted folder by folder; a folder ends in ``/``.

    Looks at ``most`` names at most. Folders called as in ``skipped`` are left out. Raises Unreachable.
    """
    seen = 0
    with opened_folder(root, parts) as top:
        for folder, folders, files, here in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            folders[:] = sorted(name for name in folders if name not in skipped)
            for name in sorted([*files, *(name if _is_link(name, here) else f"{name}/" for name in folders)]):
                seen += 1
                if seen > most:
                    return
                yield os.path.normpath("/".join((*parts, folder, name))) + ("/" if name.endswith("/") else "")


def _is_link(name: str, folder: int) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    return False
