"""What programs say is understood however it comes: unknown, out of order, repeated, broken, endless."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.process import End, EndReason
from workflow_manager.backends.programs import catalogue, judging
from workflow_manager.backends.programs.claude_code import ClaudeEar
from workflow_manager.backends.programs.definition import Definition
from workflow_manager.backends.programs.hearing import Ear, Heard, JsonEar, TextEar, at
from workflow_manager.backends.programs.lines import Lines

CLAUDE = catalogue.shipped("claude-code")
OPENCODE = catalogue.shipped("opencode")
GEMINI = catalogue.shipped("gemini")
CODEX = catalogue.shipped("codex")
PLAIN = Definition("plain", ("plain",))
DONE = End(0, EndReason.EXITED, 1.0)
FAILED = End(1, EndReason.EXITED, 1.0)


def hear(ear: Ear, *lines: Any) -> str:
    shown = [ear.line(line if isinstance(line, bytes) else json.dumps(line).encode()) for line in lines]
    ear.end()
    return "\n".join(filter(None, shown))


def said(*blocks: dict[str, Any], identity: str = "msg_1") -> dict[str, Any]:
    return {"type": "assistant", "message": {"id": identity, "content": list(blocks)}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(name: str, identity: str = "toolu_1", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": given}


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, **fields}


# --- lines


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(1, 7)))
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    whole = [line.replace(b"\n", b"").replace(b"\r", b"") for line in lines]
    data = b"".join(line + b"\n" for line in whole)
    cutter, found = Lines(), []
    while data:
        size = cuts.pop() if cuts else len(data)
        found += cutter.feed(data[:size])
        data = data[size:]
    assert found == whole
    assert cutter.last() == []


def test_what_has_no_end_is_heard_in_the_end() -> None:
    lines = Lines()
    assert lines.feed(b"a\nb") == [b"a"]
    assert lines.last() == [b"b"]
    assert lines.last() == []


def test_a_line_that_grows_too_long_is_dropped_and_the_next_one_heard() -> None:
    lines = Lines(longest=10)
    assert [lines.feed(b"x" * 6) for _ in range(1000)] == [[]] * 1000
    assert lines.feed(b"\nshort\n") == [b"short"]
    assert lines.dropped == 1
    assert lines.feed(b"y" * 11) == []
    assert lines.last() == []


# --- Claude Code


def test_words_and_uses_of_tools_are_shown_and_counted() -> None:
    ear = ClaudeEar()
    shown = hear(
        ear,
        {"type": "system", "subtype": "init", "tools": ["Bash"]},
        said(text("I look.")),
        said(use("Read", file_path="/w/a.py")),
        said(use("Bash", "toolu_2", command="ls -l\nrm x"), identity="msg_2"),
        result(result="Done."),
    )
    assert shown == "I look.\n→ Read /w/a.py\n→ Bash ls -l rm x"
    assert ear.heard.messages == 2
    assert ear.heard.tools == {"Read": 1, "Bash": 1}
    assert (ear.heard.summary, ear.heard.finished) == ("Done.", True)


def test_what_is_repeated_counts_once() -> None:
    ear = ClaudeEar()
    denial = {"tool_name": "Bash", "tool_use_id": "toolu_1", "tool_input": {"command": "rm -rf /"}}
    once = [said(use("Bash", command="rm -rf /")), result(permission_denials=[denial])]
    hear(ear, *once, *once)
    assert (ear.heard.messages, ear.heard.tools, ear.heard.denied) == (1, {"Bash": 1}, ["Bash rm -rf /"])


def test_denials_of_every_turn_are_kept_although_the_last_result_has_none() -> None:
    ear = ClaudeEar()
    denial = {"tool_name": "Write", "tool_use_id": "toolu_9", "tool_input": {"file_path": "/etc/passwd"}}
    hear(
        ear, result(permission_denials=[denial], result="first"), result(permission_denials=[], result="last")
    )
    assert (ear.heard.denied, ear.heard.summary) == (["Write /etc/passwd"], "last")


def test_what_a_tool_said_is_shown_only_where_it_went_wrong() -> None:
    answered = [
        {"type": "tool_result", "content": "ANTHROPIC_API_KEY=x"},
        {"type": "tool_result", "is_error": True, "content": "no such\nfile"},
    ]
    assert hear(ClaudeEar(), {"type": "user", "message": {"content": answered}}) == "! no such file"


def test_escape_sequences_do_not_reach_the_log() -> None:
    assert hear(ClaudeEar(), said(text("\x1b[2Jred\x07 ‮x"))) == "red x"
    assert hear(ClaudeEar(), b"\x1b]0;title\x07plain") == "plain"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not JSON",
        b"[1, 2]",
        b"null",
        b"\xff\xfe",
        b'{"type": "assistant"}',
        b'{"type": "assistant", "message": null}',
        b'{"type": "assistant", "message": {"content": "text"}}',
        b'{"type": "assistant", "message": {"content": [null, 1, {"type": "tool_use"}]}}',
        b'{"type": "user", "message": {"content": [{"is_error": true, "content": [1]}]}}',
        b'{"type": "result", "permission_denials": {"a": 1}, "errors": 7, "result": []}',
        b'{"type": "result", "permission_denials": [null, {"tool_input": 3}]}',
        b'{"type": ["result"]}',
        b"[" * 100_000,
    ],
)
def test_nothing_that_it_says_is_an_accident(line: bytes) -> None:
    hear(ClaudeEar(), line, result(result="Done."))


# --- what is made of it


def judged(*lines: Any, end: End = DONE, definition: Definition = CLAUDE) -> tuple[bool, str]:
    ear: Ear = ClaudeEar() if definition is CLAUDE else JsonEar(definition)
    if definition is PLAIN:
        ear = TextEar()
    hear(ear, *lines)
    report = judging.report(definition, ear.heard, end)
    return report.ok, report.summary if report.ok else report.reason


@pytest.mark.parametrize(
    ("lines", "end", "ok", "words"),
    [
        ([result(result="Done.")], DONE, True, "Done."),
        ([result()], DONE, True, "done"),
        ([result(result="Done."), b"junk after the end"], DONE, True, "Done."),
        ([result(result="Done.")], FAILED, True, "Done."),  # it says so itself; the worktree decides
        ([], DONE, False, "it ended without a result, exit status 0"),
        ([b"Error: no disk"], FAILED, False, "it ended without a result, exit status 1: Error: no disk"),
        (
            [said(text("half"))],
            End(-9, EndReason.EXITED, 1),
            False,
            "it ended without a result, killed by SIGKILL",
        ),
        (
            [result(is_error=True, result="API Error: 400 bad")],
            FAILED,
            False,
            "API Error: 400 bad",
        ),
        (
            [result(subtype="error_during_execution", is_error=True, errors=["it broke", 7, "twice"])],
            FAILED,
            False,
            "it broke; twice",
        ),
        ([result(subtype="error_something_new")], DONE, False, "error_something_new"),
        (
            [result(subtype="error_max_turns", is_error=True, errors=["Reached maximum"])],
            FAILED,
            False,
            "it used up the requests that one agent may make (models: steps)",
        ),
        ([result(is_error=True, result="oops"), result(result="Mended.")], DONE, True, "Mended."),
        ([result(result="Done.")], End(0, EndReason.CANCELLED, 3), False, "stopped"),
        ([result(result="Done.")], End(0, EndReason.TIMEOUT, 60), False, "timed out after 60 s"),
    ],
)
def test_what_claude_code_says_of_its_end_counts(lines: list[Any], end: End, ok: bool, words: str) -> None:
    assert judged(*lines, end=end) == (ok, words)


@pytest.mark.parametrize(
    ("definition", "lines", "end", "ok", "words"),
    [
        (PLAIN, [b"working", b"all done", b""], DONE, True, "all done"),
        (PLAIN, [], DONE, True, "done"),
        (PLAIN, [b"no such model"], FAILED, False, "exit status 1: no such model"),
        (OPENCODE, [{"type": "text", "part": {"text": "Wrote it."}}], DONE, True, "Wrote it."),
        (
            OPENCODE,
            [{"type": "error", "error": {"name": "APIError", "data": {"message": "overloaded"}}}],
            FAILED,
            False,
            "overloaded",
        ),
        (
            CODEX,
            [{"type": "item.completed", "item": {"type": "agent_message", "text": "Ok."}}],
            DONE,
            True,
            "Ok.",
        ),
        (
            CODEX,
            [
                {"type": "error", "message": "Reconnecting"},
                {"type": "item.completed", "item": {"text": "Ok."}},
            ],
            DONE,
            True,
            "Ok.",
        ),
        (GEMINI, [b"YOLO mode", b"{", b' "response": "Hi.",', b' "stats": {}', b"}"], DONE, True, "Hi."),
        (GEMINI, [b"{", b' "error": {"message": "no key"}', b"}"], FAILED, False, "no key"),
        (GEMINI, [b"Cannot start"], FAILED, False, "exit status 1: Cannot start"),
        (GEMINI, [b"{", b'"broken'], FAILED, False, "exit status 1"),
    ],
)
def test_what_other_programs_say_of_their_end_counts(
    definition: Definition, lines: list[Any], end: End, ok: bool, words: str
) -> None:
    assert judged(*lines, end=end, definition=definition) == (ok, words)


@pytest.mark.parametrize(
    ("ear", "line"),
    [
        (
            ClaudeEar(),
            result(is_error=True, api_error_status=402, result="API Error: 402 the budget is spent"),
        ),
        (
            JsonEar(OPENCODE),
            {"type": "error", "error": {"data": {"message": "the budget is spent", "statusCode": 402}}},
        ),
        (TextEar(), b'{"type":"error","error":{"type":"billing_error","message":"the budget is spent"}}'),
    ],
    ids=["claude", "json", "text"],
)
def test_a_spent_budget_is_told_from_a_failure(ear: Ear, line: Any) -> None:
    hear(ear, line)
    definition = OPENCODE if isinstance(ear, JsonEar) else CLAUDE
    report = judging.report(definition, ear.heard, FAILED)
    assert (report.ok, report.spent, report.final) == (False, True, True)
    assert "the budget is spent" in report.reason


def test_warnings_name_what_was_denied_and_what_was_not_read() -> None:
    heard = Heard(summary="Done.", finished=True, denied=[f"Bash {n}" for n in range(12)])
    report = judging.report(CLAUDE, heard, FAILED, dropped=2)
    assert report.warnings[0] == "it was not allowed: Bash 0"
    assert report.warnings[10:] == (
        "and 2 more uses of tools were not allowed",
        "2 lines of its output too long to be read",
        "it said that it had succeeded, and ended with exit status 1",
    )


@pytest.mark.parametrize(
    ("problem", "status", "end", "broke"),
    [
        ("API Error: Connection to the API was lost (StreamTruncated).", None, FAILED, True),
        ("API Error: the stream ended early", None, FAILED, True),
        ("API Error: 400 the stream ended early", 400, FAILED, False),
        ("API Error: 402 nothing left", 402, FAILED, False),
        ("it broke", None, FAILED, False),
        ("API Error: the stream ended early", None, End(0, EndReason.CANCELLED, 1), False),
        ("", None, DONE, False),
    ],
)
def test_only_an_answer_that_broke_off_is_gone_on_after(
    problem: str, status: int | None, end: End, broke: bool
) -> None:
    assert judging.broke_off(Heard(problem=problem, status=status), end) is broke


@pytest.mark.parametrize(
    ("heard", "lost"),
    [
        (Heard(problem="No conversation found with session ID: 1"), True),
        (Heard(junk="Error: Session ID 1 is already in use."), True),
        (Heard(problem="No conversation found", messages=3), False),
        (Heard(problem="it broke"), False),
    ],
)
def test_a_session_is_lost_only_before_anything_was_said(heard: Heard, lost: bool) -> None:
    assert judging.session_lost(heard) is lost


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [({"a": {"b": 1}}, "a.b", 1), ({"a": 1}, "a.b", None), ([], "a", None), ({"a": 1}, "", None)],
)
def test_paths_lead_to_values_or_nowhere(value: Any, path: str, found: Any) -> None:
    assert at(value, path) == found
