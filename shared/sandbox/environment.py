"""Which variables of the environment an agent in the sandbox gets: those listed here, and no secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shared.model import Sandbox

_USUAL = {
    *("PATH", "HOME", "PWD", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "COLORTERM", "TZ"),
    *("NO_COLOR", "FORCE_COLOR", "CI"),
    # Where toolchains are.
    *("VIRTUAL_ENV", "PYENV_ROOT", "PYENV_VERSION", "RBENV_ROOT", "NVM_DIR", "NVM_BIN", "VOLTA_HOME"),
    *("JAVA_HOME", "GRADLE_HOME", "MAVEN_HOME", "GOROOT", "GOTOOLCHAIN", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"),
    *("ASDF_DIR", "ASDF_DATA_DIR", "SDKMAN_DIR", "DOTNET_ROOT", "CONDA_PREFIX"),
}
_USUAL_BEGINNINGS = ("LC_", "SPINNEY_")
_SECRET_WORDS = {"KEY", "KEYS", "PASS", "AUTH", "PAT", "CREDS", "COOKIE", "COOKIES", "DSN", "PRIVATE"}
_SECRET_PARTS = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|APIKEY|CREDENTIAL")
_COUNT = re.compile(r"(?:\A|_)MAX_(?:[A-Z]+_)*TOKENS\Z")  # how many tokens, of the other kind


def looks_secret(name: str) -> bool:
    """Whether a variable of this name likely holds a secret; never mind what its value looks like."""
    loud = name.upper()
    if _COUNT.search(loud):
        return False
    return bool(_SECRET_PARTS.search(loud)) or not _SECRET_WORDS.isdisjoint(loud.split("_"))


def passed_on(sandbox: Sandbox, environment: Mapping[str, str]) -> dict[str, str]:
    """What of ``environment`` a process in ``sandbox`` gets.

    It has to be left out before bubblewrap starts: what bubblewrap itself was given can be read in
    ``/proc/1/environ`` of the sandbox, whatever it then clears.
    """
    wanted = {
        name: value
        for name, value in environment.items()
        if (name in _USUAL or name.startswith(_USUAL_BEGINNINGS) or name in sandbox.environment)
        and not looks_secret(name)
    }
    return {**wanted, "HOME": sandbox.home, "GIT_OPTIONAL_LOCKS": "0"}


def secrets_among(names: Iterable[str]) -> tuple[str, ...]:
    """Those of ``names`` that no sandbox is given, in order."""
    return tuple(sorted({name for name in names if looks_secret(name)}))
