"""The live board as data: a pure function of the picture, the time and the height. Drawing is the CLI's."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.reporting import bills
from orchestrator.reporting.report import counts
from orchestrator.reporting.times import duration
from orchestrator.view import AgentView, RunView, TaskView
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
    status: TaskStatus | None  # none: an agent of the task above
    where: str  # the agents that run
    time: str
    line: str


@dataclass(frozen=True, slots=True)
class Board:
    rows: tuple[Row, ...]
    hidden: int
    total: str


def board(view: RunView, now: float, height: int = 40, width: int = 120) -> Board:
    """What to show at ``now`` (seconds since the epoch) on ``height`` lines of ``width`` characters."""
    tasks = list(view.tasks.values())
    room = max(3, height - 4)
    if len(tasks) > room:  # what moves is shown first, in the batch's order
        order = [TaskStatus.RUNNING, TaskStatus.FINISHED, TaskStatus.WAITING]
        rank = {status: index for index, status in enumerate(order)}
        chosen = set(sorted(range(len(tasks)), key=lambda i: (rank.get(tasks[i].status, 9), i))[:room])
        tasks = [task for index, task in enumerate(tasks) if index in chosen]
    rows: list[Row] = []
    spare = room - len(tasks)  # for the agents that agents asked for
    for task in tasks:
        nested = [_nested(agent, now) for agent in task.running_agents if agent.parent][:spare]
        spare -= len(nested)
        rows += [_row(view, task, now, width // 3), *nested]
    return Board(tuple(rows), len(view.tasks) - len(tasks), _total(view, now))


def _nested(agent: AgentView, now: float) -> Row:
    """An agent that another one asked for, below those of its task."""
    return Row("", "", None, f"└ {agent.name}", duration(now - agent.started), "")


def _row(view: RunView, task: TaskView, now: float, room: int) -> Row:
    where, line = "", task.reason
    if task.status is TaskStatus.RUNNING:
        where, line = _working(task, room), task.last_line
    elif view.gating == task.id:
        where, line = "gate", view.gate
    elif task.status is TaskStatus.FINISHED:
        where = "merging" if task.merging is not None else "to be merged"
    elif task.status is TaskStatus.WAITING and task.needs:
        line = f"needs {', '.join(task.needs)}"
    elif task.publishing and view.pull_base:
        where = "pushing" if task.sent != task.tip else "opening its pull request"
    elif task.pull and not line:
        line = f"pull request #{task.pull[0]}"
    end = task.ended if task.ended is not None and task.status is not TaskStatus.RUNNING else now
    time = "" if task.started is None else duration(view.worked_within(task.started, end))
    return Row(_MARKS[task.status], task.id, task.status, where, time, line)


def _working(task: TaskView, room: int) -> str:
    """Who runs, in whatever phases; otherwise who is about to, or waits for a slot."""
    if names := [agent.name for agent in task.running_agents if not agent.parent]:
        return _some(names, room)
    if names := [slot.agent for slot in task.queue if slot.granted is not None]:
        return f"{_some(names, room - 9)} starting"
    if names := [slot.agent for slot in task.queue]:
        return f"{_some(names, room - 19)} waiting for a slot"
    return task.phase or "preparing"


def _some(names: list[str], room: int) -> str:
    """As many names as there is room for, in characters; the others are counted. A single one stays whole."""
    for shown in range(len(names), 0, -1):
        if len(text := _named(names, shown)) <= room or len(names) == 1:
            return text
    return f"{len(names)} agents"


def _named(names: list[str], shown: int) -> str:
    return "+".join(names[:shown]) + (f" +{len(names) - shown} more" if shown < len(names) else "")


def _total(view: RunView, now: float) -> str:
    parts = [counts(view), f"{view.slots_used} of {view.slots} slots", duration(view.elapsed_here(now))]
    if view.spending.by_model:
        parts.append(bills.cost(view.spending.total))
    if view.spending.pause is not None:
        parts.append(bills.waits(view.spending.pause))
    if view.forge_pause is not None:
        parts.append(bills.waits(view.forge_pause, "GitHub"))
    if view.publishing and view.pull_base:
        parts.append("opening the pull request of the batch")
    left = time_left(view, now)
    if left is not None and left >= 1:
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
    return max(0.0, (mean * len(still) - spent) / max(1, min(view.slots, len(still))))
