"""A run as one JSON object, as Markdown and as the lines of the final table. Pure."""

from __future__ import annotations

from typing import Any

from orchestrator.metrics import metrics
from orchestrator.view import INTERRUPTED, LOST, RunView, TaskView
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
        "tokens": {
            "input": sum(agent.input_tokens for agent in task.agents),
            "output": sum(agent.output_tokens for agent in task.agents),
        },
        "cost_usd": round(sum((agent.cost_usd for agent in task.agents), 0.0), 6),
        "reason": task.reason,
    }


def counts(view: RunView) -> str:
    """Such as ``7 merged, 1 no-change, 1 conflict``; statuses in their order, zeros left out."""
    found = [(status, sum(task.status is status for task in view.tasks.values())) for status in TaskStatus]
    return ", ".join(f"{number} {status}" for status, number in found if number)


def rows(view: RunView) -> list[tuple[str, str, str, str, str]]:
    """Task, status, commits, seconds, and what there is to say, for the final table."""
    found = []
    for task in view.tasks.values():
        detail = task.reason or (f"pull request #{task.pull[0]}" if task.pull else "")
        if task.pull and task.reason:
            detail += f" (pull request #{task.pull[0]})"
        found.append((task.id, str(task.status), str(len(task.commits)), f"{task.seconds:.1f}", detail))
    return found


def closing(view: RunView) -> list[str]:
    """What to do next, as lines with commands."""
    lines = []
    if view.merged_ref:
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
    if view.status == "interrupted":
        lines.append("to go on: spinney resume")
    return lines


def to_markdown(view: RunView, now: float) -> str:
    figures = metrics(view, now)
    lines = [
        f"# Spinney run {view.id}: {view.status}",
        "",
        f"{counts(view)} in {figures['total_time_seconds']:.1f} s "
        f"({figures['sequential_time_seconds']:.1f} s one after another, speedup {figures['speedup']:.2f}).",
        "",
        "| task | status | commits | seconds | pull request | |",
        "|---|---|---:|---:|---|---|",
    ]
    for task in view.tasks.values():
        pull = f"#{task.pull[0]}" if task.pull else ""
        cells = (
            f"`{task.id}` {task.title}",
            str(task.status),
            str(len(task.commits)),
            f"{task.seconds:.1f}",
            pull,
            task.reason,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    lines += ["", *(f"- {line}" for line in closing(view)), ""]
    return "\n".join(lines)


def explain(view: RunView, task: TaskView) -> list[str]:
    """Why a task is where it is, in whole sentences."""
    lines = [f"{task.id}: {task.title}", f"status: {task.status}"]
    if task.reason:
        lines.append(f"why: {task.reason}")
    match task.status:
        case TaskStatus.WAITING:
            lines.append(_waiting(view, task))
        case TaskStatus.RUNNING if not task.running_agents:
            working = sum(len(other.running_agents) for other in view.tasks.values())
            if working >= view.jobs:
                lines.append(f"it waits for one of the {view.jobs} slots, which are all taken")
        case TaskStatus.FINISHED:
            before = view.order[: view.order.index(task.id)] if task.id in view.order else ()
            earlier = [name for name in before if not view.tasks[name].status.final]
            lines.append(
                f"its work is on {task.branch}; it is integrated after: {', '.join(earlier) or 'nothing else'}"
            )
        case TaskStatus.CONFLICT:
            lines.append(f"files in conflict: {', '.join(task.conflict_files)}")
            lines.append(f"with: {', '.join(task.conflict_with) or view.into or 'the target'}")
            lines.append(f"its work is kept on {task.branch}")
        case TaskStatus.MERGED:
            lines.append(f"merged by {task.merged[:10]} into {view.merged_ref.removeprefix('refs/heads/')}")
        case TaskStatus.UNMERGED | TaskStatus.FAILED | TaskStatus.SKIPPED if task.commits:
            count = f"{len(task.commits)} commits are" if len(task.commits) > 1 else "commit is"
            lines.append(f"its {count} kept on {task.branch}")
        case _:
            pass
    if task.gate_log:
        lines.append(f"the gate's output: {task.gate_log}")
    if task.status is TaskStatus.FAILED and task.worktree:
        lines.append(f"its worktree is kept at {task.worktree}")
    for agent in task.agents:
        state = f"{'ok' if agent.ok else 'failed'}, {agent.seconds:.1f} s"
        tail = f": {agent.summary}" if agent.summary else ""
        if agent.ended is None:
            state = "running"
        elif agent.summary in (INTERRUPTED, LOST):
            state, tail = agent.summary, ""
        lines.append(f"  {agent.phase} / {agent.name} (try {agent.attempt}): {state}{tail}")
    lines += [f"  {name} skipped: {reason}" for name, reason in task.skipped_agents]
    lines += [f"  commit {oid[:10]} [{phase}]" for phase, oid in task.commits]
    return lines


def _waiting(view: RunView, task: TaskView) -> str:
    open_needs = [
        need
        for need in task.needs
        if not view.tasks[need].status.final and view.tasks[need].status is not TaskStatus.FINISHED
    ]
    if open_needs:
        return f"it waits for: {', '.join(f'{need} ({view.tasks[need].status})' for need in open_needs)}"
    if view.status == "interrupted":
        return "the run was interrupted before it was over; spinney resume goes on"
    return "it waits for a place among the open tasks"
