"""Whether the coding programs of a plan can work at all, found out before anything starts."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared import process
from shared.errors import SpinneyError, UserError
from shared.model import Settings
from shared.sandbox.environment import secrets_among
from workflow_manager.backends.programs import catalogue, places
from workflow_manager.backends.programs.definition import Definition

_SECONDS = 60.0  # for a program to say its version
_API = {"openai": "OpenAI's", "google": "Google's"}
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def check(settings: Settings, backends: Iterable[str], environ: Mapping[str, str]) -> None:
    """Raises UserError for the first of ``backends`` that is a program which cannot be used as it is configured.

    Programs are looked for, and asked for their version, in the environment ``environ`` without anything else of it.
    """
    for name in sorted(set(backends) & set(catalogue.names())):
        definition = catalogue.definition(name, settings)
        if problem := unreachable(definition):
            raise UserError(problem, _bridge(definition), "or use claude-code, opencode, aider or anthropic")
        if given := secrets_among(variable for variable, _ in _configured(settings, name)):
            raise UserError(
                f"programs: {name} is given {', '.join(given)}, and an agent gets no secret",
                "models are reached through the gateway, which holds the key",
            )
        _check_version(definition, environ.get("PATH", ""))


def unreachable(definition: Definition) -> str:
    """Why the program cannot reach its models, or nothing."""
    if definition.speaks == "anthropic":
        return ""
    return (
        f"{definition.name} speaks {_API[definition.speaks]} API, and the gateway only Anthropic's: "
        "it would need a key of its own, which no agent is given"
    )


def _bridge(definition: Definition) -> str:
    where = f"`programs: {definition.name}:`"
    return f"with something on this machine that translates, configure the whole command under {where}"


def _configured(settings: Settings, name: str) -> Iterable[tuple[str, str]]:
    return (pair for program in settings.programs if program.name == name for pair in program.environment)


def _check_version(definition: Definition, path: str) -> None:
    program = places.located(definition.program, path)
    if program is None:
        raise UserError(
            f"{definition.name}: there is no program {definition.program!r}",
            f"install it: {definition.install}",
            f"or say where it is: programs: {{{definition.name}: {{command: [/path/to/{definition.program}]}}}}",
        )
    said = _version(program, definition, path)
    found = _VERSION.search(said)
    if found is None:
        raise UserError(f"{program} does not say its version: {said.strip()[:200] or 'it says nothing'}")
    if numbers(found[0]) < numbers(definition.oldest):
        raise UserError(
            f"{definition.name} {found[0]} is too old: {definition.oldest} is the oldest that is known to work",
            f"install a newer one: {definition.install}",
        )


def _version(program: Path, definition: Definition, path: str) -> str:
    with tempfile.TemporaryDirectory(prefix="spinney-", ignore_cleanup_errors=True) as home:
        try:
            done = process.run(
                [str(program), *definition.version],
                cwd=home,
                env={"PATH": path, "HOME": home},
                timeout=_SECONDS,
            )
        except SpinneyError as error:
            raise UserError(
                f"{definition.name}: {error.message}", f"install it: {definition.install}"
            ) from error
    return (done.stdout or done.stderr).decode(errors="replace")


def numbers(version: str) -> tuple[int, ...]:
    """``1.10.2`` as what can be compared. No version at all is older than every other."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
