"""How a run ends, by what is known of it. Pure."""

from __future__ import annotations

from orchestrator.view import RunView
from shared.model import TaskStatus


def worth_keeping(view: RunView, *, everything: bool = False) -> frozenset[str]:
    """Tasks whose worktrees stay: failed ones for people to look at, open ones for ``resume``."""
    return frozenset(
        task.id
        for task in view.tasks.values()
        if everything or task.status is TaskStatus.FAILED or not task.status.final
    )


def outcome(view: RunView) -> str:
    """A run that owes something to the forge can be gone on with like one whose tasks are not all at an end."""
    tasks = view.tasks.values()
    if not all(task.status.final for task in tasks) or view.owing:
        return "interrupted"
    return "succeeded" if all(task.status.good for task in tasks) and view.published else "failed"
