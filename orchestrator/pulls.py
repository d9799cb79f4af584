"""The pull requests of a run: for each task, or one for the batch; the intent is in the journal before the call."""

from __future__ import annotations

from typing import Any, Protocol

from orchestrator.jobs import Jobs
from orchestrator.publishing import batch_draft, draft_for
from orchestrator.view import RunView
from shared.model import Oid, Plan, TaskId, TaskStatus

_WITHOUT = (TaskStatus.FAILED, TaskStatus.WAITING)


class Record(Protocol):
    def __call__(self, event: str, fields: dict[str, Any], *, durable: bool = False) -> None: ...


class Pulls:
    """``base`` is the branch, or the commit, that pull requests are made against."""

    def __init__(self, plan: Plan, view: RunView, record: Record, jobs: Jobs, base: str) -> None:
        self._plan, self._view, self._record, self._jobs, self._base = plan, view, record, jobs, base
        self._policy = plan.settings.pull_requests

    def of_task(self, task: TaskId, tip: Oid, landed: Oid | None = None) -> None:
        """Open or update a task's, where each has one; ``landed`` is what brought it into its base."""
        if self._policy in ("per-task", "stacked"):
            self._record("pull.intent", {"task": task, "tip": tip}, durable=True)
            draft = draft_for(self._plan.task(task), self._view, self._policy, self._base)
            self._jobs.publish(task, draft, tip, landed)

    def of_batch(self) -> None:
        """Open or update the batch's, where that is asked for and something was merged."""
        if self._policy == "batch" and self._view.merged_ref:
            self._record("pull.intent", {"task": None, "tip": self._view.merged}, durable=True)
            self._jobs.publish(None, batch_draft(self._view, self._base), Oid(self._view.merged), None)

    def catch_up(self) -> None:
        """Publish what a crash left between the end of a task and the record of its pull request."""
        for task in self._view.tasks.values():
            if task.commits and task.pull is None and task.status not in _WITHOUT:
                self.of_task(TaskId(task.id), Oid(task.tip))
