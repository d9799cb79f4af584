"""What of a repository's git directory an agent in a sandbox may see: enough for status, diff and log.

A list of what is there, not of what is hidden: hooks, settings, reflogs, ``FETCH_HEAD`` (with its addresses),
other worktrees' folders and Spinney's own state are not on it. See adr/0012.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import pygit2

_SHOWN = ("objects", "refs", "packed-refs", "shallow", "info/exclude", "info/attributes")
# How files are to be read. Everything that runs a program, names a server or could be a credential stays out.
_SETTINGS = (
    *("core.repositoryformatversion", "core.filemode", "core.bare", "core.symlinks", "core.ignorecase"),
    *("core.precomposeunicode", "core.protecthfs", "core.protectntfs", "core.autocrlf", "core.eol"),
    *("core.safecrlf", "core.quotepath", "core.abbrev", "extensions.objectformat", "user.name", "user.email"),
    *("diff.renames", "diff.algorithm", "diff.mnemonicprefix", "log.date", "i18n.commitencoding"),
)


def shown(git_dir: str, admin_dir: str) -> tuple[str, ...]:
    """Paths that are there: the common directory's contents, the worktree's own folder, borrowed objects."""
    listed = [f"{git_dir}/{name}" for name in _SHOWN]
    return tuple(path for path in (*listed, admin_dir, *_alternates(git_dir)) if Path(path).exists())


def _alternates(git_dir: str) -> Iterable[str]:
    """Object stores of other repositories that this one borrows from, and theirs."""
    found: list[str] = []
    todo = [Path(git_dir, "objects")]
    while todo:
        store = todo.pop()
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in (store / "info/alternates").read_text().splitlines():
                other = (store / line).resolve()
                if line and not line.startswith("#") and str(other) not in found and other.is_dir():
                    found.append(str(other))
                    todo.append(other)
    return found


def settings_without_secrets(git_dir: str) -> str:
    """The repository's settings as an agent sees them: those that say how files are read, and who commits."""
    path = Path(git_dir, "config")
    lines = []
    if path.is_file():
        for entry in pygit2.Config(str(path)):
            if entry.name.lower() in _SETTINGS and entry.value is not None:
                section, _, key = entry.name.partition(".")
                lines.append(f"[{section}]\n\t{key} = {_quoted(entry.value)}\n")
    return "".join(lines)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def link_of(admin_dir: str) -> str:
    """The contents of a worktree's ``.git`` file."""
    return f"gitdir: {admin_dir}\n"
