"""What an agent asks for: whether it may be passed on, and the most that it can cost. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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
_SAFETY = 1.2  # of the estimate, which is a sixth too low for some languages
_FRAME = 8  # tokens of a message or block around its text
_TOOLS = 800  # tokens of what tells a model how to use tools
_IMAGE = 5000  # tokens of the largest image
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
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Asked(refusal="the request is not JSON")
    if not isinstance(data, dict) or not isinstance(data.get("model"), str):
        return Asked(refusal="the request names no model")
    most = data.get("max_tokens")
    if not isinstance(most, int) or most < 0:
        return Asked(refusal="the request has no max_tokens")
    caching: Caching = "" if b'"cache_control"' not in body else "1h" if b'"1h"' in body else "5m"
    size = _size(data)
    return Asked(data["model"], data.get("stream") is True, size, most, caching, _refusal(data))


def _refusal(data: Mapping[str, Any]) -> str:
    for name in (*_ELSEWHERE, *_DEARER):
        if data.get(name) not in (None, [], {}, "standard"):
            return f"{name} is not passed on: it is billed apart, or works outside of the sandbox"
    tools = data.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind is not None and not (isinstance(kind, str) and _OWN_TOOLS.fullmatch(kind)):
            return f"the tool {kind} is not passed on: it works outside of the sandbox"
    return ""


def _size(data: Mapping[str, Any]) -> int:
    tools = _TOOLS if data.get("tools") else 0
    return int(_SAFETY * (tools + sum(_sizes([data.get("system"), data.get("messages"), data.get("tools")]))))


def _sizes(value: object) -> Iterator[int]:
    """Tokens of every piece that a model gets, names of fields included: they are few."""
    pending = [value]
    while pending:
        match pending.pop():
            case str() as text:
                yield _FRAME + _tokens(text)
            case {"type": "image"}:
                yield _IMAGE
            case dict() as fields:
                pending += [*fields.keys(), *fields.values()]
            case list() as items:
                pending += items
            case _:
                yield 1


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
