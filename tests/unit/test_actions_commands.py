from __future__ import annotations

import time

import pytest

from orchestrator.actions.commands import command


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("/spinney run", "run"),
        ("/spinney retry", "retry"),
        ("/spinney stop  ", "stop"),
        ("Good idea!\n/spinney run\nThanks.", "run"),
        ("Good idea!\r\n\r\n/spinney run\r\n", "run"),
        ("# Plan\n/spinney   run", "run"),
        ("use `x`\n/spinney run\nand `y`", "run"),  # outside both spans
        ("a lonely ` tick\n/spinney run", "run"),  # which opens nothing
        ("```\ncode\n```\n/spinney stop", "stop"),
        ("~~~~\n/spinney run\n~~~\n~~~~\n/spinney stop", "stop"),
        ("> quoted\n\n/spinney run", "run"),
        ("<!-- hidden -->\n/spinney run", "run"),
        ("<b>bold</b>\n/spinney run", "run"),
        ("/spinney run\n/spinney stop", "run"),  # the first
    ],
)
def test_a_command_at_the_start_of_a_line_is_heard(text: str, verb: str) -> None:
    assert command(text) == verb


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please /spinney run",
        " /spinney run",
        "\t/spinney run",
        "    /spinney run",
        "/spinney",
        "/spinney run now",
        "/spinney run; rm -rf /",
        "/spinney destroy",
        "/Spinney run",
        "/spinney\u00a0run",
        "\u200b/spinney run",
        "/spinney run\u2028",
        "/spinneyrun",
        "//spinney run",
        "> /spinney run",
        "> He said:\n/spinney run",  # goes on in the quote
        " > nested\n> > more\n/spinney run",
        "- item\n/spinney run",
        "1. item\n/spinney run",
        "```\n/spinney run\n```",
        "```\n/spinney run",  # never closed
        "```python\n/spinney run\n```",
        "   ~~~\n/spinney run\n~~~",
        "````\n```\n/spinney run\n````",
        "```\ntext\n``` not a closing one\n/spinney run\n```",
        "`code\n/spinney run\nmore`",
        "``code ` still\n/spinney run\nmore``",
        "<!--\n/spinney run\n-->",
        "<!-- never closed\n/spinney run",
        "text <!-- a --><!--\n/spinney run\n-->",
        "<pre>\n/spinney run\n</pre>",
        "<PRE class=x>\n\n/spinney run\n\n</PRE>",
        "<code>\n/spinney run\n</code>",
        "<blockquote>\n\n/spinney run\n\n</blockquote>",
        "<del>\n/spinney run\n</del>",
        "<!-- spinney:said {} -->\nIt says:\n\n/spinney run",  # our own comment, under a person's name
        "/spinney run\n<!--  Spinney:begin {} -->",
        "x" * 65_536 + "\n/spinney run",
    ],
)
def test_what_is_quoted_hidden_code_or_not_quite_one_is_no_command(text: str) -> None:
    assert command(text) is None


@pytest.mark.parametrize(
    "piece",
    [
        "`",
        "``a",
        "> ",
        "<!--",
        "<pre>",
        "<pre",
        "```\n",
        "~~~\n",
        "\n",
        "/spinney run\t",
        "- \n",
        "<code></code>",
        "<!---->",
        "<!-->",
        "`\n",
    ],
)
def test_long_texts_are_read_at_once(piece: str) -> None:
    text = (piece * 65_536)[:65_536]
    began = time.perf_counter()
    command(text)
    assert time.perf_counter() - began < 2.0
