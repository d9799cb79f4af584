"""How a coding program is held: as its agent is, plus its own files, its home and the variables it is given. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.model import Containment
from shared.sandbox import SANDBOX_GATEWAY_URL

# What an agent's environment has beside SPINNEY_…, and a program on its own gets.
_PASSED = ("PATH", "LANG", "LANGUAGE", "TERM", "TZ", "PWD", "USER", "LOGNAME", "SHELL")
_BEGINNINGS = ("SPINNEY_", "LC_", "GIT_CONFIG_")


def held(
    containment: Containment, home: str, prompt: str, reads: Iterable[str], variables: Iterable[str]
) -> Containment:
    """``containment`` with a ``home`` to write, the file ``prompt`` and more to read, and ``variables`` passed on.

    In a sandbox it is not $HOME, which has to be where toolchains were told that it is: programs are told with
    variables of their own.
    """
    sandbox = containment.sandbox
    if sandbox is None:
        return replace(containment, writable=(*containment.writable, home))
    return replace(
        containment,
        sandbox=replace(
            sandbox,
            write=(*sandbox.write, home),
            read=(*sandbox.read, *reads),
            show=(*sandbox.show, (prompt, prompt)),
            environment=(*sandbox.environment, *variables),
        ),
    )


def environment(agents: Mapping[str, str], passed: Iterable[str], home: str) -> dict[str, str]:
    """What a program gets of its agent's environment, and its home; nothing else."""
    names = {*_PASSED, *passed}
    kept = {name: value for name, value in agents.items() if name in names or name.startswith(_BEGINNINGS)}
    return {**kept, "HOME": home}


def gateway_url(containment: Containment, url: str) -> str:
    """Where the program finds the gateway; ``url`` is its address outside of any sandbox."""
    sandbox = containment.sandbox
    return SANDBOX_GATEWAY_URL if sandbox is not None and sandbox.socket else url
