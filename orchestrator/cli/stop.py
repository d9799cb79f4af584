"""``spinney stop``."""

from __future__ import annotations

import os
import signal
import time

import click

from orchestrator.cli.session import here, mark_session
from shared.lock import Holder, holder

_PATIENCE_SECONDS = 15.0


def _alive(who: Holder) -> bool:
    return who.alive


@click.command()
@click.option(
    "--github", is_flag=True, help="The run that works on this repository on GitHub, wherever it goes on."
)
def command(github: bool) -> None:
    """End the running batch in good order: agents are stopped, commits are kept, `resume` goes on.

    With --github it ends within a minute or so, when it looks for such wishes, and the next `run` goes on from what is
    pushed.
    """
    from shared.errors import SpinneyError, UserError
    from shared.model import RunId

    if github:
        _stop_elsewhere()
        return
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
    click.echo(f"stopped; go on with: {place.view(RunId(who.run)).goes_on_by}")


def _stop_elsewhere() -> None:
    """Leave a wish on the forge. That nothing goes on there is no mistake: it may have ended just now."""
    keys = mark_session()
    from dataclasses import replace

    from orchestrator.composition.forges import open_forge
    from orchestrator.intake.reader import configured
    from shared.text import printable

    place = here()
    opened = open_forge(place, replace(configured(place.checkout), forge="github"), keys)
    try:
        assert opened.github is not None
        run = opened.github.ask_to_stop()
    finally:
        opened.close()
    click.echo(f"run {printable(run)} was asked to stop" if run else "no run goes on there")
