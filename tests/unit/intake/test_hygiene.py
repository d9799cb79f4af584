"""What nobody sees in an issue is left out of it, and counted."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchestrator.intake import hygiene, markup
from orchestrator.intake.hygiene import Cleaned, clean

SIZE = 64 * 1024


@pytest.mark.parametrize(
    ("text", "seen", "hidden"),
    [
        ("plain, ünïcode, 日本語 and a\ttab", "plain, ünïcode, 日本語 and a\ttab", 0),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd", 0),
        ("\n\nmargins \n\n", "margins", 0),
        ("zero\u200b\u200c\u200d\u2060\ufeffwidth", "zerowidth", 5),
        ("\u202eright\u202c \u2066left\u2069 \u061c\u200e", "right left", 6),
        ("tags\U000e0001\U000e0061\U000e007f\U000e0100", "tags", 4),
        ("soft\u00adhy\u034fphen", "softhyphen", 2),
        ("filler\u115f\u1160\u3164\uffa0s", "fillers", 4),
        ("invisible\u2061\u2062\u2063\u2064 signs", "invisible signs", 4),
        ("half \ud83d of a character", "half  of a character", 1),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07\x00", "red bell", 21),
        ("::set-env \x9b1mcsi", "::set-env 1mcsi", 1),
        # How pictures and composed letters are written hides nothing and is not counted.
        ("\u2764\ufe0f \U0001f469\u200d\U0001f4bb", "\u2764 \U0001f469\U0001f4bb", 0),
        ("a\ufe0fb\u2764\ufe0f\ufe0e\ufe01", "ab\u2764", 4),
        ("e\u0301 stays, and so does \u00e9", "e\u0301 stays, and so does \u00e9", 0),
    ],
)
def test_characters_without_a_shape_are_left_out_and_counted(text: str, seen: str, hidden: int) -> None:
    assert clean(text) == Cleaned(seen, hidden)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a<!-- b -->c", "ac"),
        ("a <!-- b\nc --> d", "a  d"),
        ("a\n<!-- the rest\nis gone", "a"),
        ("a<!\u200b-- b -->c", "ac"),
        ("<!--> seen <!---> too", " seen  too"),
        ("a<?php b ?>c<!DOCTYPE d>e<![CDATA[ f ]]>g", "aceg"),
        ("`<!-- in a span -->`", "``"),
        ("    <!-- indented -->", ""),
        ("<details><summary>s</summary>seen</details>", "<details><summary>s</summary>seen</details>"),
        (
            "<p hidden>seen</p> <p style='display:none'>seen</p>",
            "<p hidden>seen</p> <p style='display:none'>seen</p>",
        ),
        ("[//]: # (hidden)\nseen", "seen"),
        ("[comment]: <> (hidden)\nseen", "seen"),
        ("[x]: #\n'hid\nden'\nseen", "seen"),
        ("[x]: # 'hid\nden'\nseen", "seen"),
        ("[hidden words]: https://example.com", ""),
        ("see [this]\n\n[this]: https://a.example 'hidden'", "see [this]\n\n[this]: https://a.example"),
        ("see [this]\n\n[This]: <hidden words>", "see [this]"),
        ("an [x]: in the middle", "an [x]: in the middle"),
    ],
)
def test_markup_that_is_never_shown_is_left_out(text: str, seen: str) -> None:
    assert clean(text).text == seen.strip("\n")


@pytest.mark.parametrize(
    "text",
    [
        "```html\n<!-- seen -->\n```",
        "how:\n```php\n<?php echo 1;\n```\nend",
        "~~~\n[//]: # (seen)\n~~~",
        "````\n```\n<!-- seen -->\n```\n````",
        "- item\n\n```\n<!-- seen -->\n```",
        "```\n<!-- never closed, seen to the end -->",
    ],
)
def test_what_is_seen_in_a_block_of_code_stays(text: str) -> None:
    assert clean(text) == Cleaned(text)


@pytest.mark.parametrize(
    "text",
    [
        "<div>\n```\n<!-- hidden -->\n```\n</div>",
        "<b>x</b>\n```\ncode\n\n```\n<!-- hidden -->",
        "text <!-- \n```\n-->\n```\n<!-- hidden -->",
        "- a\n  <!--\n```\n-->\n```\n<!-- hidden -->",
        "- a\n\n  ```\n\n```\n<!-- hidden -->",
        "> ```\n\n```\n<!-- hidden -->\n```",
        "    ```\n<!-- hidden -->\n    ```",
        "```\ncode\n   ```\n<!-- hidden -->",
        "```\ncode\n``````\n<!-- hidden -->",
        "```a`b\n<!-- hidden -->\n```",
        "<pre>\n\n```\n</pre>\n<!-- hidden -->\n```",
        "```\n~~~\n```\n<!-- hidden -->",
    ],
)
def test_what_only_looks_like_code_hides_nothing(text: str) -> None:
    assert "hidden" not in clean(text).text


def test_what_is_past_the_limit_is_cut_and_counted() -> None:
    assert clean("x" * 100, 60) == Cleaned("x" * 60, 0, 40)
    assert clean("\u200b" * 50 + "x" * 100, 60) == Cleaned("x" * 60, 50, 40)
    assert clean("x" * 1000, 60) == Cleaned("x" * 60, 0, 940)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=200))
def test_clean_text_is_clean(text: str) -> None:
    once = clean(text)
    assert not hygiene._UNSEEN.search(once.text)
    assert "\r" not in once.text
    assert once.hidden >= 0
    once.text.encode()


PIECES = [
    "`", "``", "```", "~~~", "````", "```a`b", "~~~ `x", "\n", "\n\n", "\n", " ", "   ", "    ", "\t", "> ", "- ", "1. ", "\\", "<div>", "</div>",
    "<b>", "<pre>", "</pre>", "<script>", "<!--", "-->", "<!-->", "<?", "?>", "<!A", ">", "<![CDATA[", "]]>", "x", "[a]: #", "[a]:", "(", "'",
    "# h", "***", "===",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.sampled_from(["<!-- {} -->", "[a]: # ({})"]),
)
@settings(max_examples=500)
def test_what_a_reader_of_markdown_hides_is_gone_whatever_is_around_it(around: str, hiding: str) -> None:
    text = f"{around}\n{hiding.format('HIDDEN')}\n{around}"
    shown = re.sub(
        r"<!-->|<!--->|<!--.*?(-->|\Z)|<\?.*?(>|\Z)",
        "",
        MarkdownIt("commonmark").render(text),
        flags=re.DOTALL,
    )
    if "HIDDEN" not in shown:
        assert "HIDDEN" not in clean(text).text


HOSTILE = [
    "<!--", "<!-- ", "<!-->", "<!a", "<?", "<![CDATA[", "-->", "```\n", "~~~ ", "`", "[a]: b\n(", "[a]: #\n\"\n", "[", "[[",
    "[]", "[a]:", "[a](", "\x1b", "\x1b]", "\x1b[", "\x1bP", "\x1b[" + "1;" * 40, "\u200b", "\u203c\ufe0f\u200d", "\u203c\ufe0f",
    " ", "\n", "\r", ">", "> - ", "1.", "a", "<pre\n", "#1 ", "\ud800", "\\",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
def test_no_text_takes_long(unit: str) -> None:
    for text in ((unit * SIZE)[:SIZE], "[a]: " + (unit * SIZE)[:SIZE], "```" + (unit * SIZE)[:SIZE]):
        took = min(_took(lambda text=text: clean(text)) for _ in range(2))
        assert took < 0.25, f"{took:.3f} s"


SEARCHED = (
    "_ESCAPES",
    "_UNSEEN",
    "_WRITTEN",
    "_LINE_ENDS",
    "_MARK",
    "_USED",
)  # all over a text; others in a line
EXPRESSIONS = {
    name: value
    for module in (hygiene, markup)
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_expression_takes_long_on_any_text(name: str) -> None:
    for unit in HOSTILE:
        text = (unit * SIZE)[:SIZE]
        use = EXPRESSIONS[name].findall if name in SEARCHED else EXPRESSIONS[name].match
        took = min(_took(lambda text=text, use=use: use(text)) for _ in range(3))
        assert took < 0.05, f"{took:.3f} s for {unit!a}"


def _took(call: object) -> float:
    begin = time.process_time()
    call()  # type: ignore[operator]
    return time.process_time() - begin
