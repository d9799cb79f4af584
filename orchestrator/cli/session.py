"""What commands share: finding the repository, and marking this process's children."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.containment import SESSION_VARIABLE

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.waits import Waits


def here() -> Place:
    """The repository around the current folder. Raises UserError where there is none."""
    from orchestrator.runs import find_place  # costs as much as everything else: not for --help

    return find_place(Path.cwd())


def here_alone() -> Place:
    """Like ``here``, for commands that need the repository's lock: says at once where another holds it."""
    from shared.lock import refuse_held

    place = here()
    refuse_held(place.state)
    return place


def mark_session() -> dict[str, str]:
    """Give every process started from here a mark, by which the watchdog finds them.

    Returns the keys that the environment held: from here on no child has them in its own.
    """
    from shared.credentials import take_from_environment

    os.environ[SESSION_VARIABLE] = secrets.token_hex(8)
    return take_from_environment(os.environ)


def waits(*, quiet: bool = False) -> Waits:
    """Says on standard error what is waited for, which leaves standard output to machines."""
    from orchestrator.waits import SILENT, Waits
    from shared.text import printable

    return SILENT if quiet else Waits(lambda text: click.echo(printable(text), err=True))
