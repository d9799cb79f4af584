from __future__ import annotations

from shared.forge.github.cache import Cache


def test_what_was_kept_is_there_for_the_next_question() -> None:
    cache = Cache()
    cache.put("https://x/1", 'W/"1"', {"title": "ä\x00"}, "https://x/1?page=2")
    kept = cache.get("https://x/1")
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


def test_large_answers_are_not_kept_and_all_together_are_bounded() -> None:
    cache = Cache()
    cache.put("huge", "e", "x" * 300_000, None)
    assert cache.get("huge") is None
    for number in range(100):
        cache.put(str(number), "e", "x" * 200_000, None)
    assert sum(cache.get(str(number)) is not None for number in range(100)) == 41  # of 8 MiB
    assert cache.get("99") is not None
