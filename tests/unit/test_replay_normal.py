"""What counts as a difference between two runs' requests, and what does not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.recording.normal import Places, comparable, difference, places, steady
from shared.model import RepositoryFacts

HERE = Places("run-1", {"repository": "/a/shop", "worktrees": "/a/shop.spinney", "home": "/home/ada"})
THERE = Places("run-2", {"repository": "/b/copy", "worktrees": "/b/copy.spinney", "home": "/home/bob"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ran 3 tests in 0.003s", "Ran 3 tests in 1.25s"),
        ("took 4 ms", "took 381 ms"),
        ("real 0m1.5s", "real 0m12.25s"),
        ("3 passed in 12 seconds", "3 passed in 2 seconds"),
        ("at 2026-11-26T14:05:10Z", "at 2027-01-02T03:04:05.678+01:00"),
        ("Today's date is 2026-11-26", "Today's date is 2026-12-01"),
        ("Thu Nov 26 14:43:17 UTC 2026", "Fri Nov 27 01:02:03 UTC 2026"),
        ("Thu, 26 Nov 2026 14:05:10 GMT", "Fri, 27 Nov 2026 04:05:10 GMT"),
        ("-rw-r--r-- 1 u u 12 Nov 26 14:43 a.py", "-rw-r--r-- 1 u u 12 Nov 27 09:01 a.py"),
        ("[14:05:10] done", "[14:06:59] done"),
        ("<object at 0x7f3a2b4c5d6e>", "<object at 0x7fffffffffff>"),
        ("http://127.0.0.1:43121/x", "http://127.0.0.1:8080/x"),
        ("listening on localhost:43121", "listening on localhost:1025"),
        ("SPINNEY_PORT_BASE=20010", "SPINNEY_PORT_BASE=20500"),
        ("on port 43121", "on port 5000"),
        ("pid 4711 exited", "pid 12 exited"),
        ("CLAUDE_PID=4711", "CLAUDE_PID=12"),
        ("commit " + "a1" * 20, "commit " + "b2" * 20),
        (
            "session 329e6a80-4189-4b97-ba76-328fdbc5a9cc",
            "session 00000000-4189-4b97-ba76-328fdbc5a9cc",
        ),
        ("/tmp/tmpabc123/x", "/tmp/tmpzz99qq/x"),
        ("SOCKET=/tmp/socks/5354.sock", "SOCKET=/tmp/socks/17.sock"),
        ("TOKEN=" + "0a" * 24, "TOKEN=" + "f1" * 24),
    ],
)
def test_what_the_clock_and_chance_put_into_outputs_is_no_difference(one: str, other: str) -> None:
    assert steady(one) == steady(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ran 3 tests", "Ran 4 tests"),
        ("toolu_aaaaaaaaaaaaaaaaaaaaaa", "toolu_bbbbbbbbbbbbbbbbbbbbbb"),
        ("exit 1", "exit 2"),
        ("version 1.2.3", "version 1.2.4"),
        ("a.py:12:3", "a.py:12:4"),
        ("k3s", "k4s"),
        ("May be", "Mar be"),
        ("section 10", "section 11"),
    ],
)
def test_everything_else_is_one(one: str, other: str) -> None:
    assert steady(one) != steady(other)


@given(st.text(max_size=300))
def test_what_is_steady_stays_as_it_is(text: str) -> None:
    assert steady(steady(text)) == steady(text)


@pytest.mark.parametrize(
    "piece",
    ["port", "1s", "1", "a", "Nov 26 ", "0x", "pid ", "2026-11-", "12:34:", "/tmp/tmp", "\n", "1.1s "],
)
def test_hostile_text_does_not_take_long(piece: str) -> None:
    text = piece * (65_536 // len(piece))
    began = time.process_time()
    steady(text)
    assert time.process_time() - began < 0.5  # ten expressions of at most 50 ms each


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("/a/shop/x.py", "<repository>/x.py"),
        ("/a/shop.spinney/fix-a/x.py", "<worktrees>/fix-a/x.py"),
        ("/a/shopping/x.py", "/a/shopping/x.py"),
        ("see /a/shop", "see <repository>"),
        ("spinney/batch/run-1", "spinney/batch/<run>"),
        ("~/.claude/projects/-a-shop-spinney-fix-a", "~/.claude/projects/<worktrees-as-a-name>-fix-a"),
        ("/home/ada/.cache", "<home>/.cache"),
    ],
)
def test_places_are_called_by_what_they_are(text: str, named: str) -> None:
    assert HERE.named(text) == named


def test_text_of_one_run_is_translated_into_that_of_another() -> None:
    text = "cd /a/shop.spinney/fix-a && git log run-1 && ls /a/shop /home/ada"
    assert HERE.elsewhere(THERE)(text) == "cd /b/copy.spinney/fix-a && git log run-2 && ls /b/copy /home/bob"


def test_translation_does_not_translate_its_own_results() -> None:
    swapped = Places("run-1", {"repository": "/b", "worktrees": "/a"})
    assert Places("run-1", {"repository": "/a", "worktrees": "/b"}).elsewhere(swapped)("/a /b") == "/b /a"


def test_places_of_a_run_are_those_that_agents_see() -> None:
    facts = RepositoryFacts("/a/shop/.git", "/a/shop", "/a/shop.spinney", "/a/shop/.git/spinney/runs/run-1")
    named = places("run-1", facts, "/home/ada").named
    assert named("/a/shop/.git/config") == "<git>/config"
    assert named("/a/shop/.git/spinney/runs/run-1/logs") == "<run-folder>/logs"


def test_bare_repository_has_no_checkout_to_name() -> None:
    facts = RepositoryFacts("/a/shop.git", "", "/a/shop.spinney", "/a/shop.git/spinney/runs/r")
    assert places("r", facts, "/").named("/x /a/shop.git") == "/x <git>"


def _body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_cache_marks_and_who_asks_are_no_part_of_the_question() -> None:
    plain = _body(model="m", messages=[{"role": "user", "content": [{"type": "text", "text": "x"}]}])
    marked = _body(
        model="m",
        metadata={"user_id": "u"},
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
            }
        ],
    )
    assert comparable(plain, str) == comparable(marked, str)


def test_what_is_not_json_is_compared_as_text() -> None:
    assert comparable(b"\xff/a/shop", HERE.named) == "\ufffd<repository>"
    for depth in (300, 600, 100_000):
        deep = b"[" * depth + b'"/a/shop"' + b"]" * depth
        assert "<repository>" in json.dumps(comparable(deep, HERE.named))


@pytest.mark.parametrize(
    ("recorded", "asked", "shown"),
    [
        ({"a": 1}, {"a": 2}, "at a: recorded 1, asked 2"),
        ({"a": 1}, {"a": True}, "at a: recorded 1, asked true"),
        ({"a": 1}, {}, "at a: recorded 1, asked nothing"),
        ({}, {"a": "x"}, 'at a: recorded nothing, asked "x"'),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, 'at a[0].b: recorded "x", asked "y"'),
        ({"a": [1]}, {"a": [1, 2]}, "at a: recorded 1 entries, asked 2 entries"),
        ("x", "y", 'at its beginning: recorded "x", asked "y"'),
        (
            {"t": "a" * 100 + "old" + "b" * 100},
            {"t": "a" * 100 + "new" + "b" * 100},
            f'at t: recorded …"{"a" * 60}old{"b" * 57}"…, asked …"{"a" * 60}new{"b" * 57}"…',
        ),
        ({"t": "ab"}, {"t": "abc"}, 'at t: recorded "ab", asked "abc"'),
    ],
)
def test_first_difference_is_shown_with_its_place_and_both_values(
    recorded: Any, asked: Any, shown: str
) -> None:
    assert str(difference(recorded, asked)) == shown


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON, _JSON)
def test_there_is_a_difference_exactly_where_two_are_not_the_same(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (difference(one, other) is None) == same
