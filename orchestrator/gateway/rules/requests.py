"""What an agent asks for: whether it may be passed on, and the most that it can cost. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.gateway.rules.prices import Caching
from shared.tokens import estimate

_PATHS = re.compile(
    r"/v1/(messages(/count_tokens)?|models(/[A-Za-z0-9][A-Za-z0-9._:@-]*)?)(\?[A-Za-z0-9_.=&-]*)?"
)
PASSED_ON = ("anthropic-version", "anthropic-beta", "content-type", "accept", "user-agent")
# Tools that the client itself carries out. Others work at the provider's: they reach the internet past every
# sandbox, and are billed by the search or the hour, which no table of tokens foresees.
_OWN_TOOLS = re.compile(r"custom|(bash|text_editor|memory|computer|tool_search_tool)_\w+")
_ELSEWHERE = ("mcp_servers", "container")
_DEARER = ("speed", "inference_geo", "fallbacks")  # change the price
# Where the content of a message may come from: out of the request itself. The provider would fetch other sources,
# past every sandbox, and their addresses could carry out what the agent has read.
_WITHIN = ("base64", "text", "content")
MOST_OUTPUT = 128_000  # tokens: no model writes more in one answer
_SAFETY = 1.2  # of the estimate, which is a sixth too low for some languages
_FRAME = 8  # tokens of a message or block around its text
_TOOLS = 800  # tokens of what tells a model how to use tools
_IMAGE = 5000  # tokens of the largest image
_PIECES = 1_000_000  # of a request; it takes as many tokens or more than any model reads, and a second to walk through
_COUNTED = 6_000_000  # characters of text that are looked at closely: more than any model reads
_KNOWN = 20_000  # texts whose size is remembered


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request before it is sent. ``refusal`` says why it is not passed on."""

    model: str = ""
    stream: bool = False
    input: int = 0  # tokens, on the high side
    output: int = 0  # tokens, at most
    caching: Caching = ""
    refusal: str = ""


def passes(method: str, path: str) -> bool:
    """Whether the gateway speaks this part of the interface."""
    wanted = "GET" if path.startswith("/v1/models") else "POST"
    return method == wanted and _PATHS.fullmatch(path) is not None


def is_billed(method: str, path: str) -> bool:
    return method == "POST" and path.partition("?")[0] == "/v1/messages"


def read(body: bytes) -> Asked:
    """Understand the body of ``POST /v1/messages``."""
    data = _parsed(body)
    if isinstance(data, str):
        return Asked(refusal=data)
    most = data.get("max_tokens")
    if not isinstance(most, int) or most < 0:
        return Asked(refusal="the request has no max_tokens")
    if most > MOST_OUTPUT:
        return Asked(
            refusal=f"max_tokens is {most}, and no model writes more than {MOST_OUTPUT} in one answer"
        )
    caching: Caching = "" if b'"cache_control"' not in body else "1h" if b'"1h"' in body else "5m"
    size = _size(data)
    return Asked(data["model"], data.get("stream") is True, size, most, caching, _refusal(data))


def read_counted(body: bytes) -> Asked:
    """Understand the body of ``POST /v1/messages/count_tokens``: the same content, which costs nothing."""
    data = _parsed(body)
    return Asked(refusal=data if isinstance(data, str) else _refusal(data))


def _parsed(body: bytes) -> dict[str, Any] | str:
    """What it says, or why it is not passed on."""
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > _PIECES:
        return "the request has more pieces than any model reads"
    try:
        # Numbers with a point stay as they were written: they are only measured here.
        data = json.loads(body.decode(), object_pairs_hook=_fields, parse_float=str)
    except _Twice as twice:
        return f"the request has the field {twice} twice, and which one counts is not said"
    except (ValueError, RecursionError):
        return "the request is not JSON"
    named = isinstance(data, dict) and isinstance(data.get("model"), str)
    return data if named else "the request names no model"


class _Twice(Exception):
    """A name of a field that an object has twice: the provider might read the other one."""


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(repr(next(name for name in fields if names.count(name) > 1))[:100])
    return fields


def _refusal(data: Mapping[str, Any]) -> str:
    for name in (*_ELSEWHERE, *_DEARER):
        if data.get(name) not in (None, [], {}, "standard"):
            return f"{name} is not passed on: it is billed apart, or works outside of the sandbox"
    tools = data.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind is not None and not (isinstance(kind, str) and _OWN_TOOLS.fullmatch(kind)):
            return f"the tool {kind} is not passed on: it works outside of the sandbox"
    for kind in _sources([data.get("system"), data.get("messages")]):
        if kind not in _WITHIN:
            return f"a source of type {kind!s:.100} is not passed on: it is fetched outside of the sandbox"
    return ""


def _sources(value: object) -> Iterator[object]:
    """The type of every source of content, at any depth. What tools were given is data, whatever it says."""
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as fields:
                if isinstance(source := fields.get("source"), dict):
                    yield source.get("type")
                told = str(fields.get("type")).endswith("tool_use")
                pending += [part for name, part in fields.items() if not (told and name == "input")]
            case list() as items:
                pending += items
            case _:
                pass


def _size(data: Mapping[str, Any]) -> int:
    tools = _TOOLS if data.get("tools") else 0
    read = [data.get("system"), data.get("messages"), data.get("tools")]
    return int(_SAFETY * (tools + sum(_sizes(read, _pictures(data.get("messages"))))))


def _sizes(value: object, pictures: Iterable[dict[str, Any]]) -> Iterator[int]:
    """Tokens of every piece that a model gets, names of fields included: they are few."""
    seen = {id(source) for source in pictures}
    pending, left = [value], _COUNTED
    while pending:
        match pending.pop():
            case str() as text:
                left -= len(text)
                yield _FRAME + (_tokens(text) if left >= 0 else len(text))
            case dict() as fields:
                if id(fields) in seen:
                    yield _IMAGE
                    fields = {name: part for name, part in fields.items() if name != "data"}
                pending += [*fields.keys(), *fields.values()]
            case list() as items:
                pending += items
            case None | bool():
                yield 1
            case number:
                yield len(str(number))


def _pictures(messages: object) -> Iterator[dict[str, Any]]:
    """The sources of pictures where they are seen as such: in a message, or in what a tool returned.

    Whatever looks like one elsewhere, such as in what a tool was given, is read as text.
    """
    for message in messages if isinstance(messages, list) else []:
        for part in _parts(message):
            returned = _parts(part) if part.get("type") == "tool_result" else []
            for one in (part, *returned):
                match one:
                    case {"type": "image", "source": {"type": "base64", "data": str()} as source}:
                        yield source
                    case _:
                        pass


def _parts(holder: object) -> list[dict[str, Any]]:
    content = holder.get("content") if isinstance(holder, dict) else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


_known: dict[int, int] = {}  # tokens of texts, by their hash


def _tokens(text: str) -> int:
    """Known for a while: a conversation repeats itself in every request, but for its end."""
    key = hash(text)
    size = _known.get(key)
    if size is None:
        if len(_known) >= _KNOWN:
            _known.clear()
        size = _known[key] = estimate(text)
    return size
