"""``spinney integrate``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, get_args

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.request import refuse_both
from orchestrator.cli.session import here_alone, mark_session, waits
from shared.model import ForgeName, PullRequestPolicy


@click.command()
@click.argument(
    "results",
    nargs=-1,
    metavar="[DIR]...",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--plan",
    "plan_path",
    required=True,
    type=click.Path(path_type=Path),
    help="What `spinney plan --github-matrix --out` wrote.",
)
@click.option("--digest", default="", metavar="SHA256", help="The plan must be the one with this digest.")
@click.option("--into", metavar="BRANCH", help="Where tested merges land.  [default: as planned]")
@click.option(
    "--gate", metavar="COMMAND", help="Must pass on the merged tree before it lands.  [default: as planned]"
)
@click.option(
    "--pull-requests",
    type=click.Choice(get_args(PullRequestPolicy)),
    help="Which pull requests to open.  [default: as planned]",
)
@click.option(
    "--forge",
    type=click.Choice(get_args(ForgeName)),
    help="Where they go: to GitHub where tasks come from issues there (auto), or always one.  [default: as planned]",
)
@click.option(
    "--continue",
    "go_on",
    is_flag=True,
    help="As of `plan`: go on with what earlier runs left, or have in review.",
)
@click.option("--fresh", is_flag=True, help="As of `plan`: begin anew, whatever was done before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option(
    "--events", is_flag=True, help="Print the journal's events as they happen, one JSON object a line."
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")
def command(
    results: tuple[Path, ...],
    plan_path: Path,
    digest: str,
    go_on: bool,
    fresh: bool,
    as_json: bool,
    events: bool,
    quiet: bool,
    **overrides: Any,
) -> None:
    """Take in what `spinney run-task` jobs handed back: merge, gate, push and open pull requests as `run` does.

    Each DIR is a job's --out, or holds one folder a task (<ID> or spinney-task-<ID>). Nothing in them is trusted: what
    does not fit the plan, or would not have been committed here, is refused for its task alone.
    """
    refuse_both(fresh=fresh, go_on=go_on)
    keys = mark_session()
    place = here_alone()
    from orchestrator.cli import output
    from orchestrator.cli.run import exit_code
    from orchestrator.composition.integrating import integrate
    from orchestrator.fan_out import plan_file
    from orchestrator.reporting.report import to_json

    file = plan_file.read(plan_path, digest)
    if not file.plan.tasks:
        if not quiet:
            click.echo("nothing to do: the plan has no task")
        finish(0)
    with output.listener(quiet=quiet, machine=as_json, events=events) as listen:
        ended = integrate(
            place, file, results, overrides, keys, listen, fresh=fresh, go_on=go_on, waits=waits(quiet=quiet)
        )
    if as_json:
        click.echo(json.dumps(to_json(ended.view, time.time()), indent=2, ensure_ascii=False))
    elif not events and not quiet:
        output.final_table(ended.view)
    finish(exit_code(ended.status, ended.signal))
