"""Showing a run while it goes on: a live board on a terminal, plain lines elsewhere, events for machines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from orchestrator.engine import Listener
from orchestrator.reporting.board import Board, board, duration
from orchestrator.reporting.report import closing, counts, rows
from orchestrator.view import RunView
from shared.model import TaskStatus

STYLES = {
    TaskStatus.WAITING: "bright_black",
    TaskStatus.RUNNING: "cyan",
    TaskStatus.FINISHED: "blue",
    TaskStatus.MERGED: "green",
    TaskStatus.NO_CHANGE: "green",
    TaskStatus.UNMERGED: "red",
    TaskStatus.FAILED: "red",
    TaskStatus.CONFLICT: "yellow",
    TaskStatus.SKIPPED: "yellow",
}


def is_live() -> bool:
    """Whether a board may be drawn: a terminal, and nobody asked for peace."""
    return sys.stdout.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


@contextmanager
def listener(*, quiet: bool, machine: bool, events: bool) -> Iterator[Listener]:
    """How a run is shown: ``events`` and ``machine`` keep standard output for machines."""
    if events:
        yield _events
    elif quiet or machine:
        yield lambda record, view: None
    elif is_live():
        with _live() as show:
            yield show
    else:
        yield _lines


def _events(record: dict[str, Any] | None, view: RunView) -> None:
    if record is not None:
        click.echo(json.dumps(record, ensure_ascii=False))


def _lines(record: dict[str, Any] | None, view: RunView) -> None:
    """One line an event that a person cares about."""
    text = line_for(record, view) if record is not None else None
    if text:
        click.echo(f"{duration(view.elapsed(record['time'] if record else 0)):>7}  {text}")


def line_for(record: dict[str, Any], view: RunView) -> str | None:
    task = record.get("task", "")
    match record["event"]:
        case "run.started":
            count = len(record["tasks"])
            return f"run {record['run']}: {count} task{'s' if count != 1 else ''}, {record['jobs']} at once"
        case "run.resumed":
            return f"run {view.id} goes on: {counts(view)}"
        case "note":
            return f"note: {record['text']}"
        case "task.started":
            return f"{task}: started" + (f", try {record['attempt']}" if record["attempt"] > 1 else "")
        case "agent.ended":
            state = "done" if record["ok"] else "failed"
            who = f"{task}: {record['phase']} / {record['agent']}"
            return f"{who} {state} in {duration(record['seconds'])}: {record['summary']}"
        case "phase.committed":
            return f"{task}: [{record['phase']}] committed as {record['oid'][:10]}"
        case "manager.lost":
            return f"{task}: its manager was lost ({record['reason']})"
        case "gate.ended":
            return (
                f"{task}: gate {'passed' if record['passed'] else 'failed'} in {duration(record['seconds'])}"
            )
        case "task.settled":
            return f"{task}: {record['status']}" + (f", {record['reason']}" if record["reason"] else "")
        case "into.moved":
            return f"{view.into} moved to {record['oid'][:10]}"
        case _:
            return None


@contextmanager
def _live() -> Iterator[Listener]:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    shown = 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(record: dict[str, Any] | None, view: RunView) -> None:
            nonlocal shown
            if record is not None and record["event"] == "note":
                live.console.print(f"note: {record['text']}", markup=False)
            now = time.monotonic()
            if now - shown >= 0.1:
                shown = now
                live.update(draw(board(view, time.time(), console.height)), refresh=True)

        yield show


def draw(content: Board) -> Any:
    """A board as something rich can print. Every text in it is plain: nothing is read as markup."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), show_header=False, expand=True)
    for name in ("mark", "task", "status", "where", "time"):
        table.add_column(name, no_wrap=True, justify="right" if name == "time" else "left")
    table.add_column("line", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in content.rows:
        style = STYLES[row.status].replace("bright_black", "bright_black")
        table.add_row(
            Text(row.mark, style=style),
            Text(row.task, style="bold"),
            Text(str(row.status), style=style),
            Text(row.where),
            Text(row.time, style="bright_black"),
            Text(row.line, style="bright_black"),
        )
    lines: list[Any] = [table]
    if content.hidden:
        lines.append(Text(f"  … and {content.hidden} more", style="bright_black"))
    lines.append(Text(content.total, style="bold"))
    return Group(*lines)


def final_table(view: RunView) -> None:
    """The table at the end of a run, and what to do next."""
    lines = rows(view)
    width = [max((len(line[i]) for line in lines), default=0) for i in range(4)]
    click.echo()
    for (name, status, commits, seconds, detail), task in zip(lines, view.tasks.values(), strict=True):
        shown = click.style(f"{status:<{width[1]}}", fg=STYLES[task.status])
        plural = "commit " if commits == "1" else "commits"
        click.echo(
            f"  {name:<{width[0]}}  {shown}  {commits:>{width[2]}} {plural}  {seconds:>{width[3]}} s  {detail}".rstrip()
        )
    click.echo(
        f"\n{counts(view)} in {duration(view.elapsed(view.ended or 0))} · run {view.id}: {view.status}"
    )
    for line in closing(view):
        click.echo(line)
