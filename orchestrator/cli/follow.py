"""``spinney follow``."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, get_args

import click

from orchestrator.cli.boundary import SIGNAL_EXIT_CODE, finish
from orchestrator.cli.budgets import budget as read_budget
from orchestrator.cli.session import here, mark_session, waits
from orchestrator.stopping import stopped_by_signals
from shared.model import BackendName, ForgeName, LandingWay, Sandboxing, Spending

_CLEAR = "\r\x1b[K"  # the line that is being shown, on a terminal


@click.command()
@click.argument("targets", nargs=-1, metavar="[RUN|PR]...")
@click.option("--once", is_flag=True, help="Look once, do what is to be done, and end.")
@click.option(
    "--rounds",
    type=click.IntRange(0, 100),
    help="Rounds of fixes a pull request may have in all.  [default: 3, or `github.rounds`]",
)
@click.option(
    "--land",
    type=click.Choice(get_args(LandingWay)),
    help="What is done with one that is ready: left to people, auto-merge, the merge queue, or merged now.  "
    "[default: leave, or `github.land`]",
)
@click.option(
    "--budget",
    type=read_budget,
    metavar="BUDGET",
    help="What all rounds together may spend on models: 5 (US dollars), 500ktokens, or both with a comma.",
)
@click.option(
    "--interval",
    type=click.FloatRange(5, 3600),
    metavar="SECONDS",
    help="Look this often.  [default: every 10 s to 5 min, by what is going on]",
)
@click.option(
    "--workflow", default="", metavar="NAME", help="Whose phase `fix` answers.  [default: the task's own]"
)
@click.option(
    "--backend", type=click.Choice(get_args(BackendName)), help="What executes agents that name none."
)
@click.option("--gate", metavar="COMMAND", help="Must pass on the branch, merged with its base.")
@click.option("--jobs", "-j", type=click.IntRange(1, 1024), help="Agents at once.")
@click.option("--sandbox", type=click.Choice(get_args(Sandboxing)), help="Whom to shut into a sandbox.")
@click.option(
    "--unsafe-no-sandbox",
    is_flag=True,
    default=None,
    help="Let models and text of strangers do whatever you may do. Refused in CI.",
)
@click.option("--forge", type=click.Choice(get_args(ForgeName)), help="Where the pull requests are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--events", is_flag=True, help="Print what happens, one JSON object a line.")
@click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")
@click.option("--in-process", is_flag=True, help="Managers as threads, for a debugger.")
def command(
    targets: tuple[str, ...],
    once: bool,
    rounds: int | None,
    land: LandingWay | None,
    budget: Spending | None,
    interval: float | None,
    workflow: str,
    as_json: bool,
    events: bool,
    quiet: bool,
    in_process: bool,
    **settings: Any,
) -> None:
    """Follow pull requests on GitHub: answer failed checks and reviews, keep stacks up to date, bring them in.

    A failed check, or an open remark of somebody with write access, becomes one more commit on the same branch, by the
    workflow's phase `fix`. Nothing is answered twice. Without arguments: every open pull request that Spinney made.

    \b
    spinney follow                     until all are merged or closed
    spinney follow '#17' --rounds 1    one of them
    spinney follow --once              look once, as in GitHub Actions
    """
    keys = mark_session()
    place = here()
    from orchestrator.cli import output
    from orchestrator.composition.following import ToFollow, following
    from orchestrator.following import driving
    from orchestrator.following.polling import Pace
    from shared.errors import Interrupted

    asked = ToFollow(targets, settings, workflow, rounds, land, budget or Spending(), in_process)
    told = _Told(_shown(quiet=quiet, as_json=as_json, events=events))
    machine = quiet or as_json
    waiting = waits(quiet=quiet)

    def held(why: str, until: float) -> None:
        if why:
            told("follow.held", {"reason": why, "until": until})
        if as_json or events:  # otherwise the line above is seen
            waiting.held(why, until)

    ended = threading.Event()
    stopped = False
    with (
        output.listener(quiet=machine, machine=machine, events=events, board=False) as listen,
        following(place, asked, keys, told, listen, waiting) as it,
        stopped_by_signals(ended.set, it.stop) as signals,
    ):
        it.listen(held)
        try:
            if once:
                driving.once(it.follower)
            else:
                pace = Pace(interval or 0.0) if interval else Pace()
                stopped = not driving.always(it.follower, pace, lambda seconds: not ended.wait(seconds), told)
        except Interrupted:
            stopped = True
        follower = it.follower
    code = 1 if follower.failed else 0
    if stopped:
        code = SIGNAL_EXIT_CODE if signals or follower.signal else 4
    if as_json:
        click.echo(json.dumps(_report(follower, told, stopped=stopped), indent=2, ensure_ascii=False))
    elif not quiet and not events and not follower.decisions:
        click.echo("no open pull request of Spinney's is there to be followed")
    finish(code)


class _Told:
    """Hears what is decided and done, keeps it for the report, and shows it."""

    def __init__(self, show: Callable[[dict[str, Any]], None]) -> None:
        self._show = show
        self.rounds: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        if event == "follow.answered":
            self.rounds.append(fields)
        elif event == "follow.note":
            self.notes.append(fields["text"])
        self._show({"event": event, "time": time.time(), **fields})


def _shown(*, quiet: bool, as_json: bool, events: bool) -> Callable[[dict[str, Any]], None]:
    if events:
        return lambda record: click.echo(json.dumps(record, ensure_ascii=False))
    if quiet or as_json:
        return lambda record: None
    return _line


def _line(record: dict[str, Any]) -> None:
    """What a person cares about; when it looks again is told on a terminal, in a line that the next one replaces."""
    from orchestrator.cli.output import is_live
    from orchestrator.reporting.following import line

    text, waits, live = line(record), record["event"] == "follow.waits", is_live()
    if text and (live or not waits):
        shown = f"{time.strftime('%H:%M:%S', time.localtime(record['time']))}  {text}"
        click.echo((_CLEAR if live else "") + shown, nl=not waits)


def _report(follower: Any, told: _Told, *, stopped: bool) -> dict[str, Any]:
    from orchestrator.reporting.following import to_json

    status = "interrupted" if stopped else "failed" if follower.failed else "succeeded"
    return to_json(status, follower.decisions, told.rounds, told.notes, follower.purse.used)
