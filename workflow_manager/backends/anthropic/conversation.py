"""The messages between an agent and its model, typed, and how they look on the wire. Pure.

What the model said is given back exactly as it came: its thinking is signed, and bound to the model and to the very
conversation it was thought in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

from shared.model import Tokens

# Why an answer ended, in the API's words; ``""`` where it did not end at all.
Stop = Literal[
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
    "",
]
STOPS: tuple[Stop, ...] = (
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
)
_MARK = {"type": "ephemeral"}
_MARKED_TURNS = 2  # the last one is written to the cache, the one before is read from it


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call as the model made it; its input has not been checked."""

    id: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    id: str  # of the call
    text: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Opaque:
    """A block that only the API understands, such as signed thinking."""

    raw: Mapping[str, Any]


Block = Text | ToolUse | ToolResult | Opaque


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["user", "assistant"]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said to one request, why it stopped there, and what that took."""

    blocks: tuple[Block, ...]
    stop: Stop
    tokens: Tokens = field(default=Tokens())
    detail: str = ""  # of a refusal

    @property
    def calls(self) -> tuple[ToolUse, ...]:
        return tuple(block for block in self.blocks if isinstance(block, ToolUse))

    @property
    def text(self) -> str:
        return "\n".join(block.text for block in self.blocks if isinstance(block, Text))

    def kept(self) -> Answer:
        """Without a tool call that the limit cut, and without what cannot stand at the end of a message."""
        blocks = self.blocks
        if self.stop == "max_tokens" and blocks and isinstance(blocks[-1], ToolUse):
            blocks = blocks[:-1]
        if not any(isinstance(block, Text | ToolUse) for block in blocks):
            blocks = ()  # thinking alone is no message
        return Answer(blocks, self.stop, self.tokens, self.detail)


def said_by_user(*blocks: Block) -> Message:
    return Message("user", blocks)


def to_wire(block: Block) -> dict[str, Any]:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolUse(identity, name, given):
            return {"type": "tool_use", "id": identity, "name": name, "input": dict(given)}
        case ToolResult(identity, text, error):
            # An empty result is allowed, an empty text in it is not.
            made = {"type": "tool_result", "tool_use_id": identity, "content": text or "(nothing)"}
            return {**made, "is_error": True} if error else made
        case Opaque(raw):
            return dict(raw)
        case _:
            assert_never(block)


def from_wire(raw: Mapping[str, Any]) -> Block | None:
    """The block that ``raw`` is; None for a text that says nothing, which may not be sent back."""
    match raw.get("type"):
        case "text" if not raw.get("citations"):
            return Text(raw["text"]) if raw["text"].strip() else None
        case "tool_use" if isinstance(raw.get("input"), Mapping):
            return ToolUse(str(raw["id"]), str(raw["name"]), raw["input"])
        case "tool_result":
            return ToolResult(str(raw["tool_use_id"]), str(raw["content"]), bool(raw.get("is_error")))
        case _:
            return Opaque(raw)


def blocks_of(raw: Iterable[Mapping[str, Any]]) -> tuple[Block, ...]:
    return tuple(block for one in raw if (block := from_wire(one)) is not None)


def stop_of(reason: str | None) -> Stop:
    """One of ours for the API's reason; one that nobody knows yet counts as a plain end."""
    if reason is None:
        return ""
    return next((stop for stop in STOPS if stop == reason), "end_turn")


def message_to_wire(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": [to_wire(block) for block in message.blocks]}


def messages_to_wire(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """``messages`` with marks for the cache at the end of the last turns of the user's.

    With the one on the system text, which covers the tools as well, these are three of the four that are allowed.
    """
    wired = [message_to_wire(message) for message in messages]
    turns = [one for one, message in zip(wired, messages, strict=True) if message.role == "user"]
    for one in turns[-_MARKED_TURNS:]:
        one["content"][-1]["cache_control"] = _MARK
    return wired


def system_to_wire(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": _MARK}]
