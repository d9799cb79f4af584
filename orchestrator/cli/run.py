"""``spinney run``."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.boundary import SIGNAL_EXIT_CODE, finish
from orchestrator.cli.request import asked, request_options
from orchestrator.cli.session import here, here_alone, mark_session


@click.command()
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option(
    "--events", is_flag=True, help="Print the journal's events as they happen, one JSON object a line."
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option("--keep-worktrees", is_flag=True, help="Keep every task's worktree.")
@click.option("--in-process", is_flag=True, help="Managers as threads, one at a time, for a debugger.")
@click.option(
    "--replay",
    "replays",
    metavar="RUN",
    default="",
    help="Answer models from the record of an earlier run, without any request; stops at the first difference.",
)
@click.option(
    "--continue", "go_on", is_flag=True, help="Start from branches that an earlier run left unmerged."
)
@click.option(
    "--fresh", is_flag=True, help="Archive branches that an earlier run left unmerged, and start anew."
)
def command(
    tasks: tuple[str, ...],
    commands: tuple[str, ...],
    titles: tuple[str, ...],
    workflow: str,
    as_json: bool,
    events: bool,
    quiet: bool,
    dry_run: bool,
    keep_worktrees: bool,
    in_process: bool,
    replays: str,
    go_on: bool,
    fresh: bool,
    **settings: Any,
) -> None:
    """Run a batch of tasks, each in a git worktree and a process of its own.

    A TASK is a batch file (.yaml), a task file (.md), a folder of task files, or an issue on GitHub: '#12', 12,
    owner/repo#12 or its address. With -c 'command' and options such as --label they make one batch.

    \b
    spinney run batch.yaml --into main
    spinney run '#12' '#15' --label ready --backend anthropic --budget 5
    spinney run -c 'make fmt' --title 'Format everything'
    """
    keys = mark_session()
    executor = None
    if not dry_run:
        from orchestrator.executors import make_executor

        executor = make_executor(in_process=in_process)
        executor.warm_up()  # in the background, while everything else is imported
    place = here() if dry_run else here_alone()
    if in_process:
        settings["jobs"] = 1
    from orchestrator.composition.ready import get_ready

    settings["keep_worktrees"] = True if keep_worktrees else None
    request = asked(
        tasks, commands, titles, workflow, settings, keys, replays, fresh=fresh, go_on=go_on, quiet=quiet
    )
    ready = get_ready(place, Path.cwd(), request, to_run=not dry_run)
    if dry_run:
        from orchestrator.cli.plan import show

        show(ready, as_json=as_json, as_dot=False)
        return
    assert executor is not None
    from orchestrator.cli import output
    from orchestrator.composition.carrying import start
    from orchestrator.reporting.report import to_json

    if not ready.plan.tasks:
        nothing_to_do(ready, as_json=as_json, quiet=quiet or events)
        finish(0)
    if quiet or as_json or events:  # elsewhere it is told with the other notes
        for note in ready.notes:
            if note.startswith("UNSAFE"):
                click.echo(click.style(note, fg="red", bold=True), err=True)
    with (
        contextlib.closing(ready),
        output.listener(quiet=quiet, machine=as_json, events=events) as listen,
    ):
        ended = start(ready, listen, executor=executor, fresh=fresh, go_on=go_on)
    if as_json:
        click.echo(json.dumps(to_json(ended.view, time.time()), indent=2, ensure_ascii=False))
    elif not events and not quiet:
        output.final_table(ended.view)
    finish(exit_code(ended.status, ended.signal))


def nothing_to_do(ready: Any, *, as_json: bool, quiet: bool) -> None:
    """Say why there is no task. A run that asks for the same again is no mistake."""
    from orchestrator import left_out
    from orchestrator.reporting.report import to_json
    from orchestrator.view import RunView
    from shared.text import printable

    if as_json:
        view = RunView(
            status="succeeded", base=ready.base, left_out=ready.plan.left_out, notes=list(ready.notes)
        )
        click.echo(json.dumps(to_json(view, time.time()), indent=2, ensure_ascii=False))
    elif not quiet:
        for line in left_out.lines(ready.plan.left_out):
            click.echo(line)
        for note in ready.notes:
            click.echo(f"note: {printable(note)}")
        click.echo("nothing to do" if ready.plan.left_out else "nothing to do: no open issue was found")


def exit_code(status: str, signal: int) -> int:
    """0 as asked, 1 something failed, 4 interrupted, 130 where a signal did that."""
    if status == "interrupted":
        return SIGNAL_EXIT_CODE if signal else 4
    return 0 if status == "succeeded" else 1
