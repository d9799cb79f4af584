"""Watching how large a worktree gets: no limit of the system's holds a folder, only each file in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.model import Limits

_GIB = 1024**3


def free_bytes(place: str) -> int:
    """What an ordinary user may still write where ``place`` is."""
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def size_of(folder: str, enough: int) -> int:
    """Bytes on disk below ``folder``; counting stops at ``enough``. Links are not followed."""
    total, todo = 0, [folder]
    while todo and total < enough:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except OSError:  # it went away meanwhile
            continue
    return total


@dataclass(slots=True)
class Growth:
    """One worktree, from when its task started. To look costs one call, until there is a reason to count."""

    worktree: str
    limit: int = Limits().worktree  # bytes
    free: Callable[[str], int] = free_bytes
    size: Callable[[str, int], int] = size_of
    _before: int = field(init=False)

    def __post_init__(self) -> None:
        self._before = 0
        with contextlib.suppress(OSError):  # it is not there: whoever works in it says so better
            self._before = self.free(self.worktree)
            # Something has to be left for the others, and for writing down what became of this one.
            self.limit = min(self.limit, self._before * 4 // 5)

    def problem(self) -> str:
        """Why its agents must be stopped, or nothing."""
        try:
            if self._before - self.free(self.worktree) < self.limit:
                return ""  # nobody can have written that much
        except OSError:
            return ""
        held = self.size(self.worktree, self.limit)
        if held < self.limit:
            return ""
        return f"its worktree has grown to {held / _GIB:.1f} GB, which is all that one may have"
