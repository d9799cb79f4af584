"""``spinney report``."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

import click

from orchestrator.cli.session import here
from orchestrator.cli.status import look, pick, run_option, show

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView

_MARKDOWN = 1 << 24  # characters; all of it, that is


@click.command()
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the one of `run --json`.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@click.option(
    "--github-summary", "shape", flag_value="summary", help="Print the summary of a job of GitHub Actions."
)
@click.option("--github-output", "shape", flag_value="output", help="Print the outputs of a step there.")
@click.option("--annotations", "shape", flag_value="annotations", help="Print annotations for a log there.")
@click.option(
    "--since",
    metavar="SECONDS",
    type=float,
    help="Only a run that began since then, in seconds since the epoch; where there is none, nothing was to be done.",
)
def command(
    run: str | None, as_json: bool, as_markdown: bool, shape: str | None, since: float | None
) -> None:
    """Report on a run: results, where the time went, context, what was merged, pull requests. All of it measured."""
    from orchestrator.reporting.figures import figures
    from orchestrator.reporting.report import to_json, to_markdown
    from shared.text import printable

    if as_json + as_markdown + (shape is not None) > 1:
        raise click.UsageError("--json, --markdown and what is for GitHub Actions exclude each other")
    if since is not None and (run is not None or shape is None):
        raise click.UsageError("--since is for GitHub Actions, and without --run")
    place = here()
    if shape is not None:
        _for_actions(shape, _since(place, since) if since is not None else look(place, pick(place, run)).view)
        return
    standing = look(place, pick(place, run))
    view = standing.view
    if as_json:
        click.echo(json.dumps(to_json(view, time.time()), indent=2, ensure_ascii=False))
    elif as_markdown:
        click.echo(printable(to_markdown(view, time.time()), limit=_MARKDOWN), nl=False)
    else:
        show(place, standing)
        for line in figures(view, time.time()):
            click.echo(printable(line))
        if not view.hands_back:
            _merged(place, view)
        _pulls(view)


def _since(place: Place, since: float) -> RunView | None:
    """The latest run, where it began since then."""
    latest = place.runs()[-1:]
    views = [view for run in latest if (view := look(place, run).view).started >= since - 1]
    return views[0] if views else None


def _for_actions(shape: str, view: RunView | None) -> None:
    from orchestrator.reporting import actions

    if shape == "summary":
        click.echo(actions.summary(view, time.time()), nl=False)
    elif shape == "output":
        click.echo(
            actions.delimited(actions.outputs(view, time.time()), lambda: secrets.token_hex(16)), nl=False
        )
    else:
        for line in actions.notices(view):
            click.echo(line)


def _merged(place: Place, view: RunView) -> None:
    from orchestrator.composition.looking import history
    from shared.text import printable

    merged = history(place, view)
    if merged:
        click.echo(f"\nmerged into {view.merged_ref.removeprefix('refs/heads/')}, in this order")
    for oid, subject in merged:
        click.echo(f"  {oid[:10]}  {printable(subject)}")


def _pulls(view: RunView) -> None:
    from shared.text import first_sentence

    pulls = [(task.pull, task.branch, task.title) for task in view.tasks.values() if task.pull]
    pulls += (
        [(view.pull, view.merged_ref.removeprefix("refs/heads/"), "the whole batch")] if view.pull else []
    )
    if pulls:
        click.echo("\npull requests")
    width = max((len(branch) for _, branch, _ in pulls), default=0)
    for (number, url), branch, title in pulls:
        where = f"  {url}" if url.startswith("http") else ""
        click.echo(f"  #{number:<4} {branch:<{width}}  {first_sentence(title)}{where}")
