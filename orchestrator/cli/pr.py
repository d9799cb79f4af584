"""``spinney pr``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import click

from orchestrator.cli.session import here, mark_session, waits
from shared.model import ForgeName
from shared.text import printable

if TYPE_CHECKING:
    from orchestrator.composition.forges import Opened


def _counted(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """``13``, or ``#13`` as everything else writes it."""
    number: int = click.INT(value.removeprefix("#"), parameter, context)
    return number


_number = click.argument("number", callback=_counted)


def _where(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--forge",
        type=click.Choice(get_args(ForgeName)),
        help="Where they are, whatever the last run did.  [default: what spinney.yaml says, else local]",
    )(command)


@contextmanager
def _opened(forge: ForgeName | None) -> Iterator[Opened]:
    keys = mark_session()
    from orchestrator.composition.pulls import open_pulls, run_on_github

    place = here()
    opened = open_pulls(place, forge, keys, waits())
    if forge is None and opened.github is None and (run := run_on_github(place)) is not None:
        hint = f"the pull requests of run {run} are on GitHub: --forge github, or `forge: github` in spinney.yaml"
        click.echo(hint, err=True)
    try:
        yield opened
    finally:
        opened.close()


@click.group()
def command() -> None:
    """Pull requests: of the local forge, kept in this repository's own refs, or on GitHub.

    On GitHub these are the ones that Spinney opened there.
    """


@command.command("list")
@click.option(
    "--state", type=click.Choice(["open", "merged", "closed", "all"]), default="open", show_default=True
)
@_where
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(state: str, forge: ForgeName | None, as_json: bool) -> None:
    """List pull requests."""
    from shared.forge.port import PullState

    with _opened(forge) as opened:
        pulls = opened.forge.list(None if state == "all" else PullState(state))
    if as_json:
        click.echo(json.dumps([asdict(pull) for pull in pulls], indent=2, ensure_ascii=False))
        return
    if not pulls:
        click.echo(f"no {'' if state == 'all' else state + ' '}pull requests")
    for pull in pulls:
        labels = f"  [{', '.join(pull.labels)}]" if pull.labels else ""
        line = f"#{pull.number:<4} {pull.state:<7} {pull.head} → {_short(pull.base)}  {pull.title}{labels}"
        click.echo(printable(line))


def _short(base: str) -> str:
    return base[:10] if len(base) == 40 and not set(base) - set("0123456789abcdef") else base


@command.command()
@_number
@_where
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(number: int, forge: ForgeName | None, as_json: bool) -> None:
    """Show a pull request whole."""
    with _opened(forge) as opened:
        pull = opened.forge.get(number)
    if as_json:
        click.echo(json.dumps(asdict(pull), indent=2, ensure_ascii=False))
        return
    click.echo(
        f"#{pull.number} {printable(pull.title)}\n{pull.state}: {pull.head} ({pull.tip[:10]}) → {_short(pull.base)}"
    )
    if pull.labels:
        click.echo(printable(f"labels: {', '.join(pull.labels)}"))
    if pull.merged:
        click.echo(f"merged by {pull.merged[:10]}")
    see = f"git diff {_short(pull.base)}...{pull.head}" if opened.github is None else pull.url
    click.echo(f"\n{printable(pull.body, limit=100_000).rstrip()}\n\nsee the change: {see}")


@command.command()
@_number
@_where
def merge(number: int, forge: ForgeName | None) -> None:
    """Merge a pull request into its base, through the gate of the run that made it.

    On GitHub as it is now, by `method` of `github` in spinney.yaml; its rules decide whether it may.
    """
    from orchestrator.composition.pulls import merge_on_github, merge_pull

    with _opened(forge) as opened:
        if opened.github is not None:
            click.echo(merge_on_github(here(), opened, number))
            return
    pull, commit = merge_pull(here(), number)
    click.echo(f"#{pull.number} merged into {pull.base} by {commit[:10]}")


@command.command()
@_number
@_where
def close(number: int, forge: ForgeName | None) -> None:
    """Close a pull request without merging it; its branch stays."""
    with _opened(forge) as opened:
        pull = opened.forge.close(number)
    click.echo(f"#{pull.number} closed; its commits stay on {pull.head}")
