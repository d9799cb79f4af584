"""What Claude Code says in its ``stream-json``. Pure.

There can be several results in one execution: each turn that it makes of its own accord ends with one. What was denied
is in each of them, how it ended in the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.text import first_sentence, printable
from workflow_manager.backends.programs.hearing import Heard, junk
from workflow_manager.untrusted import parsed

_SHOWN = 2000  # characters of what is said at once that go to the log
_SUMMARY = 4000  # characters
_TELLING = (
    "command",
    "file_path",
    "path",
    "pattern",
    "notebook_path",
    "url",
)  # what tells a use of a tool best


class ClaudeEar:
    def __init__(self) -> None:
        self.heard = Heard()
        self._counted: set[str] = (
            set()
        )  # what was seen, which comes in pieces and is repeated when it resumes

    def line(self, line: bytes) -> str:
        event = parsed(line)
        if not isinstance(event, dict):
            return junk(self.heard, line)
        match event.get("type"):
            case "assistant":
                return "\n".join(self._said(event))
            case "user":
                return "\n".join(_answered(event))
            case "result":
                self._ended(event)
            case "system" if event.get("subtype") == "api_retry":
                return f"! asked again: {event.get('error')} {event.get('error_status')}"
        return ""

    def end(self) -> None:
        """Every line was whole."""

    def _said(self, event: dict[str, Any]) -> Iterator[str]:
        message = event.get("message")
        identity = message.get("id") if isinstance(message, dict) else None
        if (
            isinstance(identity, str)
            and identity not in self._counted
            and not event.get("is_api_error_message")
        ):
            self._counted.add(identity)
            self.heard.messages += 1
        for block in _blocks(event):
            if block.get("type") == "text" and block.get("text"):
                yield printable(str(block["text"]), limit=_SHOWN)
            elif block.get("type") == "tool_use":
                yield self._used(block)

    def _used(self, block: dict[str, Any]) -> str:
        name, identity = str(block.get("name")), str(block.get("id"))
        if identity not in self._counted:
            self._counted.add(identity)
            self.heard.tools[name] += 1
        return f"→ {_use(name, block.get('input'))}"

    def _ended(self, event: dict[str, Any]) -> None:
        heard = self.heard
        result, errors = event.get("result"), event.get("errors")
        words = result if isinstance(result, str) else ""
        told = [error for error in errors if isinstance(error, str)] if isinstance(errors, list) else []
        heard.subtype = str(event.get("subtype") or "")
        heard.finished = True
        failed = bool(event.get("is_error")) or heard.subtype.startswith("error")
        heard.problem = (
            ("; ".join(told) or words or heard.subtype or "it failed")[:_SUMMARY] if failed else ""
        )
        heard.summary = "" if failed else words[:_SUMMARY]
        status = event.get("api_error_status")
        heard.status = status if isinstance(status, int) else None
        denials = event.get("permission_denials")
        for denial in denials if isinstance(denials, list) else ():
            self._denied(denial)

    def _denied(self, denial: Any) -> None:
        if not isinstance(denial, dict):
            return
        told = _use(str(denial.get("tool_name")), denial.get("tool_input"))
        identity = f"denied {denial.get('tool_use_id')}"
        if identity not in self._counted:
            self._counted.add(identity)
            self.heard.denied.append(told)


def _blocks(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    message = event.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict):
            yield block


def _answered(event: dict[str, Any]) -> Iterator[str]:
    """Only what went wrong: what tools say can be long, and hold what is nobody's business."""
    for block in _blocks(event):
        if block.get("is_error") and isinstance(block.get("content"), str):
            yield f"! {first_sentence(block['content'], 200)}"


def _use(name: str, given: Any) -> str:
    """A use of a tool in one line."""
    values = given if isinstance(given, dict) else {}
    telling = next((str(values[key]) for key in _TELLING if values.get(key)), "")
    return first_sentence(f"{name} {telling}".strip(), 200)
