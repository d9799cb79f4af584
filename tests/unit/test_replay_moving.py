"""Recorded answers are put right for another place, however a stream has cut them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.recording.moving import moved
from orchestrator.gateway.recording.normal import Places
from shared.model import Tokens
from tests.support.messages_script import Asked, Reply, ToolUse
from tests.support.messages_wire import events

REWRITE = Places("run-1", {"worktrees": "/old place"}).elsewhere(
    Places("run-2", {"worktrees": '/new "place"'})
)


def _stream(reply: Reply) -> bytes:
    asked = Asked(1, 0.0, "/v1/messages", {}, {"model": "m", "messages": []})
    return b"".join(event.wire for event in events(asked, reply, Tokens(input=3)))


def _read(stream: bytes) -> tuple[str, list[Any], list[str]]:
    """Text, inputs of tools and kinds of events, put together as a client does."""
    text, inputs, kinds = "", {}, []
    for block in stream.decode().strip().split("\n\n"):
        data = json.loads(block.split("data: ", 1)[1])
        kinds.append(data["type"])
        delta = data.get("delta", {})
        text += delta.get("text", "") + delta.get("thinking", "")
        if delta.get("type") == "input_json_delta":
            inputs[data["index"]] = inputs.get(data["index"], "") + delta["partial_json"]
    return text, [json.loads(value) for value in inputs.values()], kinds


REPLY = Reply(
    "I write to /old place/fix-a/x.py in run-1, and then I look.",
    tools=[
        ToolUse("Write", {"path": "/old place/fix-a/ü.py", "text": 'a\n"b"\\'}),
        ToolUse("Read", {"n": 1, "at": ["/old place"]}),
    ],
    thinking="Where is /old place?",
)


def test_paths_in_pieces_of_a_stream_are_rewritten() -> None:
    text, inputs, kinds = _read(moved(_stream(REPLY), REWRITE))
    assert text == 'Where is /new "place"?I write to /new "place"/fix-a/x.py in run-2, and then I look.'
    assert inputs == [
        {"path": '/new "place"/fix-a/ü.py', "text": 'a\n"b"\\'},
        {"n": 1, "at": ['/new "place"']},
    ]
    assert kinds == _read(_stream(REPLY))[2]  # not one event more or less


def test_stream_without_anything_to_rewrite_stays_as_it_was_to_the_byte() -> None:
    stream = _stream(Reply("plain", tools=[ToolUse("Read", {"path": "/elsewhere"})]))
    assert moved(stream, REWRITE) is stream


@given(st.integers(0, 2000))
def test_stream_that_was_cut_anywhere_is_rewritten_as_far_as_it_goes(length: int) -> None:
    cut = _stream(REPLY)[:length]
    assert b'"/old place/fix-a' not in moved(cut, REWRITE)


def test_whole_message_is_rewritten_in_its_texts() -> None:
    message = {"content": [{"type": "tool_use", "input": {"path": "/old place/x"}}], "usage": {"n": 1}}
    assert json.loads(moved(json.dumps(message).encode(), REWRITE)) == {
        "content": [{"type": "tool_use", "input": {"path": '/new "place"/x'}}],
        "usage": {"n": 1},
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"data: {\n\n", b"[" * 50_000, b"event: x\n\n"])
def test_what_is_no_answer_stays_as_it_is(body: bytes) -> None:
    assert moved(body, REWRITE) == body


@pytest.mark.parametrize("depth", [100, 300, 600, 100_000])
def test_deep_input_is_rewritten_however_deep_it_is(depth: int) -> None:
    piece = {"type": "input_json_delta", "partial_json": "[" * depth + '"/old place"' + "]" * depth}
    told = {"type": "content_block_delta", "index": 0, "delta": piece}
    stream = f"event: content_block_delta\ndata: {json.dumps(told)}\n\n".encode()
    assert b"/old place" not in moved(
        stream, Places("r", {"worktrees": "/old place"}).elsewhere(Places("r", {"worktrees": "/b"}))
    )


def test_halves_of_characters_pass() -> None:
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("/old place \ud83d", "\ude00")
    ]
    stream = "".join(f"event: content_block_delta\ndata: {json.dumps(piece)}\n\n" for piece in pieces)
    assert b"\\ud83d" in moved(stream.encode(), REWRITE)
    assert b"/old place" not in moved(stream.encode(), REWRITE)
