"""A task as it was read, before workflows and ids are settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.intake.issues import FromIssue
from shared.config.document import Document
from shared.config.document import Path as Keys
from shared.config.schema import TaskFields
from shared.model import Issue


@dataclass(frozen=True, slots=True)
class Draft:
    """With where it stands, for messages."""

    model: TaskFields
    body: str
    fallback_id: str
    document: Document
    path: Keys
    issue: Issue | None = None  # whose text it is


def of_issue(task: FromIssue, name: str) -> Draft:
    """Strangers wrote it: it is text and nothing else, whatever it looks like. ``name`` is for messages."""
    model = TaskFields(
        id=task.id, title=task.title, needs=[str(need) for need in task.needs], labels=list(task.labels)
    )
    return Draft(model, task.body, "", Document(name, b""), (), task.issue)


def first_command(run: str | Sequence[str] | None) -> str:
    """The command that names a task which has no title."""
    return run if isinstance(run, str) else run[0] if run else ""


def commands_are_sound(draft: Draft) -> bool:
    run, where = draft.model.run, (*draft.path, "run")
    commands = (
        [(where, run)] if isinstance(run, str) else [((*where, i), text) for i, text in enumerate(run or ())]
    )
    empty = [place for place, text in commands if not text.strip()]
    for place in empty:
        draft.document.problem(place, "the command is empty")
    return not empty


def split_front_matter(text: str) -> tuple[str | None, str]:
    """The YAML between a first line ``---`` and the next one, and the rest; None where the next one is missing."""
    if not text.startswith("---\n"):
        return "", text
    front, end, body = text.removeprefix("---").partition("\n---\n")
    if not end and not front.endswith("\n---"):
        return None, ""
    return front.removesuffix("\n---").removeprefix("\n"), body
