"""Where the key of the model API comes from. It is in no command line, no child's environment and no log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.credentials import MODELS, read_key
from shared.errors import UserError
from shared.model import ModelSettings

_SERVICE, _USER = "spinney", "anthropic"  # in the keyring


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
        yield Key(read_key(settings.key_file, "models: {key_file: …}"), f"the file {settings.key_file}")
    for name in MODELS:
        yield Key(taken.get(name, "").strip(), f"${name}")
    yield Key(_from_keyring(), "the keyring")


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
