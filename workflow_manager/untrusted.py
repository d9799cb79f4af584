"""Reading small files that an agent may have written: no links, no pipes, nothing large, no surprises."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SMALL = 1024 * 1024  # bytes of an agent's own file that are read

Identity = tuple[int, int, int, int]  # inode, size, times of the last change of content and of status


def identity(path: Path) -> Identity | None:
    """What tells, without reading it, whether a file is still the one that was read; None where there is none.

    An agent can set the time of the content back, but not the one of the status. Two writes of one size within
    a tick of the clock (4 ms) look the same: what is read here was written by agents that have ended.
    """
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return None


def read_small(path: Path, limit: int = SMALL) -> bytes | None:
    """The content of ``.tasks/<AGENT>/<file>``, or None where it is missing, no file, or larger than ``limit``.

    Neither the file nor the two folders above it may be a link: an agent could have put one to anywhere there.
    """
    with (
        contextlib.suppress(OSError),
        _opened(path.parents[1]) as root,
        _opened(path.parent.name, root) as folder,
    ):
        fd = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
                data = file.read(limit + 1)
                return data if len(data) <= limit else None
    return None


def read_json(path: Path) -> Any:
    """A small JSON file that an agent may have written, or None where it is missing, large or broken."""
    data = read_small(path)
    return None if data is None else parsed(data)


def read_mapping(path: Path) -> dict[str, Any]:
    """As ``read_json``; empty where there is anything but a mapping."""
    found = read_json(path)
    return found if isinstance(found, dict) else {}


def parsed(data: bytes | str) -> Any:
    """``data`` as JSON, or None where it is broken, however deep."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(data)
    return None


@contextlib.contextmanager
def _opened(folder: Path | str, parent: int | None = None) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)
