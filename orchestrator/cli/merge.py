"""``spinney merge``."""

from __future__ import annotations

import click

from orchestrator.cli.resume import go_on


@click.command()
@click.option("--run", metavar="RUN", help="Which run.  [default: the latest]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")
def command(run: str | None, as_json: bool, quiet: bool) -> None:
    """Integrate what a run left out: conflicts that were resolved on their branch, and what the gate refused.

    Resolve a conflict on the task's branch and commit there, then call this; the gate runs again.
    """
    go_on(run, retry=True, as_json=as_json, events=False, quiet=quiet)
