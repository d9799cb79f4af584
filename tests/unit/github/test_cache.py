from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.forge.github.cache import Cache


def test_what_was_kept_is_there_for_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "github.json"
    cache = Cache(path)
    cache.put("https://x/1", 'W/"1"', {"title": "ä\x00"}, "https://x/1?page=2")
    cache.save()
    kept = Cache(path).get("https://x/1")
    assert kept is not None
    assert (kept.etag, kept.value, kept.next) == ('W/"1"', {"title": "ä\x00"}, "https://x/1?page=2")


def test_answer_without_etag_takes_the_place_of_one_with_it() -> None:
    cache = Cache()
    cache.put("u", "e", 1, None)
    cache.put("u", "", 2, None)
    assert cache.get("u") is None


def test_those_that_were_not_used_for_long_make_room() -> None:
    cache = Cache()
    for number in range(500):
        cache.put(str(number), "e", number, None)
    assert cache.get("0") is not None
    cache.put("new", "e", 0, None)
    assert cache.get("1") is None
    assert cache.get("0") is not None


def test_large_answers_are_not_kept_and_all_together_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "github.json"
    cache = Cache(path)
    cache.put("huge", "e", "x" * 300_000, None)
    assert cache.get("huge") is None
    for number in range(100):
        cache.put(str(number), "e", "x" * 200_000, None)
    cache.save()
    assert path.stat().st_size < 9_000_000
    assert Cache(path).get("99") is not None


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path) -> None:
    path = tmp_path / "github.json"
    Cache(path).save()
    assert not path.exists()
    Cache().save()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b'{"version": 2, "answers": []}',
        b'{"version": 1}',
        b'{"version": 1, "answers": 7}',
        b'{"version": 1, "answers": [[1, 2]]}',
        b'{"version": 1, "answers": [["u", "e", "{", null]]}',
        b'{"version": 1, "answers": [["u", "e", 7, null]]}',
        b"[" * 100_000,
    ],
)
def test_damaged_file_is_as_good_as_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "github.json"
    path.write_bytes(text)
    cache = Cache(path)
    assert cache.get("u") is None
    cache.put("u", "e", 1, None)
    cache.save()
    assert json.loads(path.read_text())["version"] == 1
