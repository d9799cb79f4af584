"""A run as one JSON object, as Markdown and as the lines of the final table. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator import left_out
from orchestrator.reporting import bills
from orchestrator.reporting.metrics import metrics
from orchestrator.reporting.times import spelled
from orchestrator.view import RunView, TaskView
from shared.model import TaskStatus


def to_json(view: RunView, now: float) -> dict[str, Any]:
    """The object that ``run --json`` prints; its shape is part of the interface."""
    return {
        "run": view.id,
        "status": view.status,
        "base": view.base,
        "merged": view.merged or view.base,
        "merged_ref": view.merged_ref,
        "tasks": [_task(task) for task in view.tasks.values()],
        "left_out": left_out.to_data(view.left_out),
        "notes": list(dict.fromkeys(view.notes)),
        "metrics": metrics(view, now),
    }


def _task(task: TaskView) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "status": str(task.status),
        "branch": task.branch,
        "commits": [{"phase": phase, "oid": oid} for phase, oid in task.commits],
        "pull_request": {"number": task.pull[0], "url": task.pull[1]} if task.pull else None,
        "seconds": round(task.seconds, 3),
        "attempts": task.attempts,
        "tokens": {"input": read(task), "output": written(task)},
        "cost_usd": round(cost(task), 6),
        "reason": task.reason,
    }


def read(task: TaskView) -> int:
    """Tokens that its agents read, cached or not, as the server billed them."""
    return task.bill.read if task.bill.calls else sum(agent.input_tokens for agent in task.agents)


def written(task: TaskView) -> int:
    return task.bill.written if task.bill.calls else sum(agent.output_tokens for agent in task.agents)


def cost(task: TaskView) -> float:
    """US dollars for what has a price."""
    return task.bill.usd if task.bill.calls else sum((agent.cost_usd for agent in task.agents), 0.0)


def counts(view: RunView) -> str:
    """Such as ``7 merged, 1 no-change, 1 conflict``; statuses in their order, zeros left out."""
    found = [(status, sum(task.status is status for task in view.tasks.values())) for status in TaskStatus]
    return ", ".join(f"{number} {word(view, status)}" for status, number in found if number)


def word(view: RunView, status: TaskStatus | str) -> str:
    """For people. What a job elsewhere has made is done; merged it is by whoever takes it in."""
    return "done" if view.hands_back and status == TaskStatus.MERGED else str(status)


def took(view: RunView, now: float, size: Callable[[float], str]) -> str:
    """How long it took; where tasks ran as jobs elsewhere, that and taking them in each for itself."""
    here, whole = view.elapsed_here(now), view.elapsed(now)
    if not view.elsewhere:
        return size(whole)
    return f"{size(here)}, after {size(whole - here)} of jobs elsewhere"


def rows(view: RunView) -> list[tuple[str, str, str, str, str]]:
    """Task, status, commits, time of its agents, and what there is to say, for the final table."""
    found = []
    for task in view.tasks.values():
        detail = task.reason or _pull(task)
        if task.pull and task.reason:
            detail += f" ({_pull(task)})"
        found.append(
            (task.id, word(view, task.status), str(len(task.commits)), spelled(task.seconds), detail)
        )
    return found


def _pull(task: TaskView) -> str:
    """Its pull request, by its address where there is one that a browser understands."""
    if task.pull is None:
        return ""
    number, url = task.pull
    return f"pull request {url}" if url.startswith("http") else f"pull request #{number}"


def closing(view: RunView) -> list[str]:
    """What to do next, as lines with commands."""
    lines = []
    if view.merged_ref and not view.hands_back:
        branch = view.merged_ref.removeprefix("refs/heads/")
        lines.append(f"merged result: {branch} ({view.merged[:10]})")
        if view.into and view.landed == view.merged:
            lines.append(f"{view.into} was moved to it")
        elif view.status in ("succeeded", "failed"):
            lines.append(f"to land it:    git merge --ff-only {branch}")
    for task in view.tasks.values():
        if task.status is TaskStatus.CONFLICT:
            target = view.merged_ref.removeprefix("refs/heads/") or view.into
            lines.append(
                f"to resolve {task.id}: git switch {task.branch} && git merge {target}, then: spinney merge"
            )
        elif task.status in (TaskStatus.FAILED, TaskStatus.UNMERGED):
            lines.append(f"why {task.id} did not make it: spinney explain {task.id}")
    missing = {task.id: task.unpublished for task in view.tasks.values()} | {"the batch": view.unpublished}
    for name, why in missing.items():
        if why:
            lines.append(f"{name} has no pull request: {why}; to try again: spinney merge")
    if view.status == "interrupted":
        lines += _stopped(view)
    elif view.spending.differs:
        lines.append(f"the replay stopped: {view.spending.stopped}")
    return lines


def _stopped(view: RunView) -> list[str]:
    """Why an interrupted run stopped, if models are the reason, and how it goes on."""
    spent = [task for task in view.tasks.values() if task.spent]
    lines = [f"{task.id} stopped: {task.spent}" for task in spent]
    if view.spending.stopped:
        lines.append(f"stopped: {view.spending.stopped}")
    # The run's budget can end a single task as well: whose next request is too large for what is left of it.
    whole = [task for task in spent if "this run" in task.spent]
    budget = " --budget MORE" if view.spending.stopped.startswith("the budget") or whole else ""
    if view.hands_back or view.takes_in:
        return [*lines, f"to go on: {view.goes_on_by} again{budget and f', with{budget}'}"]
    budget += " --task-budget MORE" if len(whole) < len(spent) else ""
    return [*lines, f"to go on: {view.goes_on_by}{budget}"]


def to_markdown(view: RunView, now: float) -> str:
    figures = metrics(view, now)
    lines = [
        f"# Spinney run {view.id}: {view.status}",
        "",
        f"{counts(view)} in {took(view, now, spelled)} "
        f"({spelled(figures['sequential_time_seconds'])} one after another, speedup {figures['speedup']:.2f}).",
        *([f"Models: {bills.bill(view.spending.total)}."] if view.spending.by_model else []),
        "",
        f"| task | status | commits | seconds | {'cost | ' if view.spending.by_model else ''}pull request | |",
        f"|---|---|---:|---:|{'---:|' if view.spending.by_model else ''}---|---|",
    ]
    for task in view.tasks.values():
        pull = f"#{task.pull[0]}" if task.pull else ""
        cells = (
            f"`{task.id}` {task.title}",
            word(view, task.status),
            str(len(task.commits)),
            f"{task.seconds:.1f}",
            *([bills.cost(task.bill)] if view.spending.by_model else []),
            pull,
            task.reason,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    closed = [*left_out.lines(view.left_out), *closing(view)]
    lines += ["", *(f"- {line}" for line in closed), ""]
    return "\n".join(lines)
