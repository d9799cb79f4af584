"""``spinney doctor``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.doctor import machine, repository
from orchestrator.cli.doctor.checks import Check, guarded
from orchestrator.cli.session import here, mark_session

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--github", is_flag=True, help="Ask GitHub, too: who the token is, what it may do, what is left."
)
def command(as_json: bool, github: bool) -> None:
    """Check this machine and, inside one, this repository. Changes nothing; exit code 1 where something fails."""
    checks = []
    for check in _checks(mark_session() if github else None):
        checks.append(check)
        if not as_json:
            _print(check)
    failed = sum(check.state == "fail" for check in checks)
    if as_json:
        shown = {"ok": not failed, "checks": [asdict(check) for check in checks]}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    if failed:
        finish(1)


def _print(check: Check) -> None:
    from shared.text import printable

    mark = click.style(f"{check.state:<4}", fg=_STYLES[check.state])
    click.echo(f"{mark}  {check.what}: {printable(check.detail)}")
    for hint in check.hints:
        click.echo(f"      → {printable(hint)}")


def _checks(keys: Mapping[str, str] | None) -> Iterator[Check]:
    """With ``keys`` GitHub is asked, too."""
    from shared.errors import UserError

    yield from guarded("python", machine.python)
    yield from guarded("packages", machine.packages)
    yield from guarded("git", machine.git)
    yield from guarded("bubblewrap", machine.bubblewrap)
    yield from guarded("sandbox", machine.sandbox)
    yield from guarded("machine", machine.machine)
    try:
        place = here()
    except UserError as error:
        inside = any((folder / ".git").exists() for folder in (Path.cwd(), *Path.cwd().parents))
        yield Check("fail" if inside else "warn", "repository", error.message, error.hints)
        yield from guarded("identity", lambda: repository.identity(Path.cwd()))
        return
    yield Check("ok", "repository", str(place.checkout))
    yield from guarded("identity", lambda: repository.identity(place.checkout))
    for what, look in (
        ("fitness", repository.fitness),
        ("spinney.yaml", repository.configuration),
        ("models", repository.models),
        ("disk", repository.disk),
        ("runs", repository.runs),
        ("worktrees", repository.worktrees),
        ("locks", repository.locks),
    ):
        yield from guarded(what, lambda look=look: look(place))  # type: ignore[misc]
    if keys is not None:
        from orchestrator.cli.doctor.github import github

        yield from guarded("github", lambda: github(place, keys))
