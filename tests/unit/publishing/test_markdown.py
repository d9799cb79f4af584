"""Text of strangers in Markdown of ours: nobody is told, nothing is closed, loaded or carried out."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.publishing.markdown import code, inline, prose, quoted
from shared.mentions import unlinked


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("thanks @ada", "thanks `@ada`"),
        ("ask @ada/reviewers.", "ask `@ada/reviewers.`"),
        ("mail ada@example.com", "mail ada@example.com"),
        ("_@ada_", "_`@ada_`"),
        ("\\@ada", "\\\\`@ada`"),
        ("&#64;ada", "&amp;`#64`;ada"),
        ("`@pytest.fixture` stays", "`@pytest.fixture` stays"),
        ("`half open @ada", "\\`half open `@ada`"),
        ("@a``code``", "`@a` ``code``"),
        ("fixes #7", "fixes `#7`"),
        ("Closes: ada/engine#7", "Closes: `ada/engine#7`"),
        ("resolve gh-7", "resolve `gh-7`"),
        ("fixes https://github.com/a/b/issues/7", "fixes `https://github.com/a/b/issues/7`"),
        ("see https://example.com/a", "see https://example.com/a"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("<!-- spinney-task:x -->", "&lt;!-- spinney-task:x -->"),
        ("![a](https://e/x.png)", "!\\[a\\](https://e/x.png)"),
        ("a < b && c", "a &lt; b &amp;&amp; c"),
        ("zero\u200bwidth\u202e", "zerowidth"),
    ],
)
def test_line_is_made_harmless(text: str, safe: str) -> None:
    assert prose(text, 1000) == safe


def test_block_of_code_keeps_its_form_between_fences_of_ours() -> None:
    text = "before\n~~~ python\n@decorator\n```\nfixes #1\n~~~\nafter @ada"
    assert prose(text, 1000) == "before\n````python\n@decorator\n```\nfixes #1\n````\nafter `@ada`"


def test_block_that_is_cut_off_is_closed() -> None:
    assert prose("```\ncode", 1000) == "```\ncode\n```"


def test_fence_inside_a_list_opens_nothing() -> None:
    assert prose("- ~~~\n- ```", 1000) == "- \\~\\~\\~\n- \\`\\`\\`"


def test_quotation_holds_every_line() -> None:
    assert quoted("# Big\n\n```\nx\n```", 1000) == "> # Big\n>\n> ```\n> x\n> ```"


def test_cell_of_a_table_is_one_line_without_an_edge() -> None:
    assert inline("a | b\n| c @ada", 100) == "a \\| b \\| c `@ada`"
    assert len(inline("x" * 1000, 100)) == 100


def test_code_holds_any_backticks() -> None:
    assert (code("plain"), code("a`b"), code("`x`")) == ("`plain`", "``a`b``", "`` `x` ``")


_SPAN = re.compile(r"(?<!\\)(?:\\\\)*(`+)(?!`)(.*?)(?<!`)\1(?!`)")


@given(st.text(alphabet="`~\\@a#7 \n|<&[]!_*-", max_size=60))
def test_no_name_and_no_number_is_left_outside_code(text: str) -> None:
    for line in _outside_blocks(prose(text, 1000)):
        bare = _SPAN.sub("", line)
        assert not re.search(r"(?<![A-Za-z0-9])@[a]", bare), (text, line)
        assert "#7" not in bare, (text, line)


def _outside_blocks(text: str) -> list[str]:
    """Lines outside blocks of code, told as CommonMark tells them."""
    found, fence = [], ""
    for line in text.split("\n"):
        opened = re.match(r" {0,3}(`{3,}|~{3,})([^`]*)$", line)
        if fence:
            if opened and opened[1][0] == fence[0] and len(opened[1]) >= len(fence) and not opened[2].strip():
                fence = ""
        elif opened:
            fence = opened[1]
        else:
            found.append(line)
    assert not fence
    return found


@pytest.mark.parametrize("piece", ["`", "~", "@a", "#1", "\\", "a/", "`a``b", "https://a/issues/1", "-", "<"])
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (65_536 // len(piece))
    started = time.perf_counter()
    prose(text, 4000)
    inline(text, 400)
    unlinked(text[:300])
    assert time.perf_counter() - started < 0.5
