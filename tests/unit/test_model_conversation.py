"""Messages and the wire, what of an answer counts, what errors mean, and what is summarised when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import ModelSettings, Price
from workflow_manager.backends.anthropic import compaction
from workflow_manager.backends.anthropic.conversation import (
    STOPS,
    Answer,
    Block,
    Message,
    Opaque,
    Stop,
    Text,
    ToolResult,
    ToolUse,
    blocks_of,
    from_wire,
    messages_to_wire,
    said_by_user,
    stop_of,
    system_to_wire,
    to_wire,
)
from workflow_manager.backends.anthropic.ending import BrokenStep, Ended, WindowFull, judged

USE = ToolUse("toolu_1", "bash", {"command": "true"})
THOUGHT = Opaque({"type": "thinking", "thinking": "", "signature": "c2ln"})
words = st.text(min_size=1).filter(str.strip)
blocks = st.one_of(
    st.builds(Text, words),
    st.builds(ToolUse, words, words, st.dictionaries(words, st.one_of(words, st.integers(), st.booleans()))),
    st.builds(ToolResult, words, words, st.booleans()),
    st.builds(lambda text: Opaque({"type": "thinking", "thinking": text, "signature": "x"}), st.text()),
)


@given(blocks)
def test_blocks_come_back_from_the_wire_as_they_went(block: Block) -> None:
    assert from_wire(to_wire(block)) == block


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "…"},
        {"type": "text", "text": "cited", "citations": [{"type": "char_location"}]},
        {"type": "something_new", "deep": {"er": [1]}},
    ],
)
def test_what_only_the_api_understands_is_echoed_exactly(raw: dict[str, object]) -> None:
    block = from_wire(raw)
    assert block is not None
    assert to_wire(block) == raw


def test_text_that_says_nothing_is_left_out() -> None:
    assert blocks_of([{"type": "text", "text": " \n"}, {"type": "text", "text": "x"}]) == (Text("x"),)


def test_empty_result_says_so() -> None:
    assert to_wire(ToolResult("id", ""))["content"] == "(nothing)"


@pytest.mark.parametrize(
    ("reason", "stop"),
    [*((stop, stop) for stop in STOPS), (None, ""), ("a_reason_of_next_year", "end_turn")],
)
def test_reasons_to_stop(reason: str | None, stop: str) -> None:
    assert stop_of(reason) == stop


@pytest.mark.parametrize(
    ("said", "stop", "kept"),
    [
        ((Text("a"), USE), "tool_use", (Text("a"), USE)),
        ((Text("a"), USE), "max_tokens", (Text("a"),)),
        ((USE, Text("a")), "max_tokens", (USE, Text("a"))),
        ((USE, USE), "max_tokens", (USE,)),
        ((THOUGHT, USE), "max_tokens", ()),
        ((THOUGHT,), "end_turn", ()),
        ((THOUGHT, USE), "tool_use", (THOUGHT, USE)),
        ((), "end_turn", ()),
    ],
)
def test_what_of_an_answer_is_kept(said: tuple[Block, ...], stop: Stop, kept: tuple[Block, ...]) -> None:
    assert Answer(said, stop).kept().blocks == kept


@pytest.mark.parametrize(("turns", "marked"), [(1, [0]), (2, [0, 2]), (3, [2, 4]), (9, [14, 16])])
def test_the_last_two_turns_of_the_user_are_marked(turns: int, marked: list[int]) -> None:
    messages = [said_by_user(Text("go"))]
    for _ in range(turns - 1):
        messages += [
            Message("assistant", (USE,)),
            said_by_user(ToolResult("toolu_1", "a"), ToolResult("toolu_1", "b")),
        ]
    wired = messages_to_wire(messages)
    assert [n for n, one in enumerate(wired) if "cache_control" in one["content"][-1]] == marked
    assert sum("cache_control" in block for one in wired for block in one["content"]) == len(marked)
    assert "cache_control" in system_to_wire("x")[0]


def test_marks_are_never_kept_in_the_conversation() -> None:
    message = said_by_user(Text("go"))
    messages_to_wire([message])
    assert to_wire(message.blocks[0]) == {"type": "text", "text": "go"}


# --- errors

FINAL, LATER, SPENT = (True, False), (False, False), (True, True)


@pytest.mark.parametrize(
    ("status", "message", "stop", "outcome"),
    [
        (400, "messages: bad", "", FINAL),
        (401, "invalid x-api-key", "", FINAL),
        (403, "no", "", FINAL),
        (404, "model: gone", "", FINAL),
        (429, "slow", "", LATER),
        (500, "oops", "", LATER),
        (529, "overloaded", "", LATER),
        (402, "spent", "budget", SPENT),
        (402, "spent", "", SPENT),
        (403, "stopped", "stopped", SPENT),
    ],
)
def test_errors_that_end_the_agent(status: int, message: str, stop: str, outcome: tuple[bool, bool]) -> None:
    error = judged(status, "some_error", message, stop)
    assert isinstance(error, Ended)
    assert (error.report.final, error.report.spent) == outcome
    assert message in error.report.reason


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (200, "Overloaded", BrokenStep),
        (413, "request too large", WindowFull),
        (400, "prompt is too long: 1000001 tokens > 1000000 maximum", WindowFull),
        (400, "input length and `max_tokens` exceed context limit", WindowFull),
    ],
)
def test_errors_that_do_not_end_the_agent(status: int, message: str, kind: type[Exception]) -> None:
    assert type(judged(status, "", message)) is kind


def test_error_without_a_word_names_its_kind() -> None:
    error = judged(500, "api_error", "")
    assert isinstance(error, Ended)
    assert error.report.reason == "the model API answered 500: api_error"


# --- summaries


def test_conversation_is_shortened_where_the_model_gets_dearer() -> None:
    models = ModelSettings(
        prices=(Price("cheap", 1, 1), Price("cheap", 5, 5, above=100_000), Price("flat", 1, 1))
    )
    assert compaction.full_at(models, "cheap") == 100_000
    assert compaction.full_at(models, "flat") == 200_000
    assert compaction.full_at(models, "unknown") == 200_000


def test_what_is_told_has_no_thoughts_and_is_bounded() -> None:
    messages = [
        said_by_user(Text("Fix it")),
        Message("assistant", (THOUGHT, Text("On it"), USE)),
        said_by_user(ToolResult("toolu_1", "y" * 9_000), ToolResult("toolu_1", "no", error=True)),
    ]
    told = compaction.told(messages)
    lines = told.splitlines()
    assert lines[:3] == ["[result] Fix it", "[agent] On it", '[agent] bash {"command": "true"}']
    assert lines[-1] == "[result] (error) no"
    assert len(told) < 3_000


def test_summarised_conversation_holds_prompt_summary_and_the_latest_steps_only() -> None:
    messages = [said_by_user(Text("Fix it"))]
    for number in range(30):
        messages += [Message("assistant", (THOUGHT, Text(f"step {number:02}")))]
    message = compaction.compressed("Fix it", messages, "It went well")
    text = "\n".join(block.text for block in message.blocks if isinstance(block, Text))
    assert message.role == "user"
    assert all(isinstance(block, Text) for block in message.blocks)
    assert text.startswith("Fix it")
    assert "It went well" in text
    assert ("step 17" in text, "step 18" in text, "step 29" in text) == (False, True, True)


def test_question_for_a_summary_is_bounded_whatever_was_said() -> None:
    messages = [said_by_user(Text("Fix it"))] + [Message("assistant", (Text("x" * 2_000),))] * 1_000
    question = compaction.question(messages)
    assert sum(len(block.text) for block in question.blocks if isinstance(block, Text)) < 310_000
