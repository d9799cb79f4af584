"""From drafts, as they were read, to tasks, each with an id and its needs. Mistakes are noted in their documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from orchestrator.intake.drafts import Draft, first_command
from shared.config import model_keys
from shared.config.document import nearest
from shared.config.schema import NeedModel
from shared.model import ChangeType, Need, Task, TaskId, Workflow
from shared.text import first_sentence, slug, valid_id


def ids_of(drafts: Iterable[Draft]) -> list[TaskId]:
    """An id a task: as given, or from its file or title; the same one twice is a mistake where given."""
    ids: list[TaskId] = []
    seen: dict[str, Draft] = {}
    for draft in drafts:
        named = draft.model.id or draft.fallback_id or draft.model.title
        wanted = named or first_sentence(first_command(draft.model.run)) or f"task-{len(ids) + 1}"
        if draft.model.id and not valid_id(draft.model.id):
            draft.document.problem(
                (*draft.path, "id"),
                f"{draft.model.id!r} cannot name a branch",
                f"lower case, digits, dot, dash and underscore; for example {slug(draft.model.id)!r}",
            )
        task_id = slug(wanted)
        if task_id in seen:
            other = seen[task_id]
            line, _ = other.document.position((*other.path, "id"))
            draft.document.problem(
                (*draft.path, "id") if draft.model.id else draft.path,
                f"the id {task_id!r} is there twice",
                f"the first is at {other.document.name}:{line}; give each task its own `id`",
            )
        seen.setdefault(task_id, draft)
        ids.append(TaskId(task_id))
    return ids


def task_of(
    draft: Draft, task_id: TaskId, ids: Collection[TaskId], workflow_of: Callable[[Draft], Workflow | None]
) -> Task | None:
    """The task, or None where its file says nothing that could be one. ``ids``: of the whole batch."""
    model, document = draft.model, draft.document
    title = first_sentence(model.title or "", 200) or first_sentence(first_command(model.run))
    if not title:
        document.problem(draft.path, "'title' is missing", "every task needs one")
    needs = []
    for index, need in enumerate(model.needs):
        name = need.task if isinstance(need, NeedModel) else need
        always = isinstance(need, NeedModel) and need.when == "always"
        if name not in ids:
            document.problem(
                (*draft.path, "needs", index),
                f"it needs {name!r}, which is not in the batch",
                nearest(name, ids),
            )
        elif name == task_id:
            document.problem((*draft.path, "needs", index), "a task cannot need itself")
        needs.append(Need(TaskId(name), always))
    workflow = workflow_of(draft)
    if workflow is None or not title:
        return None
    return Task(
        id=task_id,
        title=title,
        workflow=workflow,
        body=draft.body,
        needs=tuple(dict.fromkeys(needs)),
        touches=tuple(model.touches),
        labels=tuple(model.labels),
        evidence=model.evidence,
        timeout=model.timeout,
        allow=tuple(model.allow),
        change=ChangeType(model.change) if model.change else None,
        budget=model_keys.spending(model.budget.model_dump(exclude_none=True) if model.budget else None),
        foreign=draft.issue is not None,
        source=document.name,
        issue=draft.issue,
    )
