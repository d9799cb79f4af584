"""What of a run is shown outside, and when: branches, pull requests, comments.

The intent is in the journal before the call. On the local forge a pull request is there as soon as its task's work is.
Elsewhere it is opened once, when it is known whether it fits together with the others; until then its branch is pushed,
so that a lost machine loses little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from orchestrator.publishing import again
from orchestrator.publishing.delivery import Elsewhere
from orchestrator.publishing.drafts import batch_draft, draft_for
from orchestrator.publishing.outbox import Look, Mark, Open, Push, Say, Wish
from orchestrator.publishing.progress import (
    AT_WORK,
    comment,
    commit_state,
    description,
    issue_marker,
    stage_of,
)
from orchestrator.publishing.pull_text import batch_pull_draft, issue_in, pull_draft, stands_on
from orchestrator.view import RunView, TaskView
from shared.forge.port import Draft
from shared.model import Oid, Plan, Task, TaskId, TaskOutcome, TaskResult, TaskStatus

_WITHOUT = (TaskStatus.FAILED, TaskStatus.WAITING)


class Record(Protocol):
    def __call__(self, event: str, fields: dict[str, Any], *, durable: bool = False) -> None: ...


class Pulls:
    """``base`` is the branch, or the commit, that pull requests are made against. Used by the engine's thread."""

    def __init__(
        self,
        plan: Plan,
        view: RunView,
        record: Record,
        want: Callable[..., None],
        base: str,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """``want`` takes wishes."""
        self._plan, self._view, self._record, self._want, self._base = plan, view, record, want, base
        self._policy = plan.settings.pull_requests
        self._elsewhere = elsewhere

    # --- as the run goes on

    def begun(self, task_id: TaskId) -> None:
        if self._view.tasks[task_id].stage != AT_WORK:
            self._want(*self._said(task_id))

    def committed(self, task_id: TaskId, tip: Oid) -> None:
        """A phase of it; the branch goes along with the next push."""
        if self._elsewhere is not None:
            self._want(Push(_ref(self._plan.task(task_id).branch), tip, task_id, soon=False))

    def over(self, result: TaskResult) -> None:
        """Its manager has ended, with whatever outcome."""
        if self._elsewhere is not None:
            self._want(*self._pushed(result.task))
        elif result.outcome is TaskOutcome.DONE:
            self._want(*self._opened(result.task, result.tip, None))

    def settled(self, task_id: TaskId, landed: Oid | None = None) -> None:
        """How it ends is known; ``landed`` is what brought it into its base."""
        entry = self._view.tasks[task_id]
        if self._elsewhere is None:
            if entry.commits and entry.status not in (*_WITHOUT, TaskStatus.SKIPPED):
                self._want(*self._opened(task_id, Oid(entry.tip), landed))
            return
        self._want(*self._pushed(task_id), *self._publication(entry), *self._marked(entry))

    def answered(self, task_id: TaskId) -> None:
        """Its pull request is there, or it is known that there is none: its issue can be told."""
        if self._elsewhere is not None and self._view.tasks[task_id].status.final:
            self._want(*self._said(task_id))

    def of_batch(self) -> None:
        """Open or update the batch's, where that is asked for and something was merged."""
        if self._policy != "batch" or not self._view.merged_ref:
            return
        tip = Oid(self._view.merged)
        if self._elsewhere is not None:
            self._want(Push(self._view.merged_ref, tip))
        self._record("pull.intent", {"task": None, "tip": tip}, durable=True)
        self._want(Open(None, self._batch_draft(), tip))

    def finished(self) -> None:
        """All tasks are at an end."""
        if self._elsewhere is not None:
            self._want(Look())

    def stopped(self) -> None:
        """The run ends before its time: what is under way is told so."""
        if self._elsewhere is not None:
            for task in self._plan.tasks:
                entry = self._view.tasks[task.id]
                if entry.stage == AT_WORK and not entry.status.final:
                    self._want(*self._said(task.id, stopped=True))

    def catch_up(self) -> None:
        """What a crash left between an event and what should have followed from it outside."""
        if self._elsewhere is not None:
            self._want(*(Push(ref, Oid(tip)) for ref, tip in self._view.archived.items()))
        for entry in self._view.tasks.values():
            task = TaskId(entry.id)
            if self._elsewhere is None:
                if entry.commits and _open_question(entry) and entry.status not in _WITHOUT:
                    self._want(*self._opened(task, Oid(entry.tip), self._landed(entry)))
                continue
            if entry.commits and entry.sent != entry.tip:
                self._want(*self._pushed(task))
            if entry.status.final:
                open_question = _open_question(entry)
                self._want(*(self._publication(entry) if open_question else []), *self._marked(entry))
                if not open_question and entry.stage != stage_of(entry):
                    self._want(*self._said(task))

    def _landed(self, entry: TaskView) -> Oid | None:
        """What brought it into ``into``, where all that was merged is there."""
        there = entry.status is TaskStatus.MERGED and self._view.landed == self._view.merged
        return Oid(entry.merged) if there else None

    # --- the wishes

    def _pushed(self, task_id: TaskId) -> list[Wish]:
        entry = self._view.tasks[task_id]
        if not entry.commits:
            return []
        return [Push(_ref(self._plan.task(task_id).branch), Oid(entry.tip), task_id)]

    def _publication(self, entry: TaskView) -> list[Wish]:
        """The pull request of a task that is settled, or at once what its issue is told where it gets none."""
        task_id = TaskId(entry.id)
        without = entry.status in (*_WITHOUT, TaskStatus.SKIPPED) or not entry.commits
        if without or self._policy not in ("per-task", "stacked"):
            return self._said(task_id)
        return self._opened(task_id, Oid(entry.tip), None)

    def _opened(self, task_id: TaskId, tip: Oid, landed: Oid | None) -> list[Wish]:
        """The pull request of a task, where each has one."""
        if self._policy not in ("per-task", "stacked"):
            return []
        self._record("pull.intent", {"task": task_id, "tip": tip}, durable=True)
        task = self._plan.task(task_id)
        return [Open(task_id, self._draft(task), tip, landed, self._stands_on(task))]

    def _draft(self, task: Task) -> Draft:
        if self._elsewhere is None:
            return draft_for(task, self._view, self._policy, self._base)
        outside = self._elsewhere
        repository = outside.tracker.repository
        return pull_draft(
            task,
            self._view,
            self._plan.settings,
            self._base,
            repository,
            outside.template,
            again.command(task, self._plan, Oid(self._view.base), repository),
        )

    def _stands_on(self, task: Task) -> str:
        return stands_on(task, self._view, self._policy) if self._elsewhere is not None else ""

    def _batch_draft(self) -> Draft:
        if self._elsewhere is None:
            return batch_draft(self._view, self._base)
        return batch_pull_draft(self._plan, self._view, self._base, self._elsewhere.tracker.repository)

    def _said(self, task_id: TaskId, *, stopped: bool = False) -> list[Wish]:
        task, outside = self._plan.task(task_id), self._elsewhere
        if outside is None or not self._plan.settings.github.comment:
            return []
        issue = issue_in(task, outside.tracker.repository)
        entry = self._view.tasks[task_id]
        stage = stage_of(entry, stopped=stopped)
        if issue is None or entry.stage == stage:
            return []
        self._record("issue.intent", {"task": task_id, "stage": stage}, durable=True)
        text = comment(task, self._view, stage, outside.job)
        return [Say(task_id, issue.number, issue_marker(issue.number), text, stage)]

    def _marked(self, entry: TaskView) -> list[Wish]:
        if not entry.commits or entry.marked == entry.tip or self._plan.settings.github.mark == "none":
            return []
        self._record("mark.intent", {"task": entry.id, "tip": entry.tip}, durable=True)
        state, words = commit_state(entry.status), description(entry, self._view)
        return [Mark(TaskId(entry.id), Oid(entry.tip), state, words)]


def _open_question(entry: TaskView) -> bool:
    """Whether it has no pull request, or it is not known what came of the last wish for it."""
    return entry.pull is None or entry.publishing


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"
