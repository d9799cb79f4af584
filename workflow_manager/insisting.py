"""Files of ours in folders where agents write: they get there, whatever an agent has put in their way.

An agent may remove a folder, close it, put a file or a link in its place, and swap the two as fast as it can. No link
is followed, and nothing is written, renamed or removed outside the root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from workflow_manager.beneath import replace_in

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What somebody changed between two of our steps; the next time all is looked at anew.
_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY})
_TIMES = 100  # more than anybody is fast enough to spoil


def folder(root: Path, path: Path) -> Path:
    """``path``, which is below ``root``, as a folder; those above it as well. Raises OSError."""

    def look(_: int) -> None:
        """It is open, so it is there."""

    _insist(root, path, look)
    return path


def replace(root: Path, path: Path, text: str) -> None:
    """Write a file below ``root`` whole; a folder in its place is put aside. Raises OSError."""
    data = text.encode(errors="replace")

    def write(folder: int) -> None:
        try:
            replace_in(folder, path.name, data)
        except IsADirectoryError:  # not removed: it may be large, or closed
            _rename(folder, path.name, f".{path.name[:100]}.{secrets.token_hex(8)}")
            replace_in(folder, path.name, data)

    _insist(root, path.parent, write)


def put_aside(root: Path, path: Path, names: tuple[str, ...]) -> None:
    """Rename those of ``names`` that are in the folder ``path`` to ``earlier.…``, as far as it can be done."""

    def rename(folder: int) -> None:
        for name in names:
            with contextlib.suppress(OSError):
                os.stat(
                    name, dir_fd=folder, follow_symlinks=False
                )  # mostly there is none, and this is cheaper
                _rename(folder, name, f"earlier.{name}")

    _insist(root, path, rename)


def _rename(folder: int, name: str, to: str) -> None:
    os.replace(name, to, src_dir_fd=folder, dst_dir_fd=folder)


def _insist(root: Path, path: Path, do: Callable[[int], None]) -> None:
    """``do`` something in the open folder ``path``, from the root on again where somebody takes it away meanwhile."""
    parts = path.relative_to(root).parts
    for left in reversed(range(_TIMES)):
        try:
            with _opened(root, parts) as folder:
                return do(folder)
        except OSError as error:
            if error.errno not in _CHANGED or not left:
                raise
    return None


@contextlib.contextmanager
def _opened(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # the root is ours to name
    try:
        for part in parts:
            following = _step(fd, part)
            os.close(fd)
            fd = following
        yield fd
    finally:
        os.close(fd)


def _step(parent: int, name: str) -> int:
    """A descriptor of the folder ``name``, which is made and opened up where that is needed."""
    try:
        fd = os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        _put_right(parent, name, error)
        fd = os.open(name, _FOLDER, dir_fd=parent)
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(fd, mode | stat.S_IRWXU)
    return fd


def _put_right(parent: int, name: str, error: OSError) -> None:
    """Make a folder of what could not be opened as one."""
    if error.errno == errno.EACCES:
        _open_up(parent, name)
    elif error.errno != errno.ENOENT:
        os.unlink(name, dir_fd=parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)


def _open_up(parent: int, name: str) -> None:
    """Let ourselves into a folder, and never into what a link leads to."""
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(name, stat.S_IRWXU, dir_fd=parent, follow_symlinks=False)
        return
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)
    finally:
        os.close(fd)
