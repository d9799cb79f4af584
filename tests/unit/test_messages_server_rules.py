"""The scripted Messages server is as strict as the real one, counts as it does, and breaks texts at awkward places."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import PRICES, Tokens
from shared.tokens import estimate
from tests.support.messages_cache import PromptCache, answer_tokens, cost, tokens_of
from tests.support.messages_limits import Buckets, RateLimits
from tests.support.messages_rules import violation
from tests.support.messages_script import Asked, Fault, Reply, ToolUse, by_task, first
from tests.support.messages_wire import events, identified, message

VERSION = {"anthropic-version": "2026-10-21"}
USE = {"type": "tool_use", "id": "t1", "name": "read", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
TOOL = {"name": "read", "input_schema": {"type": "object"}}


def body(*contents: Any, **fields: Any) -> dict[str, Any]:
    """A request whose messages alternate, beginning with the user's."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents or ("hi",))]
    return {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages, **fields}


@pytest.mark.parametrize(
    "good",
    [
        body(),
        body(stream=True, system="s", tools=[TOOL], tool_choice={"type": "auto"}),
        body("hi", [USE], [RESULT, {"type": "text", "text": "more"}]),
        body("hi", "hello", "go on"),
        body(messages=[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
        body("hi", [{"type": "thinking", "thinking": "", "signature": "s"}, USE], [RESULT]),
        body(tools=[{"type": "bash_20250124", "name": "bash"}]),
        body(model="claude-opus-5-5", thinking={"type": "adaptive"}),
    ],
)
def test_good_requests_are_accepted(good: dict[str, Any]) -> None:
    assert violation(good, VERSION) == ""


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({**body(), "model": ""}, "model: Field required"),
        (body(max_tokens=None), "max_tokens"),
        (body(messages=[]), "at least one message"),
        (body(temperature=1), "temperature: Extra inputs"),
        (body(surprise=1), "surprise: Extra inputs"),
        (body(context_management={}), "context_management: Extra inputs"),
        (body(" "), "non-whitespace"),
        (body([{"type": "text", "text": ""}]), "non-whitespace"),
        (body([{"text": "x"}]), "type: Field required"),
        (body(messages=[{"role": "assistant", "content": "x"}]), 'must use the "user" role'),
        (body(messages=[{"role": "robot", "content": "x"}]), "Input should be"),
        (body("hi", [USE]), "without `tool_result`"),
        (body("hi", [USE], "and?"), "without `tool_result` blocks immediately after: t1"),
        (body("hi", "hello", [RESULT]), "unexpected `tool_use_id`"),
        (body("hi", [USE], [RESULT, RESULT]), "single result"),
        (body("hi", [USE], [RESULT], [USE], [RESULT]), "ids must be unique"),
        (body("hi", [USE], [{"type": "text", "text": "x"}, RESULT]), "must come first"),
        (body([USE]), "can only be in `assistant`"),
        (body("hi", [{**USE, "input": "x"}], [RESULT]), "valid dictionary"),
        (body("hi", [{"type": "thinking", "thinking": "x"}], "?"), "signature: Field required"),
        (body(tools=[{"name": "a b", "input_schema": {"type": "object"}}]), "should match pattern"),
        (body(tools=[{"name": "a"}]), "input_schema.type: Field required"),
        (body(tools=[TOOL, TOOL]), "must be unique"),
        (body(model="claude-opus-5-5", thinking={"type": "disabled"}), '"thinking.type.disabled"'),
        (body(model="claude-opus-5-5", tool_choice={"type": "any"}), "tool_choice"),
        (body(thinking={"type": "enabled", "budget_tokens": 100}), "must be greater"),
        (
            body([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5),
            "maximum of 4 blocks",
        ),
    ],
)
def test_what_breaks_a_rule_is_told_like_the_real_one_tells_it(bad: dict[str, Any], problem: str) -> None:
    assert problem in violation(bad, VERSION)


def test_version_of_the_interface_is_required_and_decides() -> None:
    assert "anthropic-version" in violation(body(), {})
    assert violation(body(temperature=1), {"anthropic-version": "2023-06-01"}) == ""
    assert violation(body(context_management={}), {**VERSION, "anthropic-beta": "x"}) == ""


# --- scripts


def asked(*contents: Any, number: int = 1, **fields: Any) -> Asked:
    return Asked(number, 0.0, "/v1/messages", {}, body(*contents, **({"tools": [TOOL]} | fields)))


def test_conversation_is_told_by_words_of_its_opening_and_its_turns() -> None:
    script = by_task(
        {"fix-a": [Reply("a1"), Reply("a2")], ("fix-a", "TESTER"): [Reply("t1")], "fix-b": [Reply("b1")]}
    )
    assert script(asked("do fix-a")) == Reply("a1")
    assert script(asked("do fix-a", "a1", "fix-b?")) == Reply("a2")
    assert script(asked("you are TESTER", system="task fix-a")) == Reply("t1")
    assert script(asked("do fix-b")) == Reply("b1")


def test_same_conversation_gets_the_same_answer_again() -> None:
    script = by_task({"fix-a": [Reply("a1", tools=[ToolUse("read")])]})
    one, other = asked("do fix-a", number=1), asked("do fix-a", number=7)
    assert identified(one, script(one)) == identified(other, script(other))  # type: ignore[arg-type]


def test_word_that_is_only_a_part_of_another_is_not_meant() -> None:
    assert by_task({"fix-a": [Reply("a1")]})(asked("do fix-ab and prefix-a")) == Reply("Understood.")


def test_what_offers_no_tools_is_an_aside() -> None:
    script = by_task({"fix-a": [Reply("a1")]}, aside=Reply("a title"))
    assert script(asked("do fix-a", tools=[])) == Reply("a title")


def test_answer_can_depend_on_what_was_asked() -> None:
    script = by_task({"fix-a": [lambda asked: Reply(asked.last_text.upper())]})
    assert script(asked("do fix-a")) == Reply("DO FIX-A")


def test_conversation_longer_than_its_script_says_so() -> None:
    assert "no more" in by_task({"x": []})(asked("x")).text  # type: ignore[union-attr]


def test_first_requests_get_the_faults_and_broken_streams_begin_as_the_answer_would() -> None:
    script = first([Fault(529), Fault.cut(2)], lambda asked: Reply("hello"))
    assert script(asked()) == Fault(529)
    assert script(asked()) == Fault.cut(2, Reply("hello"))
    assert script(asked()) == Reply("hello")


def test_results_of_tools_are_read_from_the_last_message() -> None:
    failed = {**RESULT, "is_error": True, "content": [{"type": "text", "text": "no"}]}
    assert asked("hi", [USE], [failed]).tool_results == [("t1", "no", True)]
    assert asked("hi", [USE], [RESULT]).turns == 1


# --- tokens and money


@given(st.text(max_size=200))
def test_server_never_bills_more_than_was_to_be_expected(text: str) -> None:
    assert tokens_of(text) <= estimate(text) or not text.strip()


def marked(text: str, ttl: str = "5m") -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}


def plain(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_marked_prefix_is_written_once_and_read_afterwards() -> None:
    cache = PromptCache(least=10)
    one = body([marked("x" * 500)])
    two = body([plain("x" * 500)], "answer", [marked("y" * 500)])
    written = cache.billed(one, 0.0)
    assert (written.input, written.cache_read) == (0, 0)
    grown = cache.billed(two, 10.0)
    assert grown.cache_read == written.cache_write
    assert grown.cache_write > 100


def test_prefix_that_was_not_used_for_five_minutes_is_written_again() -> None:
    cache = PromptCache(least=10)
    request = body([marked("x" * 500)])
    first_time = cache.billed(request, 0.0)
    assert cache.billed(request, 299.0).cache_read == first_time.cache_write
    assert cache.billed(request, 598.0).cache_read == first_time.cache_write  # a read keeps it
    assert cache.billed(request, 898.0).cache_read == 0


def test_hour_long_marks_are_billed_apart() -> None:
    billed = PromptCache(least=10).billed(body([marked("x" * 500, "1h"), marked("y" * 500)]), 0.0)
    assert billed.cache_write_1h > 100
    assert billed.cache_write > 100


def test_other_model_or_small_prefix_keeps_nothing() -> None:
    cache = PromptCache(least=10)
    cache.billed(body([marked("x" * 500)]), 0.0)
    assert cache.billed(body([marked("x" * 500)], model="claude-opus-5-5"), 0.0).cache_read == 0
    assert PromptCache(least=1000).billed(body([marked("x" * 500)]), 0.0).cache_write == 0


@given(st.lists(st.tuples(st.text("ab ", min_size=1, max_size=40), st.booleans()), min_size=1, max_size=6))
def test_whole_prompt_is_billed_however_it_is_marked(parts: list[tuple[str, bool]]) -> None:
    blocks = [marked(text) if mark else plain(text) for text, mark in parts]
    unmarked = PromptCache(least=1).billed(body([plain(text) for text, _ in parts]), 0.0)
    cache = PromptCache(least=1)
    for now in (0.0, 1.0):
        assert cache.billed(body(blocks), now).total == unmarked.total


@pytest.mark.parametrize(
    ("model", "tokens", "usd"),
    [
        ("claude-sonnet-5-5", Tokens(input=1_000_000, output=100_000), 3.0),
        ("claude-haiku-5-5", Tokens(input=1000), 0.0001),
        ("claude-haiku-5-5", Tokens(input=100_000), 0.01),
        ("claude-haiku-5-5", Tokens(input=1, cache_read=100_000), 0.0050005),
        ("claude-opus-5-5", Tokens(cache_write=1000, cache_write_1h=1000, cache_read=1000), 0.0132),
        ("claude-of-tomorrow", Tokens(input=1000), 0.0),
    ],
)
def test_cost_is_what_the_price_list_says(model: str, tokens: Tokens, usd: float) -> None:
    assert cost(PRICES, model, tokens) == pytest.approx(usd)


def test_limits_fill_up_steadily_and_tell_how_full_they_are() -> None:
    buckets = Buckets(RateLimits(requests=60, input_tokens=6000, burst=1 / 60), 0.0)
    assert buckets.take(0.0, 10) == 0.0
    assert buckets.take(0.25, 10) == pytest.approx(0.75)
    assert buckets.take(1.0, 10) == 0.0
    told = buckets.headers(1.0, 1_700_000_000.0)
    assert told["anthropic-ratelimit-requests-limit"] == "60"
    assert told["anthropic-ratelimit-requests-remaining"] == "0"
    assert told["anthropic-ratelimit-requests-reset"] == "2023-11-14T22:13:21Z"
    assert buckets.refusals == 1


# --- streams


REPLY = Reply(
    "text", [ToolUse("write", {"path": 'ä\n"', "text": "x" * 3000}), ToolUse("read")], thinking="hm"
)


def test_stream_has_all_kinds_of_events_in_their_order() -> None:
    told = [event.name for event in events(asked(), REPLY, Tokens(input=7))]
    assert told[:2] == ["message_start", "ping"]
    assert told[-2:] == ["message_delta", "message_stop"]
    assert told.count("content_block_start") == told.count("content_block_stop") == 4


def test_pieces_of_a_stream_make_up_the_whole_message() -> None:
    pieces: dict[int, str] = {}
    for event in events(asked(), REPLY, Tokens()):
        delta = event.data.get("delta", {})
        for field in ("text", "thinking", "partial_json"):
            pieces[event.data.get("index", -1)] = pieces.get(event.data.get("index", -1), "") + delta.get(
                field, ""
            )
    thinking, text, write, read = message(asked(), REPLY, Tokens())["content"]
    assert pieces[0] == thinking["thinking"]
    assert pieces[1] == text["text"]
    assert json.loads(pieces[2]) == write["input"]
    assert json.loads(pieces[3]) == read["input"]


def test_output_grows_with_what_was_sent_up_to_what_is_billed() -> None:
    counts = [event.output for event in events(asked(), REPLY, Tokens())]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert counts[-1] == answer_tokens(REPLY)
