"""Showing a run while it goes on: a live board on a terminal, plain lines elsewhere, events for machines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import click

from orchestrator import left_out
from orchestrator.engine import Listener
from orchestrator.reporting import bills
from orchestrator.reporting.board import Board, board
from orchestrator.reporting.lines import Lines, line_for
from orchestrator.reporting.report import closing, counts, rows, took
from orchestrator.reporting.times import duration
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


_KEPT = ("note", "slots.sized", "model.held", "model.refused", "budget.spent")


def is_live() -> bool:
    """Whether a board may be drawn: a terminal, and nobody asked for peace."""
    return sys.stdout.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


@contextmanager
def listener(*, quiet: bool, machine: bool, events: bool, board: bool = True) -> Iterator[Listener]:
    """How a run is shown: ``events`` and ``machine`` keep standard output for machines; without a ``board`` in lines,
    as one among others."""
    if events:
        yield _events
    elif quiet or machine:
        yield lambda record, view: None
    elif board and is_live():
        with _live() as show:
            yield show
    else:
        yield _lines()


def _events(record: dict[str, Any] | None, view: RunView) -> None:
    if record is not None:
        click.echo(json.dumps(record, ensure_ascii=False))


def _lines() -> Listener:
    """One line an event that a person cares about."""
    lines = Lines()

    def show(record: dict[str, Any] | None, view: RunView) -> None:
        for text in lines.of(record, view) if record is not None else ():
            click.echo(f"{duration(view.elapsed_here(record['time'] if record else 0)):>7}  {text}")

    return show


@contextmanager
def _live() -> Iterator[Listener]:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    shown = 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(record: dict[str, Any] | None, view: RunView) -> None:
            nonlocal shown
            for text in _worth_keeping(record, view):
                live.console.print(text, markup=False)
            now = time.monotonic()
            if now - shown >= 0.1:
                shown = now
                content = board(view, time.time(), console.height, console.width)
                live.update(draw(content, console.width), refresh=True)

        yield show


def _worth_keeping(record: dict[str, Any] | None, view: RunView) -> list[str]:
    """What stays above the live board, which itself forgets."""
    if record is None or record["event"] not in _KEPT:
        return []
    text = line_for(record, view)
    return [text] if text else []


def draw(content: Board, width: int) -> Any:
    """A board as something rich can print on ``width`` columns. Nothing in its texts is read as markup."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), show_header=False, expand=True)
    widest = {
        "task": max(8, width // 4),
        "where": max(8, width // 3),
    }  # what is longer would push out the rest
    for name in ("mark", "task", "status", "where", "time"):
        justify: Literal["left", "right"] = "right" if name == "time" else "left"
        table.add_column(name, no_wrap=True, justify=justify, max_width=widest.get(name))
    table.add_column("line", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in content.rows:
        style = STYLES[row.status] if row.status else ""
        table.add_row(
            Text(row.mark, style=style),
            Text(row.task, style="bold"),
            Text(row.status or "", style=style),
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
            f"  {name:<{width[0]}}  {shown}  {commits:>{width[2]}} {plural}  {seconds:>{width[3]}}  {detail}".rstrip()
        )
    paid = f" · {bills.cost(view.spending.total)}" if view.spending.by_model else ""
    click.echo(
        f"\n{counts(view)} in {took(view, view.ended or 0, duration)}{paid} · run {view.id}: {view.status}"
    )
    for line in [*left_out.lines(view.left_out), *closing(view)]:
        click.echo(line)
