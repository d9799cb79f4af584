"""The Messages API's rules for a request, as far as the real one answers 400 where they are broken. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tests.support.messages_script import Body

_FIELDS = frozenset(
    [
        "max_tokens",
        "messages",
        "model",
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    ]
)
_BETA_FIELDS = frozenset(
    [
        "billing_policy",
        "compaction",
        "context_management",
        "fallback_credit_token",
        "fallbacks",
        "mcp_servers",
        "output_format",
        "thread",
        "user_profile_id",
        "workspace_id",
    ]
)
_SAMPLING = frozenset(("temperature", "top_p", "top_k"))  # gone from the current version of the API
_MOST_MARKS = 4
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_ALWAYS_THINKS = "claude-opus-5-5"  # its thinking cannot be turned off, nor its hand forced


def violation(body: Body, headers: Mapping[str, str], *, counting: bool = False) -> str:
    """What the real API would complain about first; empty where it would not. ``counting`` only counts tokens."""
    return next(_problems(body, headers, counting), "")


def _problems(body: Body, headers: Mapping[str, str], counting: bool) -> Iterator[str]:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", headers.get("anthropic-version", "")):
        yield "anthropic-version: header is required"
    yield from _field_problems(body, headers, counting)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages: at least one message is required"
        return
    yield from _thinking_problems(body)
    yield from _tool_problems(body.get("tools") or [])
    for index, message in enumerate(messages):
        yield from _message_problems(index, message)
    yield from _conversation_problems(merged(messages))
    if sum("cache_control" in block for block in _marked(body)) > _MOST_MARKS:
        yield "A maximum of 4 blocks with cache_control may be provided."


def _field_problems(body: Body, headers: Mapping[str, str], counting: bool) -> Iterator[str]:
    known = _FIELDS | (_BETA_FIELDS if "anthropic-beta" in headers else frozenset())
    if headers.get("anthropic-version", "") < "2026":
        known |= _SAMPLING
    for name in body:
        if name not in known:
            yield f"{name}: Extra inputs are not permitted"
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield "model: Field required"
    limit = body.get("max_tokens")
    if not counting and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        yield "max_tokens: a number of tokens is required"


def _thinking_problems(body: Body) -> Iterator[str]:
    kind = (body.get("thinking") or {}).get("type")
    if body["model"].startswith(_ALWAYS_THINKS):
        if kind in ("disabled", "enabled"):
            yield f'"thinking.type.{kind}" is not supported for this model.'
        if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
            yield "tool_choice: this model cannot be made to use a tool"
    limit = body.get("max_tokens")
    if kind == "enabled" and isinstance(limit, int) and body["thinking"].get("budget_tokens", 0) >= limit:
        yield "max_tokens must be greater than thinking.budget_tokens"


def _tool_problems(tools: Iterable[Body]) -> Iterator[str]:
    seen = set()
    for index, tool in enumerate(tools):
        own = tool.get("type") in (None, "custom")
        name = tool.get("name")
        if own and (not isinstance(name, str) or not _TOOL_NAME.match(name)):
            yield f"tools.{index}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if own and (tool.get("input_schema") or {}).get("type") != "object":
            yield f"tools.{index}.input_schema.type: Field required"
        if name in seen:
            yield "tools: Tool names must be unique."
        seen.add(name)


def _message_problems(index: int, message: Body) -> Iterator[str]:
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant", "system"):
        yield f"messages.{index}.role: Input should be 'user' or 'assistant'"
    if not isinstance(content, (str, list)):
        yield f"messages.{index}.content: Field required"
    if isinstance(content, str) and not content.strip():
        yield f"messages.{index}: text content blocks must contain non-whitespace text"
    for number, block in enumerate(content if isinstance(content, list) else []):
        where = f"messages.{index}.content.{number}"
        yield from _block_problems(where, str(role), block)


def _block_problems(where: str, role: str, block: Body) -> Iterator[str]:
    match block.get("type"):
        case "text" if not str(block.get("text", "")).strip():
            yield f"{where}: text content blocks must contain non-whitespace text"
        case "tool_use":
            if role != "assistant":
                yield f"{where}: `tool_use` blocks can only be in `assistant` messages"
            if not isinstance(block.get("input"), dict):
                yield f"{where}.tool_use.input: Input should be a valid dictionary"
        case "tool_result" if role != "user":
            yield f"{where}: `tool_result` blocks can only be in `user` messages"
        case "thinking" if not block.get("signature"):
            yield f"{where}.thinking.signature: Field required"
        case None:
            yield f"{where}.type: Field required"


def merged(messages: Iterable[Body]) -> list[tuple[str, list[Body]]]:
    """Turns as the API reads them: neighbours of one role are one, a string is one block of text."""
    turns: list[tuple[str, list[Body]]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        role = "user" if message["role"] == "system" else message["role"]
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return turns


def _conversation_problems(turns: list[tuple[str, list[Body]]]) -> Iterator[str]:
    if turns[0][0] != "user":
        yield 'messages: first message must use the "user" role'
    seen: set[str] = set()
    open_uses: set[str] = set()
    for index, (role, blocks) in enumerate(turns):
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if missing := sorted(open_uses - set(results)):
            yield f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}"
        if strange := sorted(set(results) - open_uses):
            yield f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(strange)}"
        if len(results) != len(set(results)):
            yield f"messages.{index}: each tool_use must have a single result"
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(uses) != len(set(uses)) or seen & set(uses):
            yield f"messages.{index}: `tool_use` ids must be unique"
        if role == "user" and results and blocks[0]["type"] != "tool_result":
            yield f"messages.{index}: `tool_result` blocks must come first"
        seen |= set(uses)
        open_uses = set(uses)
    if open_uses:
        yield "messages: `tool_use` ids were found without `tool_result` blocks immediately after"


def _marked(body: Body) -> Iterator[Body]:
    yield from body.get("tools") or []
    if isinstance(body.get("system"), list):
        yield from body["system"]
    for message in body["messages"]:
        if isinstance(message["content"], list):
            for block in message["content"]:
                yield block
                if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
                    yield from block["content"]
