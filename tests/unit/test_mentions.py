"""What a merge of foreign text must not do: call people, close issues."""

from __future__ import annotations

import pytest

from shared.mentions import quiet, unlinked


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Fixes #7 for @ada", "Fixes `#7` for `@ada`"),
        ("closes ada/engine#7", "closes `ada/engine#7`"),
        ("resolves GH-7", "resolves `GH-7`"),
        ("a@b.com", "a@b.com"),
        ("no. 7", "no. 7"),
    ],
)
def test_title_closes_nothing_and_calls_nobody(text: str, safe: str) -> None:
    assert unlinked(text) == safe


def test_name_that_was_hidden_between_invisible_characters_is_found() -> None:
    assert quiet("fixes #\u200b7\nand @\u200bada") == "fixes `#7` and `@ada`"


def test_line_is_cut_first() -> None:
    assert quiet("x" * 100 + " #7") == "x" * 71 + "…"
