"""``spinney resume``."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.budgets import budget as read_budget
from orchestrator.cli.run import exit_code
from orchestrator.cli.session import here_alone, mark_session, waits
from shared.model import Spending


@click.command()
@click.option("--run", metavar="RUN", help="Which run.  [default: the latest that is not finished]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option(
    "--events", is_flag=True, help="Print the journal's events as they happen, one JSON object a line."
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")
@click.option("--in-process", is_flag=True, help="Managers as threads, for a debugger.")
@click.option(
    "--budget",
    type=read_budget,
    metavar="BUDGET",
    help="What the run may spend on models in all, what it has spent so far included: 5 (US dollars), 500ktokens.",
)
@click.option(
    "--task-budget",
    type=read_budget,
    metavar="BUDGET",
    help="The same for each of its tasks.",
)
def command(
    run: str | None,
    as_json: bool,
    events: bool,
    quiet: bool,
    in_process: bool,
    budget: Spending | None,
    task_budget: Spending | None,
) -> None:
    """Go on with an interrupted run, each task from its last phase commit.

    Works after Ctrl-C, a kill, or a power cut; nothing that was committed is done again. Of a finished run, it tries
    again to open the pull requests that could not be opened.
    """
    go_on(
        run,
        retry=False,
        as_json=as_json,
        events=events,
        quiet=quiet,
        in_process=in_process,
        budget=budget,
        task_budget=task_budget,
    )


def go_on(
    run: str | None,
    *,
    retry: bool,
    as_json: bool,
    events: bool,
    quiet: bool,
    in_process: bool = False,
    budget: Spending | None = None,
    task_budget: Spending | None = None,
) -> None:
    keys = mark_session()
    place = here_alone()
    from orchestrator.cli import output
    from orchestrator.composition import carrying
    from orchestrator.composition.unfinished import unfinished_runs
    from orchestrator.executors import make_executor
    from orchestrator.reporting.report import to_json

    unfinished = unfinished_runs(place) if run is None and not retry else []
    picked = unfinished[-1] if unfinished else place.pick(run)
    given = {"budget": budget, "task_budget": task_budget}
    budgets: Any = {name: limit for name, limit in given.items() if limit is not None}
    executor = make_executor(in_process=in_process)
    executor.warm_up()
    with output.listener(quiet=quiet, machine=as_json, events=events) as listen:
        ended = carrying.resume(
            place,
            picked,
            listen,
            executor=executor,
            retry=retry,
            keys=keys,
            budgets=budgets,
            waits=waits(quiet=quiet),
        )
    if as_json:
        click.echo(json.dumps(to_json(ended.view, time.time()), indent=2, ensure_ascii=False))
    elif not events and not quiet:
        output.final_table(ended.view)
    finish(exit_code(ended.status, ended.signal))
