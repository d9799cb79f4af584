"""What the text of an issue says of other issues."""

from __future__ import annotations

import re
import time

import pytest

from orchestrator.intake import relations as module
from orchestrator.intake.relations import Relations, relations
from shared.forge.tracker import IssueRef


def needs(text: str) -> list[str]:
    return [f"{kind} {ref.repository}#{ref.number}" for ref, kind in relations(text, "github.com").needs]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Blocked by #1", ["blocked by #1"]),
        ("This depends on #1.", ["depends on #1"]),
        ("**Blocked by:** #1", ["blocked by #1"]),
        ("Blocked by #1, #2 and #3", ["blocked by #1", "blocked by #2", "blocked by #3"]),
        ("blocked by #1, and #2; depends on #3 #4", ["blocked by #1", "blocked by #2", "depends on #3", "depends on #4"]),
        ("blocked by #1 because of #2", ["blocked by #1"]),
        ("depends on octo/other#5", ["depends on octo/other#5"]),
        ("depends on https://github.com/octo/other/issues/5#top", ["depends on octo/other#5"]),
        ("### Blocked by\n\n- #1\n- [ ] #2\n* #3 and more\n\nbut not #4", ["blocked by #1", "blocked by #2", "blocked by #3"]),
        ("- blocked by #1", ["blocked by #1"]),
        ("blocked by #1\nblocked by #1", ["blocked by #1"]),
    ],
)  # fmt: skip
def test_what_comes_first_is_understood(text: str, expected: list[str]) -> None:
    assert needs(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "see #1",
        "after #1",
        "unblocked by #1",
        "not blocked by #1",
        "It isn't blocked by #1 any more",
        "no longer depends on #1",
        "does not depend on #1",
        "should never be blocked by #1",
        "> blocked by #1",
        "`blocked by #1`",
        "``blocked by ` #1``",
        "```\nblocked by #1\n```",
        "~~~~\nblocked by #1\n```\n~~~~",
        "text:\n\n    blocked by #1",
        "~~blocked by #1~~",
        "blocked by #1x",
        "blocked by #0",
        "blocked by octo/other/deep#1",
        "depends on https://elsewhere.example/octo/other/issues/5",
        "depends on https://github.com/octo/other/pull/5",
        "depends on:\n\nnothing\n\n- #1",
    ],
)
def test_what_only_looks_like_it_says_nothing(text: str) -> None:
    assert needs(text) == []


def test_parts_are_told_from_either_side() -> None:
    found = relations(
        "Part of #10.\n\n- [ ] #11\n- [x] #12\n- [ ] **octo/other#13** too\n- [ ] see #14\n1. [ ] #15",
        "github.com",
    )
    assert found == Relations(
        part_of=(IssueRef(10),), items=(IssueRef(11), IssueRef(13, "octo/other"), IssueRef(15))
    )


UNITS = [
    "blocked by ", "blocked by #1, ", "blocked by\n", "- [ ] #1\n", "#", "#1", "`", "`` ` ", "~~", "~~a", "a/", "a/a#", "https://github.com/",
    "https://a/b/c/issues/1 ", "not ", "n't be ", "- ", "> ", " ", "\n", "```", "*", "_", "part of and ", "1", "a" * 39 + "/",
]  # fmt: skip
SIZE = 64 * 1024


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_no_text_takes_long(unit: str) -> None:
    for text in ((unit * SIZE)[:SIZE], "blocked by " + (unit * SIZE)[:SIZE]):
        assert min(_took(lambda text=text: relations(text, "github.com")) for _ in range(2)) < 0.25


EXPRESSIONS = {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_expression_takes_long_on_any_text(name: str) -> None:
    pattern = EXPRESSIONS[name]
    for unit in UNITS:
        text = (unit * SIZE)[:SIZE]
        use = pattern.findall if name in ("_WORDS", "_STRUCK", "_TICKS") else pattern.match
        assert min(_took(lambda text=text, use=use: use(text)) for _ in range(3)) < 0.05, unit


def _took(call: object) -> float:
    begin = time.process_time()
    call()  # type: ignore[operator]
    return time.process_time() - begin
