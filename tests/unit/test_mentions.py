"""What a merge of foreign text must not do: call people, close issues."""

from __future__ import annotations

import pytest

from shared.mentions import linked, quiet, unlinked


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Fixes #7 for @ada", "Fixes `#7` for `@ada`"),
        ("closes ada/engine#7", "closes `ada/engine#7`"),
        ("resolves GH-7", "resolves `GH-7`"),
        ("a@b.com", "a@b.com"),
        ("no. 7", "no. 7"),
        ("use `it`", "use `it`"),
        ("` fixes #7", "' fixes `#7`"),
        ("`fixes` `#7`", "'fixes' '`#7`'"),
    ],
)
def test_title_closes_nothing_and_calls_nobody(text: str, safe: str) -> None:
    assert unlinked(text) == safe


def test_name_that_was_hidden_between_invisible_characters_is_found() -> None:
    assert quiet("fixes #\u200b7\nand @\u200bada") == "fixes `#7` and `@ada`"


def test_line_is_cut_first() -> None:
    assert quiet("x" * 100 + " #7") == "x" * 71 + "…"


def test_what_was_put_in_backticks_is_not_cut_apart() -> None:
    for text in (*("x" * length + " fixes #12345" for length in range(50, 80)), "#1" * 100, "@a " * 100):
        shown = quiet(text)
        assert len(shown) <= 72
        assert not linked(shown)


@pytest.mark.parametrize(
    ("text", "is_linked"),
    [
        ("a change\n\n- CODER: fixes `#7`", False),
        ("use `it`", False),
        ("a change\n\nfixes #7", True),
        ("` `#7`", True),
        ("told `@ada` and @bob", True),
        ("https://github.com/o/r/issues/7", True),
    ],
)
def test_link_in_a_message_is_found(text: str, is_linked: bool) -> None:
    assert linked(text) is is_linked
    assert not linked("\n".join(unlinked(line) for line in text.splitlines()))
