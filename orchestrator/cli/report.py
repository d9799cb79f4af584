"""``spinney report``."""

from __future__ import annotations

import json
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
def command(run: str | None, as_json: bool, as_markdown: bool) -> None:
    """Report on a run: results, where the time went, context, what was merged, pull requests. All of it measured."""
    from orchestrator.reporting.figures import figures
    from orchestrator.reporting.report import to_json, to_markdown
    from shared.text import printable

    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    place = here()
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
        _merged(place, view)
        _pulls(view)


def _merged(place: Place, view: RunView) -> None:
    from orchestrator.composition import history
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
