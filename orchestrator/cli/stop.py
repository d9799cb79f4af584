"""``spinney stop``."""

from __future__ import annotations

import os
import signal
import time

import click

from orchestrator.cli.session import here
from shared.lock import Holder, holder

_PATIENCE_SECONDS = 15.0


def _alive(who: Holder) -> bool:
    return who.alive


@click.command()
def command() -> None:
    """End the running batch in good order: agents are stopped, commits are kept, `resume` goes on."""
    from shared.errors import SpinneyError, UserError

    place = here()
    who = holder(place.state)
    if who is None or not who.alive or not who.run:
        raise UserError(
            "nothing is running in this repository", "see how the last run stands: spinney status"
        )
    (place.run_dir(who.run) / "stop").touch()  # tells the run that this was asked for, not a stray signal
    os.kill(who.pid, signal.SIGTERM)
    click.echo(f"stopping run {who.run} (process {who.pid})")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _alive(who):
        if time.monotonic() > deadline:
            raise SpinneyError(
                f"process {who.pid} has not ended yet", f"as a last resort: kill -9 {who.pid}; resume copes"
            )
        time.sleep(0.05)
    click.echo("stopped; go on with: spinney resume")
