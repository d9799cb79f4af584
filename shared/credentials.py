"""Secrets that are handed to us: taken out of the environment before anything is started, or read from a file.

They are in the orchestrator's memory from then on, in no command line, no child's environment and no log.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import MutableMapping
from pathlib import Path

from shared.errors import UserError

MODELS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
GITHUB = ("GITHUB_TOKEN", "GH_TOKEN")
ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
APP_KEY = "SPINNEY_GITHUB_APP_KEY"
# With the next two a job of GitHub Actions gets tokens for other services, and writes to its cache.
_ACTIONS = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN")
NAMES = (*MODELS, *GITHUB, *ENTERPRISE, APP_KEY, *_ACTIONS)
_LONGEST = 16_384  # bytes of a file with a key


def take_from_environment(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Remove the keys from ``environ``, so that no process started from here has them, and return them."""
    return {name: _taken(name, environ) for name in NAMES if name in environ}


def _taken(name: str, environ: MutableMapping[str, str]) -> str:
    if environ is os.environ:
        _blank(name)
    return environ.pop(name)


def _blank(name: str) -> None:
    """Overwrite a variable's value where the kernel keeps what this process was started with.

    ``/proc/<pid>/environ`` shows that for as long as the process lives, and a child shows its parent's until it
    runs a program of its own: whoever has the same user could read it there.
    """
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    if place := libc.getenv(name.encode()):
        ctypes.memset(place, ord("x"), len(os.environb[name.encode()]))


def read_key(name: str, hint: str) -> str:
    """The key in the file ``name``; ``hint`` says how it is named.

    Raises UserError where it cannot be read, holds nothing, or others can read it.
    """
    path = Path(name).expanduser()
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(f"others can read {path}, which holds a key", f"chmod 600 {path}")
        with path.open("rb") as file:
            key = file.read(_LONGEST).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise UserError(f"the key file {path} cannot be read: {why}", hint) from None
    if not key:
        raise UserError(f"the key file {path} is empty", "it holds the key and nothing else")
    return key
