"""``spinney explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.log_files import GATE, SET_UP, logs_of, tail
from orchestrator.cli.session import here
from orchestrator.cli.status import complete_task, killed, look, pick, run_option, task_of

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView, TaskView

_LINES = 20


@click.command()
@click.argument("task", required=False, shell_complete=complete_task)
@run_option
def command(task: str | None, run: str | None) -> None:
    """Say why TASK is where it is; without TASK, of every task that is neither merged nor without change."""
    place = here()
    standing = look(place, pick(place, run))
    view = standing.view
    chosen = [task_of(view, task)] if task else [t for t in view.tasks.values() if not t.status.good]
    if standing.killed:
        click.echo(killed(view) + "\n")
    if not chosen:
        click.echo(f"run {view.id}: every task is merged or needed no change")
    for number, entry in enumerate(chosen):
        if number:
            click.echo()
        _explain(place, view, entry)


def _explain(place: Place, view: RunView, task: TaskView) -> None:
    from orchestrator.reporting.explanation import explain
    from shared.text import printable

    for line in explain(view, task):
        click.echo(printable(line))
    log = _telling_log(place, view, task)
    if log is None:
        return
    name, path = log
    lines = tail(path, _LINES)
    if lines:
        click.echo(f"the end of {'the gate' if name == GATE else name}'s output:")
        for line in lines:
            click.echo(f"  | {line}")
        click.echo(f"all of it: spinney logs {task.id} {name}")


def _telling_log(place: Place, view: RunView, task: TaskView) -> tuple[str, Path] | None:
    """The log that says why a task did not make it: the gate's, the failed agent's, or the set-up's."""
    from shared.model import TaskStatus

    logs = {log.name: log.path for log in logs_of(place, view, task)}
    if task.status is TaskStatus.UNMERGED and task.gate_log:
        return GATE, logs.get(GATE, Path(task.gate_log))
    if task.status is TaskStatus.FAILED:
        failed = [agent.name for agent in task.agents if not agent.ok and agent.name in logs]
        name = failed[-1] if failed else SET_UP
        if name in logs:
            return name, logs[name]
    return None
