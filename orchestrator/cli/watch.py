"""``spinney watch``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.session import here
from orchestrator.cli.status import killed, look, pick, run_option, worked_on

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView
    from shared.model import RunId

POLL_SECONDS = 0.2


@click.command()
@run_option
def command(run: str | None) -> None:
    """Follow a run on a live board until it ends; on anything but a terminal, a line an event.

    Ctrl-C ends watching, never the run. The exit code is the run's.
    """
    from orchestrator.cli.output import final_table
    from orchestrator.cli.run import exit_code

    place = here()
    picked = pick(place, run)
    place.view(picked)  # says what is wrong with a journal that cannot be read
    try:
        view = _follow(place, picked)
    except KeyboardInterrupt:
        click.echo("watching ended; the run goes on. See it again: spinney watch; end it: spinney stop")
        return
    if not view.id:
        look(place, picked)  # says that there is nothing to see
    if view.status == "running":
        view.cut_off()
        click.echo(killed(view))
    final_table(view)
    finish(exit_code(view.status, 0))


def _follow(place: Place, run: RunId) -> RunView:
    """Show what happens until the run has ended, or its orchestrator is gone: then it is still ``running``."""
    from orchestrator.cli.log_files import listen_in
    from orchestrator.cli.output import listener
    from orchestrator.view import RunView
    from shared.journal import follow

    path = place.run_dir(run) / "journal.jsonl"
    view, offset = RunView(), 0
    with listener(quiet=False, machine=False, events=False) as show:
        while True:
            alive = worked_on(place) == run  # before reading, so that nothing it wrote is missed
            records, offset = follow(path, offset)
            for record in records:
                view.apply(record)
                show(record, view)
            if not alive or view.status != "running":
                return view
            listen_in(place, view)
            show(None, view)
            time.sleep(POLL_SECONDS)
