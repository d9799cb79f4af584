from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.rules.stream import StreamReader, message, tokens
from shared.model import Tokens

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 40,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 1,
}


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


START = event("message_start", message={"model": "m", "usage": USAGE})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * 90})
DELTA = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 25})
STOP = event("message_stop")
WHOLE = START + event("ping") + TEXT + TEXT + DELTA + STOP
BILLED = Tokens(10, 25, 20, 10, 40)


def read(*chunks: bytes) -> StreamReader:
    reader = StreamReader()
    for chunk in chunks:
        reader.feed(chunk)
    return reader


def test_whole_stream_is_complete_and_billed_as_its_last_figures_say() -> None:
    reader = read(WHOLE)
    assert (reader.complete, reader.tokens, reader.model, reader.error) == (True, BILLED, "m", None)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=30), st.booleans())
def test_it_does_not_matter_where_chunks_end_nor_how_lines_do(cuts: list[int], carriage: bool) -> None:
    data = WHOLE.replace(b"\n", b"\r\n") if carriage else WHOLE
    places = [0, *sorted(cuts), len(data)]
    reader = read(*(data[begin:end] for begin, end in itertools.pairwise(places)))
    assert (reader.complete, reader.tokens) == (True, BILLED)


@pytest.mark.parametrize("end", [START, START + TEXT, START + TEXT + DELTA, WHOLE[:-3]])
def test_stream_without_its_last_event_is_not_complete(end: bytes) -> None:
    assert not read(end).complete


def test_error_in_the_middle_is_told_and_is_no_end() -> None:
    reader = read(START, TEXT, event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    assert (reader.complete, reader.error) == (False, ("overloaded_error", "Overloaded"))


def test_it_is_settled_with_the_first_event_that_says_how_it_begins() -> None:
    assert not read(event("ping")).settled
    assert not read(START[:-20]).settled
    assert read(START).settled
    assert read(event("error", error={"type": "api_error", "message": ""})).settled


def test_text_that_looks_like_an_event_is_none() -> None:
    inner = 'data: {"type":"message_stop"}\n\nevent: message_stop'
    reader = read(START, event("content_block_delta", index=0, delta={"type": "text_delta", "text": inner}))
    assert not reader.complete
    reader = read(START, event("content_block_start", content_block={"text": inner, "error": {"type": "x"}}))
    assert (reader.complete, reader.error) == (False, None)


def test_output_of_a_cut_answer_is_estimated_from_what_has_passed() -> None:
    reader = read(START, *[TEXT] * 100)
    assert reader.tokens.output == 1
    assert 2000 < reader.output_seen < 6000  # 9,000 characters


def test_line_without_an_end_takes_no_memory_and_what_follows_is_read() -> None:
    reader = read(START, b"data: ", *[b"x" * 65536] * 100)
    assert len(reader._rest) < 2 * 1024 * 1024
    reader.feed(b"\n\n" + DELTA + STOP)
    assert (reader.complete, reader.tokens) == (True, BILLED)


@pytest.mark.parametrize(
    "junk",
    [
        b"data: nothing\n\n",
        b'data: {"type":"message_start","message":7}\n',
        b'data: ["message_stop"]\n',
        b"\xff\n",
        b'data: {"type":"message_start","message":{"usage":[1]}}\n',
        b"data: " + b"[" * 100000 + b'"error"\n',
    ],
)
def test_junk_is_passed_over(junk: bytes) -> None:
    reader = read(junk, WHOLE)
    assert (reader.complete, reader.tokens) == (True, BILLED)


@pytest.mark.parametrize(
    ("usage", "billed"),
    [
        ({}, Tokens()),
        ({"input_tokens": "many", "output_tokens": -5}, Tokens()),
        ({"cache_creation_input_tokens": 30}, Tokens(cache_write=30)),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 5}}, Tokens(cache_write_1h=5)),
        ({"cache_creation_input_tokens": 30, "cache_creation": None}, Tokens(cache_write=30)),
        (USAGE, Tokens(10, 1, 20, 10, 40)),
    ],
)
def test_usage_is_read_as(usage: dict[str, Any], billed: Tokens) -> None:
    assert tokens(usage) == billed


def test_answer_in_one_piece_says_model_and_tokens() -> None:
    body = json.dumps({"model": "m", "content": [], "usage": USAGE}).encode()
    assert message(body) == ("m", Tokens(10, 1, 20, 10, 40))
    assert message(b"<html>") == ("", Tokens())


@given(st.lists(st.binary(max_size=80)))
def test_nothing_that_passes_is_an_error(chunks: list[bytes]) -> None:
    read(*chunks)
