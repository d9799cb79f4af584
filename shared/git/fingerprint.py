"""What the user's checkout and git directory look like, to tell afterwards what was written there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.git.program import Git

# Files in git's directory that make programs run or that say what is checked out.
_CONTROL = ("config", "config.worktree", "HEAD", "description", "shallow")
_CONTROL_FOLDERS = ("hooks", "info")


@dataclass(frozen=True, slots=True)
class Mark:
    """A file's state: anything that writes to it changes the inode's change time, which cannot be set."""

    inode: int
    size: int
    mode: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    files: Mapping[str, Mark]  # absolute path → mark

    def differences(self, later: Fingerprint) -> dict[str, float | None]:
        """Paths that differ, with the time of the last write in seconds since the epoch.

        For a removed one that is the last change of its folder; None where that is gone as well.
        """
        found: dict[str, float | None] = {}
        for path, mark in later.files.items():
            if self.files.get(path) != mark:
                found[path] = mark.changed_ns / 1e9
        for path in self.files.keys() - later.files.keys():
            found[path] = None
            with contextlib.suppress(OSError):
                found[path] = Path(path).parent.lstat().st_ctime_ns / 1e9
        return found


def take(git_dir: str, checkout: str) -> Fingerprint:
    """Fingerprint the tracked and the untracked, not ignored, files of ``checkout``, and git's control files."""
    marks: dict[str, Mark] = {}
    listed = Git(git_dir, checkout).run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    root = os.fsencode(checkout)
    for name in listed.split(b"\0"):
        if name:
            _mark(marks, os.fsdecode(root + b"/" + name))
    for control in _CONTROL:
        _mark(marks, f"{git_dir}/{control}")
    for folder in _CONTROL_FOLDERS:
        for parent, _, names in os.walk(Path(git_dir, folder)):
            for file in names:
                _mark(marks, f"{parent}/{file}")
    return Fingerprint(marks)


def _mark(marks: dict[str, Mark], path: str) -> None:
    try:
        status = os.lstat(path)
    except OSError:
        return
    marks[path] = Mark(status.st_ino, status.st_size, status.st_mode, status.st_ctime_ns)
