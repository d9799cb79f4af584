"""What lies in a worktree that agents have worked in, as facts for inspection."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from shared.git import changes as worktree_changes
from workflow_manager.inspection import Found, encodable


def storable(paths: Sequence[str]) -> list[str]:
    """Those that can be made objects: neither nested repositories nor names that git cannot hold."""
    return [path for path in paths if not path.endswith("/") and encodable(path)]


def has_markers(path: Path) -> bool:
    """Whether a file still holds the marks that a conflict leaves."""
    if path.is_symlink() or not path.is_file():
        return False
    lines = path.read_bytes().splitlines()
    return any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in lines)


def found_at(root: Path, path: str) -> Found:
    status = worktree_changes.status_of(root, path)
    if status is None:
        return Found(path, gone=True)
    if stat.S_ISDIR(status.st_mode):  # git names a folder for being a repository, or in place of a file
        repository = path.endswith("/") or os.path.lexists(root / path / ".git")
        return Found(path.rstrip("/"), gone=not repository, repository=repository)
    link = os.readlink(root / path) if stat.S_ISLNK(status.st_mode) else None
    return Found(path, size=status.st_size, link=link)
