"""Files replaced whole and made durable, never truncated in place."""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from shared.errors import SpinneyError


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, data: bytes | str, *, durable: bool = False) -> None:
    """Write ``data`` beside ``path`` and rename it over: a reader sees the old file or the new one."""
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    # As few calls of the system as can be: agents leave half a dozen such files each.
    temporary = os.path.join(path.parent, f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        try:
            _write(fd, raw)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def _write(fd: int, data: bytes) -> None:
    """All of ``data``, and a mode that does not depend on the user's umask."""
    os.fchmod(fd, 0o644)
    while data:  # a full disk can take a part of it
        data = data[os.write(fd, data) :]


def replace_json(path: Path, value: object, *, durable: bool = False) -> None:
    replace_file(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", durable=durable)


def read_bounded(path: Path, limit: int) -> bytes:
    """A plain file that somebody else wrote. Raises SpinneyError where it is none, or has more than ``limit`` bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SpinneyError(f"{path.name} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # open() below refuses a folder in words of its own
        os.close(fd)
        raise SpinneyError(f"{path.name} is not a plain file")
    with open(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SpinneyError(f"{path.name} has more than {limit // 1024} KiB")
    return data
