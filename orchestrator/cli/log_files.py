"""The logs of a run, as files. What agents print is never trusted on a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView, TaskView

SET_UP, GATE, GATE_FOLDER = "set-up", "gate", "@gate"
_AGENT = re.compile(r"[A-Z][A-Z0-9_]*(/[a-z][a-z0-9-]*)?\Z")  # one that another asked for is PARENT/name
_LINE = 10_000  # characters of a line that are shown


@dataclass(frozen=True, slots=True)
class Log:
    name: str  # an agent's, ``set-up`` or ``gate``
    path: Path


def logs_of(place: Place, view: RunView, task: TaskView) -> list[Log]:
    """The logs of a task, in the order in which they were begun."""
    folder = place.run_dir(view.id) / "logs"
    order = [SET_UP, *dict.fromkeys(agent.name for agent in task.agents)]
    own = folder / task.id
    found = {str(path.relative_to(own).with_suffix("")): path for path in own.rglob("*.log")}
    names = [name for name in found if name == SET_UP or _AGENT.match(name)]
    names.sort(key=lambda name: (order.index(name) if name in order else len(order), name))
    logs = [Log(name, found[name]) for name in names]
    gate = folder / GATE_FOLDER / f"{task.id}.log"
    return [*logs, Log(GATE, gate)] if gate.is_file() else logs


def tail(path: Path, lines: int, size: int = 65536) -> list[str]:
    """The last lines of a log, fit to be shown; fewer where they are longer than ``size`` bytes together."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            data = file.read()
    except OSError:
        return []
    return [shown(line) for line in data.rstrip().split(b"\n")[-lines:]] if data.strip() else []


def shown(line: bytes) -> str:
    """A line as a terminal would have left it, without anything that could drive the terminal."""
    from shared.text import printable

    return printable(line.decode(errors="replace").rstrip("\r").rpartition("\r")[2], limit=_LINE)


def listen_in(place: Place, view: RunView) -> None:
    """Fill in the last line that each running task has printed; the journal does not hold it."""
    from orchestrator.view import said
    from shared.text import last_line

    for task in view.tasks.values():
        for agent in task.running_agents[-1:]:
            path = place.run_dir(view.id) / "logs" / task.id / f"{agent.name}.log"
            said(view, task.id, last_line("\n".join(tail(path, 10, 4096))))
