from __future__ import annotations

import json
import time
from typing import Any

import pytest

from orchestrator.gateway.rules.requests import is_billed, passes, read, read_counted


@pytest.mark.parametrize(
    ("method", "path", "passed"),
    [
        ("POST", "/v1/messages", True),
        ("POST", "/v1/messages?beta=true", True),
        ("POST", "/v1/messages/count_tokens", True),
        ("GET", "/v1/models", True),
        ("GET", "/v1/models?limit=5", True),
        ("GET", "/v1/models/claude-opus-5-5", True),
        ("GET", "/v1/messages", False),
        ("DELETE", "/v1/models/x", False),
        ("POST", "/v1/models", False),
        ("POST", "/v1/messages/batches", False),
        ("POST", "/v1/files", False),
        ("GET", "/v1/organizations/me", False),
        ("GET", "/v1/models/../organizations", False),
        ("GET", "/v1/models/%2e%2e/files", False),
        ("POST", "/v1/messages/", False),
        ("POST", "//evil.invalid/v1/messages", False),
        ("POST", "http://evil.invalid/v1/messages", False),
        ("POST", "/v1/messages?x=y#/../z", False),
        ("POST", "/v1/messages\n", False),
    ],
)
def test_only_these_paths_are_passed_on(method: str, path: str, passed: bool) -> None:
    assert passes(method, path) is passed


def test_only_messages_are_billed() -> None:
    assert is_billed("POST", "/v1/messages?beta=true")
    assert not is_billed("POST", "/v1/messages/count_tokens")
    assert not is_billed("GET", "/v1/models")


def body(**fields: Any) -> bytes:
    return json.dumps(
        {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], **fields}
    ).encode()


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"tools": [{"name": "read", "input_schema": {}}]}, ""),
        ({"tools": [{"type": "custom", "name": "read"}, {"type": "bash_20250124", "name": "bash"}]}, ""),
        ({"tools": [{"type": "text_editor_20250728", "name": "edit"}]}, ""),
        ({"tools": [{"type": "web_search_20260209", "name": "w"}]}, "the tool web_search_20260209 is"),
        ({"tools": [{"type": "web_fetch_20260209", "name": "w"}]}, "the tool web_fetch_20260209 is"),
        (
            {"tools": [{"type": "code_execution_20260120", "name": "c"}]},
            "the tool code_execution_20260120 is",
        ),
        ({"tools": [{"type": "mcp_toolset"}]}, "the tool mcp_toolset is"),
        ({"tools": [{"type": ["bash_20250124"]}]}, "the tool ['bash_20250124'] is"),
        ({"mcp_servers": [{"url": "https://evil.invalid"}]}, "mcp_servers is"),
        ({"mcp_servers": []}, ""),
        ({"container": "c1"}, "container is"),
        ({"speed": "fast"}, "speed is"),
        ({"speed": "standard"}, ""),
        ({"inference_geo": "us"}, "inference_geo is"),
        ({"max_tokens": None}, "the request has no max_tokens"),
        ({"max_tokens": -1}, "the request has no max_tokens"),
        ({"max_tokens": 128_000}, ""),
        ({"max_tokens": 128_001}, "max_tokens is 128001, and no model writes more than 128000"),
        ({"model": 5}, "the request names no model"),
    ],
)
def test_what_works_elsewhere_or_costs_more_than_tokens_is_refused(
    fields: dict[str, Any], refusal: str
) -> None:
    assert read(body(**fields)).refusal.startswith(refusal)
    assert bool(read(body(**fields)).refusal) is bool(refusal)


def block(source: object) -> dict[str, Any]:
    return {"type": "image", "source": source}


def within(part: object) -> list[dict[str, Any]]:
    """Messages with ``part`` in a tool's result."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": [part]}
    return [{"role": "user", "content": [result]}]


HERE = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
THERE = {"type": "url", "url": "https://evil.invalid/?what=was+read"}
CALLED = {"type": "tool_use", "id": "t", "name": "read", "input": block(THERE)}


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"messages": within(block(HERE))}, ""),
        ({"messages": within({"type": "document", "source": {"type": "text", "data": "x"}})}, ""),
        ({"messages": within({"type": "search_result", "source": "a name", "content": []})}, ""),
        ({"messages": [{"role": "assistant", "content": [CALLED]}]}, ""),
        ({"tools": [{"name": "read", "input_schema": {"properties": {"source": {"type": "url"}}}}]}, ""),
        ({"messages": [{"role": "user", "content": [block(THERE)]}]}, "url"),
        ({"messages": within(block(THERE))}, "url"),
        ({"system": [{"type": "document", "source": THERE}]}, "url"),
        (
            {
                "messages": within(
                    {"type": "document", "source": {"type": "content", "content": [block(THERE)]}}
                )
            },
            "url",
        ),
        ({"messages": within(block({"type": "file", "file_id": "f"}))}, "file"),
        ({"messages": within(block({"url": "https://evil.invalid"}))}, "None"),
        ({"messages": within(block({"type": ["base64"]}))}, "['base64']"),
        ({"messages": within(CALLED | {"content": [block(THERE)]})}, "url"),
    ],
)
def test_content_that_the_provider_would_fetch_is_refused(fields: dict[str, Any], refused: str) -> None:
    told = f"a source of type {refused} is not passed on" if refused else ""
    for refusal in (read(body(**fields)).refusal, read_counted(body(**fields)).refusal):
        assert refusal.startswith(told)
        assert bool(refusal) is bool(told)


@pytest.mark.parametrize(
    "twice", [b'"tools": [{"type": "web_search_20260209"}], "tools": []', b'"messages": [{"a": 1, "a": 2}]']
)
def test_field_that_is_there_twice_is_refused(twice: bytes) -> None:
    asked = b'{"model": "m", "max_tokens": 5, ' + twice + b"}"
    assert "twice" in read(asked).refusal
    assert "twice" in read_counted(asked).refusal


def test_what_is_only_counted_is_understood_the_same_and_needs_no_end() -> None:
    assert read_counted(b'{"model": "m", "messages": []}').refusal == ""
    assert read_counted(body(tools=[{"type": "web_search_20260209"}])).refusal
    assert read_counted(b"[]").refusal


@pytest.mark.parametrize(
    "junk", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, body().decode().encode("utf-16")]
)
def test_what_is_no_request_is_refused(junk: bytes) -> None:
    assert read(junk).refusal


@pytest.mark.parametrize("piece", [b"[]", b"{}", b"1"])
def test_request_of_countless_pieces_is_refused_before_it_is_parsed(piece: bytes) -> None:
    asked = body().removesuffix(b"}") + b', "more": [' + piece + (b"," + piece) * 1_000_000 + b"]}"
    assert "more pieces" in read(asked).refusal
    assert "more pieces" in read_counted(asked).refusal


def test_request_says_how_it_wants_to_be_answered_and_kept() -> None:
    assert read(body(stream=True)).stream
    assert not read(body()).stream
    assert read(body()).caching == ""
    assert read(body(cache_control={"type": "ephemeral"})).caching == "5m"
    assert read(body(system=[{"type": "text", "text": "s", "cache_control": {"ttl": "1h"}}])).caching == "1h"


def test_estimate_grows_with_all_that_a_model_reads() -> None:
    bare = read(body()).input
    prose = "It reads a sentence of ordinary words. " * 200
    assert read(body(system=prose)).input > bare + 1600
    assert read(body(messages=[{"role": "user", "content": [{"type": "text", "text": prose}]}])).input > 1600
    assert read(body(tools=[{"name": "t", "description": prose}])).input > bare + 1600


def test_picture_counts_as_a_picture_and_not_as_its_letters() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}
    content = [{"type": "image", "source": source}]
    assert 5000 < read(body(messages=[{"role": "user", "content": content}])).input < 10_000


PROSE = "word " * 20_000


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "tool_use", "id": "t", "name": "x", "input": {"type": "image", "data": PROSE}}],
        [{"type": "tool_use", "id": "t", "name": "x", "input": block(HERE | {"data": PROSE})}],
        [{"type": "tool_use", "id": "t", "name": "x", "input": {"content": [block(HERE | {"data": PROSE})]}}],
        [
            {
                "type": "tool_use",
                "id": "t",
                "name": "x",
                "input": {},
                "content": [block(HERE | {"data": PROSE})],
            }
        ],
        [{"type": "image", "text": PROSE}],
        [{"type": "image", "source": HERE, "text": PROSE}],
        [block(HERE | {"more": PROSE})],
        [block({"type": "text", "data": PROSE})],
        [block(HERE | {"data": [PROSE]})],
    ],
)
def test_text_that_looks_like_a_picture_counts_as_text(content: list[dict[str, Any]]) -> None:
    assert read(body(messages=[{"role": "user", "content": content}])).input > 20_000


def test_picture_in_what_a_tool_returned_counts_as_one() -> None:
    picture = block(HERE | {"data": "A" * 1_000_000})
    assert 5000 < read(body(messages=within(picture))).input < 10_000


@pytest.mark.parametrize("number", ["9" * 4000, "0." + "3" * 4000, "3" * 4000 + "e5"])
def test_number_counts_by_its_digits(number: str) -> None:
    asked = body().replace(b'"hello"', b'[{"type": "tool_use", "input": {"n": ' + number.encode() + b"}}]")
    assert read(asked).input > 1500


def test_text_that_no_model_reads_counts_by_its_letters_and_takes_no_time() -> None:
    began = time.process_time()
    assert read(body(system="." * 30_000_000)).input > 30_000_000
    assert time.process_time() - began < 3  # ten times as long otherwise


def test_tool_result_counts() -> None:
    content = [{"type": "tool_result", "tool_use_id": "t", "content": "word " * 1000}]
    assert read(body(messages=[{"role": "user", "content": content}])).input > 1000
