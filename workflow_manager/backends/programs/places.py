"""Where a program is, and what of the machine it needs to see in order to run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def located(program: str, path: str) -> Path | None:
    """The file that ``program`` is, links followed; ``path`` is searched as in the environment."""
    found = shutil.which(os.path.expanduser(program), path=path)
    return Path(found).resolve() if found else None


def needs(program: Path) -> tuple[str, ...]:
    """What has to be readable for the file ``program`` to run, beside the system and the toolchains.

    Never more than the program's own installation: its folder may be one in which secrets lie.
    """
    parts = program.parts
    if "node_modules" in parts:
        return (str(Path(*parts[: parts.index("node_modules") + 1])),)
    environment = program.parent.parent
    if (environment / "pyvenv.cfg").is_file():
        return (str(environment),)
    return (str(program),)
