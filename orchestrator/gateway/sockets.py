"""Where the gateway's socket is: a folder only for this user, with a short name, since paths of sockets are limited.

A gateway that was killed leaves its folder behind; the next one of this user removes it.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

NAME = "gateway"
_PREFIX = "spinney-"
_SHORT = Path("/tmp")  # noqa: S108 - where the usual place has too long a name
_LONGEST = 90  # characters of a folder's path; the system takes some more than a hundred for a socket's
_YOUNG = 60.0  # seconds; between being made and being listened to, nobody answers at a socket
_ANSWER = 0.2  # seconds


def private_folder() -> Path:
    """A new one."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # mkdtemp makes it private
    if len(str(folder)) <= _LONGEST:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHORT))


def remove_dead(places: Iterable[Path] = ()) -> None:
    """Remove what killed gateways have left in ``places``, by default where folders are made. Never fails."""
    for place in set(places) or {Path(tempfile.gettempdir()), _SHORT}:
        for path in _dead(place):
            try:
                path.unlink()
                path.parent.rmdir()  # nothing is removed that is not a gateway's
            except OSError:
                continue


def _dead(place: Path) -> Iterator[Path]:
    """Sockets of this user's gateways at which nobody answers."""
    for folder in place.glob(f"{_PREFIX}*"):
        path = folder / NAME
        try:
            owner, status = folder.lstat(), path.lstat()
        except OSError:
            continue
        own = stat.S_ISDIR(owner.st_mode) and owner.st_uid == status.st_uid == os.getuid()
        old = time.time() - status.st_mtime > _YOUNG
        if own and old and stat.S_ISSOCK(status.st_mode) and _is_refused(path):
            yield path


def _is_refused(path: Path) -> bool:
    """Whether nobody listens; one who is too busy to answer does."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWER)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
