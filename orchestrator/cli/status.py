"""``spinney status``, and what every command needs that looks at a run."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.session import here

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView, TaskView
    from shared.model import RunId

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands right now."""

    view: RunView
    alive: bool  # an orchestrator works on it
    killed: bool  # its orchestrator ended without saying so; the view is cut off at its last record


def run_option(command: F) -> F:
    """``--run``, for commands that look at a run whether it is going on or not."""
    return click.option(
        "--run",
        metavar="RUN",
        shell_complete=_complete_run,
        help="Which run; the beginning of its id is enough.  [default: the one going on, or the latest]",
    )(command)


def _complete_run(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from shared.errors import SpinneyError

    try:
        return [run for run in reversed(here().runs()) if run.startswith(incomplete)]
    except SpinneyError:  # somebody is typing: nothing is better than a message in the middle of the line
        return []


def complete_task(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Task ids of the run, for the shell."""
    from shared.errors import SpinneyError

    try:
        place = here()
        view = place.view(pick(place, ctx.params.get("run")))
    except SpinneyError:
        return []
    return [task for task in view.tasks if task.startswith(incomplete)]


def worked_on(place: Place) -> str:
    """The run that an orchestrator works on right now; empty where there is none."""
    from shared.lock import holder

    who = holder(place.state)
    return who.run if who is not None and who.alive else ""


def pick(place: Place, run: str | None) -> RunId:
    """The run that was named; without a name the one going on, or the latest. Raises UserError."""
    return place.pick(run if run is not None else worked_on(place) or None)


def look(place: Place, run: RunId) -> Standing:
    """A run as it stands. Raises SpinneyError where there is nothing to see."""
    from shared.errors import StateError

    alive = worked_on(place) == run
    view = place.view(run)
    if not view.id:
        if alive:
            raise StateError(f"run {run} is only just beginning", "look again in a moment")
        raise StateError(f"run {run} ended before its first event", f"remove it: spinney clean --run {run}")
    killed = view.status == "running" and not alive and worked_on(place) != run
    if killed:
        view.cut_off()
    return Standing(view, alive or (view.status == "running" and not killed), killed)


def task_of(view: RunView, name: str) -> TaskView:
    """The task called ``name``; raises UserError with the nearest one."""
    if name in view.tasks:
        return view.tasks[name]
    from shared.errors import UserError

    raise UserError(f"run {view.id} has no task {name!r}", near(name, list(view.tasks), "tasks"))


def near(name: str, known: list[str], what: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 3, 0.5)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"{what}: {', '.join(known[:12])}{more}"


@click.command()
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run: str | None, as_json: bool) -> None:
    """Show how a run stands, whether it is going on, and what to do next."""
    from orchestrator.reporting.report import to_json

    place = here()
    standing = look(place, pick(place, run))
    view = standing.view
    if as_json:
        shown = {**to_json(view, time.time()), "alive": standing.alive}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    show(place, standing)


def show(place: Place, standing: Standing) -> None:
    """The table of a run, what there is to note, and what to do next."""
    from orchestrator.cli.output import final_table
    from shared.text import printable

    view = standing.view
    if standing.alive and view.status == "running":
        _going_on(place, view)
    else:
        if standing.killed:
            click.echo(killed(view))
        final_table(view)
    for text in dict.fromkeys(view.notes):
        click.echo(f"note: {printable(text)}")


def killed(view: RunView) -> str:
    return f"run {view.id} was killed: the process that ran it is gone. What was committed is safe."


def _going_on(place: Place, view: RunView) -> None:
    from orchestrator import left_out
    from orchestrator.cli.log_files import listen_in
    from orchestrator.cli.output import STYLES
    from orchestrator.reporting.board import Row, board
    from shared.text import printable

    listen_in(place, view)
    running = sum(len(task.running_agents) for task in view.tasks.values())
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 160
    content = board(view, time.time(), len(view.tasks) + running + 4, width)
    click.echo(f"run {view.id} is going on\n")

    def cells(row: Row) -> tuple[str, str, str, str]:
        return row.task, str(row.status or ""), row.where, row.time

    columns = [max(len(cells(row)[column]) for row in content.rows) for column in range(4)]
    room = width - sum(columns) - 12
    for row in content.rows:
        name, status, where, spent = cells(row)
        shown = click.style(f"{status:<{columns[1]}}", fg=STYLES[row.status] if row.status else None)
        line = printable(" ".join(row.line.split()), limit=max(10, room))
        click.echo(
            f"{row.mark:1} {name:<{columns[0]}}  {shown}  {where:<{columns[2]}}  {spent:>{columns[3]}}  {line}".rstrip()
        )
    for text in left_out.lines(view.left_out):
        click.echo(text)
    click.echo(f"\n{content.total}\nfollow it: spinney watch\nend it:    spinney stop")
