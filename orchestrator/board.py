"""The live board as data: a pure function of the picture, the time and the height. Drawing is the CLI's."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.report import counts
from orchestrator.view import RunView, TaskView
from shared.model import TaskStatus

_MARKS = {
    TaskStatus.WAITING: "·",
    TaskStatus.RUNNING: "▶",
    TaskStatus.FINISHED: "◆",
    TaskStatus.MERGED: "✔",
    TaskStatus.NO_CHANGE: "=",
    TaskStatus.UNMERGED: "✘",
    TaskStatus.FAILED: "✘",
    TaskStatus.CONFLICT: "⚡",
    TaskStatus.SKIPPED: "→",
}


@dataclass(frozen=True, slots=True)
class Row:
    mark: str
    task: str
    status: TaskStatus
    where: str  # phase and agents
    time: str
    line: str


@dataclass(frozen=True, slots=True)
class Board:
    rows: tuple[Row, ...]
    hidden: int
    total: str


def board(view: RunView, now: float, height: int = 40) -> Board:
    """What to show at ``now`` (seconds since the epoch) on ``height`` lines."""
    rows = [_row(view, task, now) for task in view.tasks.values()]
    room = max(3, height - 4)
    if len(rows) > room:  # what moves is shown first, in the batch's order
        order = [TaskStatus.RUNNING, TaskStatus.FINISHED, TaskStatus.WAITING]
        rank = {status: index for index, status in enumerate(order)}
        chosen = set(sorted(range(len(rows)), key=lambda i: (rank.get(rows[i].status, 9), i))[:room])
        rows = [row for index, row in enumerate(rows) if index in chosen]
    return Board(tuple(rows), len(view.tasks) - len(rows), _total(view, now))


def _row(view: RunView, task: TaskView, now: float) -> Row:
    where, line = "", task.reason
    if task.status is TaskStatus.RUNNING:
        names = "+".join(agent.name for agent in task.running_agents)
        where = f"{task.phase} {names}".strip() or "preparing"
        line = task.last_line
    elif view.gating == task.id:
        where, line = "gate", view.gate
    elif task.status is TaskStatus.FINISHED:
        where = "to be merged"
    elif task.status is TaskStatus.WAITING and task.needs:
        line = f"needs {', '.join(task.needs)}"
    elif task.pull and not line:
        line = f"pull request #{task.pull[0]}"
    end = task.ended if task.ended is not None and task.status is not TaskStatus.RUNNING else now
    time = duration(end - task.started) if task.started is not None else ""
    return Row(_MARKS[task.status], task.id, task.status, where, time, line)


def _total(view: RunView, now: float) -> str:
    running = sum(len(task.running_agents) for task in view.tasks.values())
    parts = [counts(view), f"{running} of {view.jobs} slots", duration(view.elapsed(now))]
    left = time_left(view, now)
    if left is not None:
        parts.append(f"about {duration(left)} left")
    return " · ".join(parts)


def time_left(view: RunView, now: float) -> float | None:
    """Seconds until the end by the mean time of the tasks that have ended; None before the first one has."""
    ended = [task.seconds for task in view.tasks.values() if task.ended is not None and task.agents]
    still = [
        task
        for task in view.tasks.values()
        if not task.status.final and task.status is not TaskStatus.FINISHED
    ]
    if not ended or not still:
        return None
    mean = sum(ended) / len(ended)
    spent = sum(max(0.0, now - agent.started) for task in still for agent in task.running_agents)
    return max(0.0, (mean * len(still) - spent) / max(1, min(view.jobs, len(still))))


def duration(seconds: float) -> str:
    """Short and steady: ``4.2s``, ``3m12s``, ``1h04m``."""
    seconds = max(0.0, round(seconds, 1))
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"
