"""What a merge of foreign text must not do: call people, close issues, turn checks off."""

from __future__ import annotations

import re
import string

import pytest

from orchestrator.publishing.markdown import inline, prose
from shared.mentions import checked, linked, quiet, skips, unlinked


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


_ALIVE = re.compile(r"(?:https?://|www\.)\S+/(?:issues|pull)/7", re.IGNORECASE)


@pytest.mark.parametrize("around", ["", " ", "\u3000", "é", "x", "…", *string.punctuation])
@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/o/r/issues/7",
        "http://github.com/o/r/pull/7",
        "HTTPS://GitHub.com/o/r/Issues/7",
        "www.github.com/o/r/issues/7",
        "https://github.com/o/r/issues/7#issuecomment-1",
    ],
)
def test_address_of_an_issue_is_found_beside_any_mark(address: str, around: str) -> None:
    for text in (
        f"closes {address}{around}",
        f"closes {around}{address}{around} and",
        f"({address}{around})",
    ):
        assert linked(text) or around == "`", text
        for safe in (unlinked(text), quiet(text, 200)):
            assert not _ALIVE.search(re.sub(r"`[^`]*`", "", safe)), safe
        for safe in (
            inline(text, 200),
            prose(text, 200),
        ):  # where a backslash makes a plain mark of a backtick
            assert not _ALIVE.search(re.sub(r"(?<!\\)((?:\\\\)*)`[^`]*`", r"\1", safe)), safe
        assert not linked(unlinked(text))
        assert not linked(quiet(text, 200))


SKIPPING = [
    *(
        "[skip ci]",
        "[ci skip]",
        "[no ci]",
        "[skip actions]",
        "[actions skip]",
        "skip-checks: true",
        "skip-checks:true",
    ),
    *(
        "[Skip CI]",
        "[ skip  ci ]",
        "[skip-ci]",
        "[skip travis]",
        "[[skip ci]]",
        "skip-checks :: true",
        "***NO_CI***",
    ),
]


@pytest.mark.parametrize("words", SKIPPING)
def test_nothing_turns_checks_off(words: str) -> None:
    for text in (words, f"a {words} b", f"a\n\n\n{words}", f"`{words}` #7", f"```\n{words}\n```"):
        assert skips(text)
        for safe in (checked(text), quiet(text), inline(text, 200), prose(text, 200)):
            assert not skips(safe), safe
        assert len(checked(text)) <= len(text)
    assert not skips(quiet(f"{words[:3]}\u200b{words[3:]}"))


@pytest.mark.parametrize(
    "text", ["skip ci", "[a list]", "a[skip]", "[no]", "[ ] skip it", "[skip ci](a)"[10:]]
)
def test_what_turns_nothing_off_stays(text: str) -> None:
    assert not skips(text)
    assert checked(text) == text
