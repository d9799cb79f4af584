"""Plans kept for a repository, and what became of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shared.model import Task
from workflow_manager.plans.content import NoPlan, Plan, plan_of
from workflow_manager.plans.similarity import most_similar, words
from workflow_manager.remembering import Entry, Remembered

_MOST = 100
_FILE = "plans.jsonl"
_LARGEST = 65_536  # characters of a plan, and of the task's text, that are kept


@dataclass(frozen=True, slots=True)
class Kept:
    """A plan with what it was made for. ``worked`` once it was carried out to its end, and until it failed."""

    key: str
    agent: str
    workflow: str
    title: str
    body: str
    base: str
    foreign: bool
    plan: Plan
    worked: bool = False


class Shelf:
    def __init__(self, folder: Path) -> None:
        self._file = Remembered(folder / _FILE, _MOST)

    def put(self, kept: Kept) -> None:
        """Keep a plan in place of an older one for the same work; one that is too large is not kept."""
        entry: dict[str, Any] = asdict(kept)
        if len(str(entry["plan"])) <= _LARGEST and len(kept.body) <= _LARGEST:
            self._file.put(entry, lambda old: old.get("key") == kept.key)

    def distrust(self, task: Task) -> None:
        """No plan that was made for the text of ``task`` is served any more, until it has worked again."""
        about = task.workflow.name, task.title, task.body
        for kept in self._all():
            if kept.worked and (kept.workflow, kept.title, kept.body) == about:
                self.put(replace(kept, worked=False))

    def at(self, key: str) -> Kept | None:
        return next((kept for kept in self._all() if kept.key == key), None) if key else None

    def similar(self, kept: Kept) -> tuple[Kept, float] | None:
        """A plan of the same agent that worked for the most similar other task, and how similar that is.

        One made from a stranger's text is for such texts only: it would carry their words to others.
        """
        others = [
            other
            for other in self._all()
            if other.worked
            and (other.agent, other.workflow) == (kept.agent, kept.workflow)
            and other.key != kept.key
            and (kept.foreign or not other.foreign)
        ]
        found = most_similar(words(kept.title, kept.body), (words(o.title, o.body) for o in others))
        return None if found is None else (others[found[0]], found[1])

    def _all(self) -> list[Kept]:
        return [kept for entry in reversed(self._file.entries()) if (kept := _read(entry)) is not None]


def _read(entry: Entry) -> Kept | None:
    """None for what is not a plan, whoever wrote it."""
    try:
        raw = entry["plan"]
        plan = plan_of(raw, (), {str(key): str(value) for key, value in raw["decisions"].items()})
        return Kept(
            key=str(entry["key"]),
            agent=str(entry["agent"]),
            workflow=str(entry["workflow"]),
            title=str(entry["title"]),
            body=str(entry["body"]),
            base=str(entry["base"]),
            foreign=bool(entry["foreign"]),
            plan=plan,
            worked=bool(entry["worked"]),
        )
    except (KeyError, TypeError, AttributeError, NoPlan):
        return None
