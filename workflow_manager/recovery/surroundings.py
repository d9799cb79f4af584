"""A look at the worktree in which a command failed."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from workflow_manager.backends.port import AgentCall
from workflow_manager.recovery.proposals import Surroundings
from workflow_manager.untrusted import read_small

_MOST = 2000  # names of a folder that are looked at
_PROGRAMS = (".venv/bin", "node_modules/.bin")


def look(call: AgentCall) -> Surroundings:
    root = str(call.worktree)
    programs = (f"{folder}/{name}" for folder in _PROGRAMS for name in _names(f"{root}/{folder}"))
    return Surroundings(
        root,
        frozenset(_names(root)),
        frozenset(programs),
        _ignored(call.worktree),
        network=call.containment.sandbox is None,
    )


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, _MOST)]
    except OSError:
        return []


def _ignored(root: Path) -> frozenset[str]:
    """Plain names in .gitignore; what a pattern would match besides is not worth the trouble."""
    text = (read_small(root / ".gitignore") or b"").decode(errors="replace")
    return frozenset(line.strip().strip("/") for line in text.splitlines() if line.strip())
