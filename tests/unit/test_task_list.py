"""Task lists in Markdown: what is an item, what belongs to it, and what is not one."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_manager import task_list
from workflow_manager.task_list import Item, parse, to_data

PLAN = """\
# Implementation plan

It takes 2.5 days.

- [x] 1. Set up the project
  - Make the folders
  - _Requirements: 1.1_
- [ ] 2. Data
  - [ ] 2.1 Model
    - with a test

    ```python
    - [ ] not an item
    ```
  - [X] Storage
    goes on here
- [ ] 3 apples are counted
* [ ] Last
and its second line

# Notes

1. nothing to do
- nothing either
"""


def test_check_boxes_are_items_with_numbers_levels_and_details() -> None:
    assert parse(PLAN) == (
        Item("1", "Set up the project", True, "- Make the folders\n- _Requirements: 1.1_"),
        Item("2", "Data"),
        Item("2.1", "Model", False, "- with a test\n\n```python\n- [ ] not an item\n```", 1),
        Item("2.2", "Storage", True, "goes on here", 1),
        Item("3", "3 apples are counted"),
        Item("4", "Last", False, "and its second line"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. one\n2. two", [("1", "one"), ("2", "two")]),
        ("1) one\n2) two", [("1", "one"), ("2", "two")]),
        ("1. one\n1. two\n1. three", [("1", "one"), ("2", "two"), ("3", "three")]),
        ("1. one\n2.1 two\n2.2 three", [("1", "one"), ("2.1", "two"), ("2.2", "three")]),
        ("- 1.1 one\n- 1.2 two", [("1.1", "one"), ("1.2", "two")]),
        ("1. one\n   1. below\n   2. too", [("1", "one"), ("1.1", "below"), ("1.2", "too")]),
        ("1. [ ] one\n2. [x] two", [("1", "one"), ("2", "two")]),
        ("- [ ] 7. seven\n- [ ] next", [("7", "seven"), ("1", "next")]),
        ("- [ ] 1.2.3 deep", [("1.2.3", "deep")]),
        ("+ [ ] plus\n* [ ] star", [("1", "plus"), ("2", "star")]),
        ("## A\n1. a\n\n## B\n1. b", [("1", "a"), ("2", "b")]),
        ("- [ ]\ttab", [("1", "tab")]),
        ("- [ ] a\r\n- [ ] b\r\n", [("1", "a"), ("2", "b")]),
        ("~~~\n- [ ] code\n~~~\n- [ ] item", [("1", "item")]),
        ("````\n```\n- [ ] code\n````\n- [ ] item", [("1", "item")]),
        ("```\n- [ ] never closed", []),
        ("- a\n- b", []),
        ("Fix it.\n\n2.5 million users wait.", []),
        ("- [y] no box\n- [] nor this", []),
        ("-[ ] no", []),
        ("", []),
    ],
)
def test_what_is_an_item_and_how_it_is_called(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(item.number, item.text) for item in parse(text)] == expected


def test_a_number_with_dots_says_how_deep_its_item_is() -> None:
    assert [item.level for item in parse("1. a\n1.1 b\n1.1.1 c\n2. d")] == [0, 1, 2, 0]


def test_plain_data_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(to_data(parse("- [x] 1. Do it\n  now")))) == [
        {"number": "1", "text": "Do it", "done": True, "details": "now", "level": 0}
    ]


LINES = st.lists(
    st.sampled_from(
        ["- [ ] a", "  - [x] 1.1 b", "1. c", "text", "    more", "", "```", "# H", "* [ ] 2. d", "\t- x"]
    ),
    max_size=30,
)


@given(LINES)
def test_numbers_are_unique_and_levels_go_up_one_at_a_time(lines: list[str]) -> None:
    items = parse("\n".join(lines))
    assert len({item.number for item in items}) == len(items)
    assert all(item.text and not item.details.startswith("\n") for item in items)


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert all(item.text.strip() == item.text for item in parse(text))


@pytest.mark.parametrize(
    "text",
    ["- [ ] " * 10_000, "1." * 32_768, "1.1." * 16_384, "`" * 65_536, "- [ ] a\n" * 8_192, " " * 65_536, "\n" * 65_536,
     "- [ ] a" + "\n" * 65_000, "-\t" * 32_768, "".join(" " * n + "- [ ] a\n" for n in range(360)), "1. a\n" * 13_000],
    ids=lambda text: text[:10],
)  # fmt: skip
def test_hostile_lists_are_read_quickly(text: str) -> None:
    started = time.process_time()
    parse(text[:65_536])
    assert time.process_time() - started < 1.5
    for pattern in (value for value in vars(task_list).values() if isinstance(value, re.Pattern)):
        started = time.process_time()
        pattern.match(text[:65_536])
        assert time.process_time() - started < 0.05
