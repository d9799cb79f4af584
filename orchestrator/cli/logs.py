"""``spinney logs``. What agents print is never trusted on a terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.log_files import GATE, SET_UP, Log, logs_of, shown
from orchestrator.cli.session import here
from orchestrator.cli.status import complete_task, killed, look, near, pick, run_option, task_of, worked_on

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView, TaskView

_POLL_SECONDS = 0.2


@click.command()
@click.argument("task", required=False, shell_complete=complete_task)
@click.argument("agent", required=False)
@run_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the task is over.")
@click.option(
    "--raw", is_flag=True, help="The bytes as they are, escape sequences included; not on a terminal."
)
def command(task: str | None, agent: str | None, run: str | None, follow: bool, raw: bool) -> None:
    """Show what the agents of TASK printed, and the gate; without TASK, list what there is.

    AGENT is an agent's name, or AGENT/name of one that it asked for (EXECUTOR/c1 is its first command),
    or `gate`, or `set-up`.
    """
    from shared.errors import UserError

    if raw and sys.stdout.isatty():
        raise UserError(
            "raw output may hold escape sequences that drive a terminal, and this is one",
            "leave --raw out, or send it elsewhere: spinney logs TASK --raw > file",
        )
    place = here()
    view = look(place, pick(place, run)).view
    if task is None:
        if follow:
            raise UserError("--follow needs a task", "follow all of them: spinney watch")
        _list(place, view)
        return
    chosen = task_of(view, task)
    names = _names(place, view, chosen)
    only = _only(agent, names, chosen)
    if follow:
        try:
            _follow(place, view, chosen, only, raw=raw, headers=len(names) > 1 and only is None)
        except KeyboardInterrupt:
            return
        return
    logs = [log for log in logs_of(place, view, chosen) if only in (None, log.name)]
    printer = _Printer(raw=raw, headers=len(logs) > 1)
    for log in logs:
        printer.feed(log, chosen)
    printer.end()
    if not any(log.path.stat().st_size for log in logs):
        click.echo(f"{only or chosen.id} has written nothing; {chosen.id} is {chosen.status}", err=True)


def _list(place: Place, view: RunView) -> None:
    width = max(map(len, view.tasks))
    for task in view.tasks.values():
        logs = [f"{log.name} ({_size(log.path)})" for log in logs_of(place, view, task)]
        click.echo(f"{task.id:<{width}}  {', '.join(logs) or '–'}")
    click.echo("\nshow one: spinney logs TASK [AGENT]")


def _size(path: Path) -> str:
    size = path.stat().st_size
    if not size:
        return "empty"
    return f"{size} bytes" if size < 10_000 else f"{size / 1000:.0f} kB"


def _names(place: Place, view: RunView, task: TaskView) -> list[str]:
    """Every name that a log of this task can have."""
    from shared.model import TaskId

    plan = place.plan(pick(place, view.id))
    names = [str(agent.name) for agent in plan.task(TaskId(task.id)).workflow.agents]
    names += [name for name in dict.fromkeys(agent.name for agent in task.agents) if name not in names]
    names += [SET_UP] * bool(plan.settings.setup) + [GATE] * bool(plan.settings.gate)
    return names


def _only(agent: str | None, names: list[str], task: TaskView) -> str | None:
    from shared.errors import UserError

    if agent is None:
        return None
    for name in names:
        if name.lower() == agent.lower():
            return name
    raise UserError(f"{task.id} has no agent {agent!r}", near(agent.upper(), names, "it has"))


def _follow(
    place: Place, view: RunView, task: TaskView, only: str | None, *, raw: bool, headers: bool
) -> None:
    """Print what comes until the task is over, or nobody works on it any more."""
    from shared.journal import follow

    path = place.run_dir(view.id) / "journal.jsonl"
    view, offset = type(view)(), 0
    printer = _Printer(raw=raw, headers=headers)
    while True:
        alive = worked_on(place) == path.parent.name
        records, offset = follow(path, offset)
        for record in records:
            view.apply(record)
        task = view.tasks[task.id]
        over = not alive or view.status != "running" or task.status.final
        for log in logs_of(place, view, task):
            if only in (None, log.name):
                printer.feed(log, task)
        if over:
            break
        time.sleep(_POLL_SECONDS)
    printer.end()
    if view.status == "running" and not task.status.final:
        view.cut_off()
        click.echo(killed(view), err=True)
    else:
        click.echo(f"{task.id} is {task.status}", err=True)


@dataclass(slots=True)
class _Printer:
    """Prints logs as they grow, whole lines only, under a header where there are several."""

    raw: bool
    headers: bool
    _offsets: dict[Path, int] = field(default_factory=dict)
    _rest: dict[Path, bytes] = field(default_factory=dict)
    _current: Path | None = None

    def feed(self, log: Log, task: TaskView) -> None:
        data = self._new(log.path)
        if self.raw:
            click.echo(data, nl=False)
            return
        whole, newline, rest = (self._rest.get(log.path, b"") + data).rpartition(b"\n")
        self._rest[log.path] = rest
        if newline or (rest and log.path != self._current):
            self._turn_to(log, task)
        if newline:
            click.echo("\n".join(shown(line) for line in whole.split(b"\n")))

    def _new(self, path: Path) -> bytes:
        offset = self._offsets.get(path, 0)
        with path.open("rb") as file:
            if path.stat().st_size < offset:  # the gate ran again
                offset = 0
            file.seek(offset)
            data = file.read()
        self._offsets[path] = offset + len(data)
        return data

    def _turn_to(self, log: Log, task: TaskView) -> None:
        if log.path == self._current:
            return
        self._last_line()
        if self.headers:
            click.echo("\n" * (self._current is not None) + click.style(_header(log, task), bold=True))
        self._current = log.path

    def _last_line(self) -> None:
        """The end of the current log, where it has no newline."""
        if self._current is not None and (rest := self._rest.pop(self._current, b"")):
            click.echo(shown(rest))

    def end(self) -> None:
        self._last_line()


def _header(log: Log, task: TaskView) -> str:
    from orchestrator.reporting.times import spelled

    about = log.name
    for agent in reversed(task.agents):
        if agent.name == log.name:
            state = (
                "running"
                if agent.ended is None
                else f"{'ok' if agent.ok else 'failed'} in {spelled(agent.seconds)}"
            )
            about += f" ({agent.phase}{f', try {agent.attempt}' if agent.attempt > 1 else ''}): {state}"
            break
    return f"==> {about} <=="
