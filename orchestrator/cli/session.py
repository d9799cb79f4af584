"""What commands share: finding the repository, and marking this process's children."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from orchestrator.runs import Place, find_place
from shared.containment import SESSION_VARIABLE


def here() -> Place:
    """The repository around the current folder. Raises UserError where there is none."""
    return find_place(Path.cwd())


def mark_session() -> None:
    """Give every process started from here a mark, by which the watchdog finds them."""
    os.environ[SESSION_VARIABLE] = secrets.token_hex(8)
