"""What the user's checkout and git directory look like, to tell afterwards what was written there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.git.program import Git

# Files in git's directory that make programs run, or that lead git elsewhere.
_CONTROL = ("config", "config.worktree", "objects/info/alternates")
_CONTROL_FOLDERS = ("hooks", "info")
_HARMLESS = "/info/refs"  # a list that `git gc` writes for readers over plain HTTP
_STANDING = ("HEAD", "description", "shallow")  # what is checked out
_OURS = ("refs/heads/spinney/", "refs/spinney/")
_STAGED = re.compile(rb"[0-7]{6} [0-9a-f]{40} [0-3]\t")


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
    # What is kept in files that others write as well, by the file that would have been written.
    values: Mapping[str, str] = field(default_factory=dict)

    def differences(self, later: Fingerprint) -> dict[str, float | None]:
        """Paths that differ, with the time of the last write in seconds since the epoch.

        For a removed one that is the last change of its folder; None where that is gone as well.
        """
        found: dict[str, float | None] = {}
        for path, mark in later.files.items():
            if self.files.get(path) != mark:
                found[path] = mark.changed_ns / 1e9
        # A new ref takes nothing from anybody: agents that nothing holds may make branches.
        changed = {path for path, value in self.values.items() if later.values.get(path, value) != value}
        gone = (self.files.keys() - later.files.keys()) | (self.values.keys() - later.values.keys())
        for path in changed | gone:
            found[path] = _last_change(path)
        return found


def _last_change(path: str) -> float | None:
    for place in (path, os.path.dirname(path)):
        with contextlib.suppress(OSError):
            return os.lstat(place).st_ctime_ns / 1e9
    return None


def take(git_dir: str, checkout: str, ours: Iterable[str] = ()) -> Fingerprint:
    """Fingerprint ``checkout`` and what git keeps of it.

    That is its tracked and its untracked, not ignored, files, git's control files, what is staged, and every
    ref but ``ours``, which are full names, and Spinney's own.
    """
    marks: dict[str, Mark] = {}
    git = Git(git_dir, checkout)
    listed = git.run("ls-files", "-z", "--stage", "--cached", "--others", "--exclude-standard").split(b"\0")
    staged = hashlib.sha256()
    root = os.fsencode(checkout)
    for name in listed:
        if _STAGED.match(name):
            staged.update(name + b"\0")
            name = name.partition(b"\t")[2]
        if name:
            _mark(marks, os.fsdecode(root + b"/" + name))
    for standing in _STANDING:
        _mark(marks, f"{git_dir}/{standing}")
    values = {**_refs(git_dir, frozenset(ours)), f"{git_dir}/index": staged.hexdigest()}
    return Fingerprint({**marks, **take_control(git_dir).files}, values)


def take_control(git_dir: str) -> Fingerprint:
    """Fingerprint what makes git run programs or look elsewhere; takes a fraction of a millisecond."""
    marks: dict[str, Mark] = {}
    for control in _CONTROL:
        _mark(marks, f"{git_dir}/{control}")
    for folder in _CONTROL_FOLDERS:
        _mark_below(marks, f"{git_dir}/{folder}")
    marks.pop(f"{git_dir}{_HARMLESS}", None)
    return Fingerprint(marks)


def marks_of(root: str, names: Iterable[str]) -> dict[str, Mark]:
    """Of the files ``names`` below ``root``, and of all that lies below those that are folders."""
    marks: dict[str, Mark] = {}
    for name in names:
        _mark(marks, f"{root}/{name.rstrip('/')}")
        _mark_below(marks, f"{root}/{name.rstrip('/')}")
    return marks


def _mark_below(marks: dict[str, Mark], folder: str) -> None:
    for parent, _, names in os.walk(folder):
        for file in names:
            _mark(marks, f"{parent}/{file}")


def _refs(git_dir: str, ours: frozenset[str]) -> dict[str, str]:
    """Where every ref of the user's points, by the file that it would be in."""
    found = {}
    listed = Git(git_dir).run("for-each-ref", "--format=%(refname) %(objectname) %(symref)")
    for line in listed.decode(errors="surrogateescape").splitlines():
        name, _, value = line.partition(" ")
        if name not in ours and not name.startswith(_OURS):
            found[f"{git_dir}/{name}"] = value
    return found


def _mark(marks: dict[str, Mark], path: str) -> None:
    try:
        status = os.lstat(path)
    except OSError:
        return
    marks[path] = Mark(status.st_ino, status.st_size, status.st_mode, status.st_ctime_ns)
