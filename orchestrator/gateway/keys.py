"""Where the key of the model API comes from. It is in no command line, no child's environment and no log."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import UserError
from shared.model import ModelSettings

NAMES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_SERVICE, _USER = "spinney", "anthropic"  # in the keyring
_LONGEST = 4096  # bytes of a key's file


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


@dataclass(frozen=True, slots=True)
class Key:
    value: str = field(repr=False)
    source: str  # where it comes from, for people


def find_key(taken: Mapping[str, str], settings: ModelSettings) -> Key:
    """The key: from the file that the settings name, what was taken out of the environment, or the keyring.

    Raises UserError where there is none, where it cannot be one, or where others can read the file.
    """
    for key in _candidates(taken, settings):
        if key.value and not (key.value.isascii() and key.value.isprintable() and " " not in key.value):
            raise UserError(
                f"what {key.source} holds is no key: it has blanks or line breaks in it",
                "one line, and nothing else",
            )
        if key.value:
            return key
    raise UserError(
        "agents of this batch ask a model, and there is no key for its API",
        "set it in the environment: export ANTHROPIC_API_KEY=…",
        "or keep it in a file that only you can read: models: {key_file: ~/.config/spinney/key}",
        f"or in the keyring: pip install 'spinney[keyring]', then: keyring set {_SERVICE} {_USER}",
        "or try the workflow without any model: --backend scripted",
    )


def _candidates(taken: Mapping[str, str], settings: ModelSettings) -> Iterator[Key]:
    if settings.key_file:
        yield Key(_from_file(settings.key_file), f"the file {settings.key_file}")
    for name in NAMES:
        yield Key(taken.get(name, "").strip(), f"${name}")
    yield Key(_from_keyring(), "the keyring")


def _from_file(name: str) -> str:
    path = Path(name).expanduser()
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(f"others can read {path}, which holds a key", f"chmod 600 {path}")
        with path.open("rb") as file:
            key = file.read(_LONGEST).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise UserError(f"the key file {path} cannot be read: {why}", "models: {key_file: …}") from None
    if not key:
        raise UserError(f"the key file {path} is empty", "it holds the key and nothing else")
    return key


def _from_keyring() -> str:
    """The key in the desktop's own store; empty where there is no store, or no key in it."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:  # an optional package
        return ""
    try:
        return keyring.get_password(_SERVICE, _USER) or ""
    except KeyringError:
        return ""
