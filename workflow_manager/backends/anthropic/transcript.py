"""A conversation on disk, a line a message, so that a manager that died is gone on with and nothing is paid twice.

The first line says whose it is. After it come messages in order, each with how many requests were made by then; a
line with ``"fresh": true`` begins the conversation anew (its history was summarised). A last line without an end was
being written when the manager died, and counts as never written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared.model import Tokens
from workflow_manager import beneath
from workflow_manager.backends.anthropic.conversation import (
    Answer,
    Message,
    ToolUse,
    blocks_of,
    message_to_wire,
    stop_of,
)
from workflow_manager.backends.port import AgentCall
from workflow_manager.beneath import Unreachable
from workflow_manager.untrusted import parsed

_FORMAT = 1
_LARGEST = 10 * 1024 * 1024  # bytes of a file in conflict that are looked at


@dataclass(slots=True)
class History:
    """What was said so far."""

    messages: list[Message] = field(default_factory=list)
    done: list[ToolUse] = field(default_factory=list)  # every tool call that was replied to, in order
    last: Answer | None = None  # the answer that nobody has replied to yet
    requests: int = 0
    tokens: Tokens = Tokens()


def header(call: AgentCall, model: str, prompt: str) -> dict[str, Any]:
    """What tells one try of an agent from another: the same words to another model are another conversation.

    So are the same words about another conflict, which the next manager may meet in place of this one.
    """
    return {
        "format": _FORMAT,
        "task": call.task.id,
        "agent": call.agent.name,
        "attempt": call.attempt,
        "model": model,
        "prompt": hashlib.sha256(prompt.encode(errors="replace")).hexdigest(),
        "conflict": _conflict(call),
    }


def _conflict(call: AgentCall) -> str:
    """What the files hold that ``call`` is to resolve; empty where there are none."""
    paths = call.environment.get("SPINNEY_CONFLICTS", "").splitlines()
    held = hashlib.sha256()
    for path in paths:
        with contextlib.suppress(Unreachable):
            data, size = beneath.read(call.worktree, tuple(path.split("/")), _LARGEST)
            held.update(f"{path}\0{size}\0".encode(errors="replace") + data)
    return held.hexdigest() if paths else ""


class Transcript:
    """Written after each step. Without a path, nothing is kept."""

    def __init__(self, path: Path | None, head: dict[str, Any]) -> None:
        self._path, self._head = path, head

    def resume(self) -> History | None:
        """What an earlier manager left of this very try, ready to be appended to; None where there is nothing."""
        if self._path is None or not self._path.is_file():
            return None
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        lines = [parsed(line) for line in whole.splitlines()]
        if not lines or lines[0] != self._head:
            return None
        history = _history(lines[1:])
        if len(whole) < len(data):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        return history

    def begin(self) -> None:
        """Start anew: whatever is there is of another try."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(_line(self._head))

    def user(
        self, message: Message, requests: int, *, fresh: bool = False, tokens: Tokens | None = None
    ) -> None:
        entry: dict[str, Any] = {"message": message_to_wire(message), "requests": requests}
        if fresh:
            entry |= {"fresh": True}
        if tokens is not None:
            entry |= {"tokens": asdict(tokens)}
        self._append(entry)

    def answer(self, answer: Answer, requests: int) -> None:
        wired = message_to_wire(Message("assistant", answer.blocks))
        self._append(
            {
                "message": wired,
                "requests": requests,
                "stop": answer.stop,
                "detail": answer.detail,
                "tokens": asdict(answer.tokens),
            }
        )

    def _append(self, entry: dict[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(_line(entry))


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _history(lines: list[Any]) -> History | None:
    """Everything that ``lines`` tell; None where one of them is not ours."""
    history = History()
    try:
        for entry in lines:
            _take(history, entry)
    except (KeyError, TypeError, AttributeError):
        return None
    return history if history.messages else None


def _take(history: History, entry: dict[str, Any]) -> None:
    blocks = blocks_of(entry["message"]["content"])
    tokens = Tokens(**entry.get("tokens", {}))
    history.requests = entry["requests"]
    history.tokens += tokens
    if entry["message"]["role"] == "user":
        if entry.get("fresh"):
            history.messages.clear()
        history.messages.append(Message("user", blocks))
        history.done += history.last.calls if history.last else ()
        history.last = None
        return
    history.last = Answer(blocks, stop_of(entry["stop"]), tokens, entry["detail"])
    if blocks:
        history.messages.append(Message("assistant", blocks))
