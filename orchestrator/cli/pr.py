"""``spinney pr``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from orchestrator.cli.session import here, mark_session


def _forge() -> Any:
    from orchestrator.composition import local_forge
    from shared.git.repository import open_repository

    return local_forge(open_repository(here().git_dir))


@click.group()
def command() -> None:
    """Pull requests of the local forge, kept in this repository's own refs."""


@command.command("list")
@click.option(
    "--state", type=click.Choice(["open", "merged", "closed", "all"]), default="open", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(state: str, as_json: bool) -> None:
    """List pull requests."""
    from shared.forge.port import PullState

    pulls = _forge().list(None if state == "all" else PullState(state))
    if as_json:
        click.echo(json.dumps([asdict(pull) for pull in pulls], indent=2, ensure_ascii=False))
        return
    if not pulls:
        click.echo(f"no {'' if state == 'all' else state + ' '}pull requests")
    for pull in pulls:
        labels = f"  [{', '.join(pull.labels)}]" if pull.labels else ""
        click.echo(
            f"#{pull.number:<4} {pull.state:<7} {pull.head} → {_short(pull.base)}  {pull.title}{labels}"
        )


def _short(base: str) -> str:
    return base[:10] if len(base) == 40 and not set(base) - set("0123456789abcdef") else base


@command.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(number: int, as_json: bool) -> None:
    """Show a pull request whole."""
    pull = _forge().get(number)
    if as_json:
        click.echo(json.dumps(asdict(pull), indent=2, ensure_ascii=False))
        return
    click.echo(
        f"#{pull.number} {pull.title}\n{pull.state}: {pull.head} ({pull.tip[:10]}) → {_short(pull.base)}"
    )
    if pull.labels:
        click.echo(f"labels: {', '.join(pull.labels)}")
    if pull.merged:
        click.echo(f"merged by {pull.merged[:10]}")
    click.echo(f"\n{pull.body.rstrip()}\n\nsee the change: git diff {_short(pull.base)}...{pull.head}")


@command.command()
@click.argument("number", type=int)
def merge(number: int) -> None:
    """Merge a pull request into its base, through the gate of the run that made it."""
    mark_session()
    from orchestrator.composition import merge_pull

    pull, commit = merge_pull(here(), number)
    click.echo(f"#{pull.number} merged into {pull.base} by {commit[:10]}")


@command.command()
@click.argument("number", type=int)
def close(number: int) -> None:
    """Close a pull request without merging it; its branch stays."""
    pull = _forge().close(number)
    click.echo(f"#{pull.number} closed; its commits stay on {pull.head}")
