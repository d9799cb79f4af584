"""The components of one task's context: read when they changed, counted and compressed once each.

A component is known by the digest of its content. A file that is still the one that was read (by its inode, size
and times) is not read again; the same content is counted once, however many agents are given it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shared.git.changes import TASK_FOLDER
from shared.model import Component, Task
from shared.text import first_sentence
from shared.tokens import estimate
from workflow_manager.context.compression import Kind, compress
from workflow_manager.context.note import Item
from workflow_manager.task_files import TaskFiles, task_text
from workflow_manager.untrusted import Identity, identity, parsed, read_small

LARGEST = 256 * 1024  # bytes of a component; an agent's output has about one thousand
_EVENTS = 200  # the last ones that are kept
_GAIN = 20  # tokens that a shorter form must save; naming its file costs about as many
_SAID = 60  # characters of what a note says of a component

Read = Callable[[Path, int], bytes | None]
Form = Callable[[str, Kind], str]


@dataclass(frozen=True, slots=True)
class _Content:
    """What was read, with what there is to say about it."""

    text: str
    digest: str
    tokens: int
    says: str


class Components:
    """Of one task; used by the manager's main thread. ``read`` is how a file is read that an agent wrote."""

    def __init__(self, files: TaskFiles, task: Task, read: Read = read_small) -> None:
        self._files, self._task, self._read = files, task, read
        self._events: deque[str] = deque(maxlen=_EVENTS)
        self._seen: dict[Path, tuple[Identity, _Content]] = {}
        self._contents: dict[tuple[str, Kind], _Content] = {}
        self._shorter: dict[tuple[str, Kind, Form], tuple[str, int]] = {}

    def event(self, line: str) -> None:
        self._events.append(first_sentence(line, 200))

    def task_tokens(self) -> int:
        return self._content(task_text(self._task).encode(), "task").tokens

    def find(self, component: Component) -> Item | None:
        """A component in full; None where there is none, or one that is too large."""
        kind, name, path = _kind(component), name_of(component), f"{TASK_FOLDER}/{_file(component)}"
        match kind:
            case "task":
                content = self._own("task.md", task_text(self._task), kind)
            case "events":
                content = self._own("events.md", "".join(f"- {line}\n" for line in self._events), kind)
            case _:
                content = self._left(self._files.folder / component.source / f"{component.part}.json", kind)
        if content is None:
            return None
        return Item(name, path, content.says, content.tokens, content.tokens, content.digest)

    def shortened(self, component: Component, item: Item, form: Form = compress) -> Item:
        """``item`` compressed, in a file of its own; ``item`` itself where that would gain nothing."""
        kind = _kind(component)
        key = (item.digest, kind, form)
        if key not in self._shorter:
            shorter = form(self._contents[item.digest, kind].text, kind)
            self._shorter[key] = shorter, estimate(shorter)
        shorter, tokens = self._shorter[key]
        if item.tokens - tokens < _GAIN:
            return item
        file = f"compressed/{_digest(shorter.encode(errors='replace'))[:12]}.md"
        self._files.keep(file, shorter)
        return replace(item, path=f"{TASK_FOLDER}/{file}", tokens=tokens)

    def _own(self, file: str, text: str, kind: Kind) -> _Content | None:
        if not text:
            return None
        self._files.keep(file, text)
        return self._content(text.encode(errors="replace"), kind)

    def _left(self, path: Path, kind: Kind) -> _Content | None:
        now = identity(path)
        if now is None:
            return None
        if path not in self._seen or self._seen[path][0] != now:
            data = self._read(path, LARGEST)
            if data is None:
                return None
            self._seen[path] = now, self._content(data, kind)
        return self._seen[path][1]

    def _content(self, data: bytes, kind: Kind) -> _Content:
        key = (_digest(data), kind)
        if key not in self._contents:
            text = data.decode(errors="replace")
            says = first_sentence(_says(text, kind), _SAID)
            self._contents[key] = _Content(text, key[0], estimate(text), says)
        return self._contents[key]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _kind(component: Component) -> Kind:
    match component.source:
        case "task":
            return "task"
        case "events":
            return "events"
        case _:
            return component.part


def name_of(component: Component) -> str:
    """What a component is called in messages: ``task``, ``events``, ``AGENT/output``."""
    named = _kind(component) in ("task", "events")
    return component.source if named else f"{component.source}/{component.part}"


def _file(component: Component) -> str:
    if _kind(component) in ("task", "events"):
        return f"{component.source}.md"
    return f"{component.source}/{component.part}.json"


def _says(text: str, kind: Kind) -> str:
    """One line on a component, from what an agent may have written."""
    match kind:
        case "task":
            return "what is to be done"
        case "events":
            return f"the last {len(text.splitlines())} events of this task"
        case "output":
            data = parsed(text)
            summary = data.get("summary") if isinstance(data, dict) else None
            return summary if isinstance(summary, str) and summary.strip() else "its result"
        case "decisions":
            data = parsed(text)
            return f"decided: {', '.join(map(str, data))}" if isinstance(data, dict) and data else "decisions"
        case "artifacts":
            data = parsed(text)
            return f"{len(data)} paths it changed" if isinstance(data, list) else "what it changed"
