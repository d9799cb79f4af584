"""What a scripted Messages server is asked and what it may answer; scripts are functions from one to the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from shared.model import Tokens

Body: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; ``body`` is empty where there was none."""

    number: int  # from 1, in order of arrival
    at: float  # monotonic seconds
    path: str  # with its query
    headers: Mapping[str, str]  # names in lower case
    body: Body

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[Body]:
        return list(self.body.get("messages", []))

    @property
    def system_text(self) -> str:
        return text_of(self.body.get("system", ""))

    @property
    def opening(self) -> str:
        """What stays the same in a conversation: system and messages before the first answer."""
        texts = [self.system_text]
        for message in self.messages:
            if message["role"] == "assistant":
                break
            texts.append(text_of(message["content"]))
        return "\n".join(texts)

    @property
    def last_text(self) -> str:
        """The text of the last message of the user."""
        return next((text_of(m["content"]) for m in reversed(self.messages) if m["role"] == "user"), "")

    @property
    def tool_results(self) -> list[tuple[str, str, bool]]:
        """(id of the use, text, whether it is an error) of the last message."""
        content = self.messages[-1]["content"] if self.messages else ""
        blocks = content if isinstance(content, list) else []
        return [
            (block["tool_use_id"], text_of(block.get("content", "")), bool(block.get("is_error")))
            for block in blocks
            if block["type"] == "tool_result"
        ]

    @property
    def turns(self) -> int:
        """How often the model has answered in this conversation."""
        return sum(message["role"] == "assistant" for message in self.messages)

    @property
    def tools(self) -> list[str]:
        """The names of those offered."""
        return [str(tool.get("name")) for tool in self.body.get("tools") or []]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """``id`` is made of the conversation where it is empty: the same question gets the same."""

    name: str
    input: Body = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``usage`` is derived from the sizes, the cache marks included, where it is None."""

    text: str = ""
    tools: Sequence[ToolUse] = ()
    stop_reason: str | None = None  # None: tool_use with tools, else end_turn
    usage: Tokens | None = None
    thinking: str = ""
    seconds: float = 0.0  # that the model thinks before its first word


@dataclass(frozen=True, slots=True)
class Fault:
    """Something else than an answer. ``of`` is the answer that a broken stream is the beginning of."""

    status: int = 429
    headers: Mapping[str, str] = field(default_factory=dict)
    error_type: str = ""  # empty: the one that belongs to the status
    message: str = "scripted"
    kind: Literal["status", "cut", "early-end", "error-event", "hang", "no-connection"] = "status"
    after_events: int = 0  # pings are not counted
    of: Reply | None = None

    @classmethod
    def cut(cls, after_events: int = 3, of: Reply | None = None) -> Fault:
        """The connection breaks after so many events."""
        return cls(200, kind="cut", after_events=after_events, of=of)

    @classmethod
    def early_end(cls, after_events: int = 3, of: Reply | None = None) -> Fault:
        """The stream ends as if it were whole after so many events."""
        return cls(200, kind="early-end", after_events=after_events, of=of)

    @classmethod
    def error_event(
        cls, error_type: str = "overloaded_error", message: str = "Overloaded", after_events: int = 3
    ) -> Fault:
        """The stream says that something went wrong and ends; the status was 200."""
        return cls(200, {}, error_type, message, "error-event", after_events)

    @classmethod
    def hang(cls, after_events: int = 0, of: Reply | None = None) -> Fault:
        """Nothing more comes until the client has enough; without events there is no status either."""
        return cls(200, kind="hang", after_events=after_events, of=of)

    @classmethod
    def refuse_connection(cls) -> Fault:
        """The connection is reset without a byte of an answer."""
        return cls(0, kind="no-connection")


Script: TypeAlias = Callable[[Asked], Reply | Fault]
Turn: TypeAlias = Reply | Fault | Script  # a script where the answer depends on what was asked
SAID_OVER = "The script has no more to say."


def by_task(
    conversations: Mapping[str | tuple[str, ...], Sequence[Turn]],
    *,
    aside: Reply | Fault | None = None,
) -> Script:
    """A script that keeps nothing: who asks is told by words of the request, where they are by the answers so far.

    A key is a word (a task's id or title, a file's name) or several that all stand in the conversation's opening;
    of several keys that fit, the one with the most words counts, then the first. Retries and resumes so get the
    same answer to the same conversation. Requests that offer no tools, and those that no key fits, are asides
    (programs ask for titles, for instance).
    """
    keys = [((key,) if isinstance(key, str) else key, replies) for key, replies in conversations.items()]
    keys.sort(key=lambda pair: -len(pair[0]))

    def script(asked: Asked) -> Reply | Fault:
        opening = asked.opening
        if asked.tools:
            for words, replies in keys:
                if all(_says(opening, word) for word in words):
                    turn = replies[asked.turns] if asked.turns < len(replies) else Reply(SAID_OVER)
                    return turn if isinstance(turn, (Reply, Fault)) else turn(asked)
        return aside or Reply("Understood.")

    return script


def first(faults: Sequence[Fault], then: Script) -> Script:
    """The first requests get ``faults``, in order of arrival, whoever asks; the broken streams begin as it would."""
    left = list(faults)

    def script(asked: Asked) -> Reply | Fault:
        if not left:
            return then(asked)
        fault = left.pop(0)
        if fault.of is not None or not fault.after_events:
            return fault
        answer = then(asked)
        return replace(fault, of=answer) if isinstance(answer, Reply) else answer

    return script


def text_of(content: Any) -> str:
    """The text of what the API calls content: a string, or blocks of which some have text."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block["text"]) for block in blocks if isinstance(block.get("text"), str))


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
