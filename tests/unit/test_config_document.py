from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.document import MAXIMUM_BYTES, MAXIMUM_DEPTH, Document, decode_text, suggestion


def problems(data: bytes | str, *, first_line: int = 1) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return [str(problem) for problem in Document("b.yaml", raw, first_line=first_line).problems]


def value(data: bytes | str) -> object:
    document = Document("b.yaml", data.encode() if isinstance(data, str) else data)
    assert document.problems == []
    return document.value


def test_plain_values_are_read() -> None:
    assert value("a: 1\nb: [x, 2.5, true, null]\nc: |\n  text\n") == {
        "a": 1,
        "b": ["x", 2.5, True, None],
        "c": "text\n",
    }


def test_empty_file_is_nothing() -> None:
    assert value("") is None
    assert value("# only a comment\n") is None


def test_byte_order_mark_is_left_out() -> None:
    assert value(b"\xef\xbb\xbfa: 1\n") == {"a": 1}


def test_windows_newlines_are_plain_ones() -> None:
    assert value(b"a: |\r\n  one\r\n  two\r\nb: 1\r\n") == {"a": "one\ntwo\n", "b": 1}


def test_windows_newlines_do_not_move_positions() -> None:
    document = Document("b.yaml", b"a: 1\r\nb:\r\n  - x\r\n  - y\r\n")
    assert document.position(("b", 1)) == (4, 5)


def test_no_yaml_11_surprises() -> None:
    assert value("[no, on, yes, off, 012, 1:30, 0o14, 2024-01-01]") is not None
    assert value("[no, on]") == ["no", "on"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a: 1".encode("utf-16"), "b.yaml: UTF-16 text (save the file as UTF-8)"),
        ("a: 1".encode("utf-16-be"), "b.yaml: a NUL character in the text (save the file as UTF-8)"),
        (b"\xfe\xff\x00a", "b.yaml: UTF-16 text (save the file as UTF-8)"),
        (b"a: 1\nb: caf\xe9\n", "b.yaml: not valid UTF-8 on line 2 (save the file as UTF-8)"),
        (b"a: \0\n", "b.yaml: a NUL character in the text (save the file as UTF-8)"),
        (b"a" * (MAXIMUM_BYTES + 1), "b.yaml: larger than 1024 KiB (split the batch)"),
        (r'a: ["x", "\ud800"]', "b.yaml:1:10: a NUL or half a character in the text (leave it out)"),
        (r'a: "x\0y"', "b.yaml:1:4: a NUL or half a character in the text (leave it out)"),
        ("a: *x\n", "b.yaml:1:4: aliases are not allowed (write the value out)"),
        ("a: !!python/object:os.system x\n", "b.yaml:1:4: the tag tag:yaml.org,2002:python/object:os.system is "
         "not allowed (use plain values)"),
        ("a: !custom x\n", "b.yaml:1:4: the tag !custom is not allowed (use plain values)"),
        ("- !!set {x}\n", "b.yaml:1:3: the tag tag:yaml.org,2002:set is not allowed (use plain values)"),
        ("a: 1\nb: 2\na: 3\n", "b.yaml:3:1: the key 'a' is there twice (keep one of them)"),
        ("x:\n  a: 1\n  a: 3\n", "b.yaml:3:3: the key 'a' is there twice (keep one of them)"),
        ("a: [1, 2\nb: 3\n", "b.yaml:2:2: not valid YAML: expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2\n", "b.yaml:2:1: not valid YAML: found character '\\t' that cannot start any token"),
        ("[" * (MAXIMUM_DEPTH + 1) + "]" * (MAXIMUM_DEPTH + 1), "b.yaml:1:21: nested deeper than 20 levels"),
        ("a: 'x\n", "b.yaml:2:1: not valid YAML: found unexpected end of stream"),
    ],
)  # fmt: skip
def test_unsound_file_is_one_problem_with_its_place(data: bytes | str, message: str) -> None:
    assert problems(data) == [message]


def test_every_alias_and_tag_is_told_at_once() -> None:
    assert problems("a: &x 1\nb: *x\nc: *x\nd: !t 1\n") == [
        "b.yaml:2:4: aliases are not allowed (write the value out)",
        "b.yaml:3:4: aliases are not allowed (write the value out)",
        "b.yaml:4:4: the tag !t is not allowed (use plain values)",
    ]


@pytest.mark.parametrize("tag", ["!!str", "!!int", "!!map", "!"])
def test_yamls_own_tags_are_refused_too(tag: str) -> None:
    assert len(problems(f"a: {tag} 1\n")) == 1


def test_second_document_is_not_valid() -> None:
    assert len(problems("a: 1\n---\nb: 2\n")) == 1


def test_alias_bomb_costs_nothing() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
    )
    started = time.thread_time()
    assert problems(bomb)
    assert time.thread_time() - started < 1.0


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_before_it_overflows(opening: str) -> None:
    assert problems(opening * 20_000)


def test_positions_are_of_values_or_of_keys() -> None:
    document = Document("b.yaml", b"first: 1\ntasks:\n  - id: a\n    needs: [x, y]\n  - id: b\n")
    assert document.position(("tasks", 0, "needs", 1)) == (4, 16)
    assert document.position(("tasks", 1, "id")) == (5, 9)
    assert document.position(("tasks", 1, "id"), at_key=True) == (5, 5)
    assert document.position(("tasks", 1)) == (5, 5)


def test_position_of_what_is_not_there_is_the_nearest_thing_above() -> None:
    document = Document("b.yaml", b"first: 1\ntasks:\n  - id: a\n")
    assert document.position(("tasks", 0, "title")) == (3, 5)
    assert document.position(("tasks", 7, "title")) == (3, 3)
    assert document.position(("nothing",)) == (1, 1)
    assert document.position(()) == (1, 1)


def test_positions_count_from_the_line_a_document_begins_on() -> None:
    document = Document("task.md", b"title: x\nneeds: y\n", first_line=2)
    document.problem(("needs",), "wrong")
    assert str(document.problems[0]) == "task.md:3:8: wrong"
    assert problems("a: *x\n", first_line=10) == [
        "b.yaml:10:4: aliases are not allowed (write the value out)"
    ]


def test_unknown_key_gets_the_nearest_valid_name() -> None:
    document = Document("b.yaml", b"taks: []\nzebra: 1\n")
    document.unknown_key(("taks",), ["tasks", "title"], "key")
    document.unknown_key(("zebra",), ["tasks", "title"], "key")
    assert [str(problem) for problem in document.problems] == [
        "b.yaml:1:1: unknown key 'taks' (did you mean 'tasks'?)",
        "b.yaml:2:1: unknown key 'zebra' (known: tasks, title)",
    ]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("planer", ["PLANNER", "TESTER"], "did you mean 'PLANNER'?"),
        ("x", ["b", "a", "b"], "known: a, b"),
        ("x", [], ""),
        ("x", [f"n{i:02}" for i in range(25)], "known: " + ", ".join(f"n{i:02}" for i in range(25))),
        ("x", [f"n{i:02}" for i in range(26)], "known: " + ", ".join(f"n{i:02}" for i in range(24)) + " and 2 more"),
    ],
)  # fmt: skip
def test_suggestion_is_the_nearest_name_or_a_list_that_stays_short(
    name: str, known: list[str], hint: str
) -> None:
    assert suggestion(name, known) == hint


@pytest.mark.parametrize("text", ["a: -_", "a: 0x_", "a: [+0b_]"])
def test_number_without_a_digit_is_told(text: str) -> None:
    [problem] = Document("b.yaml", text.encode()).problems
    assert str(problem) == "b.yaml: not valid YAML: a number without a digit (put it in quotes)"


@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_it_crash(data: bytes) -> None:
    document = Document("b.yaml", data)
    assert document.problems or document.value is not Ellipsis


@given(st.text(alphabet="a:-[]{}&*!|>'\"\n #?,%@`0.~\t", max_size=60))
def test_no_yaml_like_text_makes_it_crash(text: str) -> None:
    document = Document("b.yaml", text.encode())
    assert all(problem.line >= 0 for problem in document.problems)


def test_text_files_lose_mark_and_windows_newlines() -> None:
    assert decode_text(b"\xef\xbb\xbfone\r\ntwo\n") == ("one\ntwo\n", "")
