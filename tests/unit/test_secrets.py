"""Values that are known by their digests alone, in every form in which they are usually smuggled."""

from __future__ import annotations

import base64
import json
import textwrap
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secrets import SHORTEST, digests, known, withheld

KEY = "sk-ant-api03-Zq8+vT/1" + "xR5_kW2-mN9pLs4d" * 5 + "Ab=="
DIGESTS = digests([KEY])


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f'API_KEY = "{KEY}"\n',
        KEY[::-1],
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        quote(KEY, safe=""),
        "".join(f"%{byte:02X}" for byte in KEY.encode()),
        "".join(f"%{byte:02x}" for byte in KEY.encode()),
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
        "\n".join(textwrap.wrap(base64.b64encode(f"x{KEY}yy".encode()).decode(), 76)),
        "\n".join(textwrap.wrap(KEY, 20)),
        json.dumps({"nested": [f"Bearer {KEY}"]}),
    ],
)
def test_value_is_found_in_every_usual_form(text: str) -> None:
    assert known(f"before {text} after", DIGESTS)
    assert known(f"before{text}after".encode(), DIGESTS)


def test_value_is_found_in_utf_16_and_in_binary_files() -> None:
    assert known(KEY.encode("utf-16"), DIGESTS)
    assert known(bytes(range(256)) + KEY.encode() + bytes(range(256)), DIGESTS)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_value_is_found_wherever_it_begins_in_what_was_encoded(before: bytes, after: bytes) -> None:
    assert known(base64.b64encode(before + KEY.encode() + after), DIGESTS)
    assert known(base64.urlsafe_b64encode(before + KEY.encode() + after), DIGESTS)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=SHORTEST, max_size=60), st.data())
def test_any_value_is_found_and_none_of_its_parts(value: str, data: st.DataObject) -> None:
    made = digests([value])
    assert known(f"a {value} b", made)
    cut = data.draw(st.integers(1, len(value) - 1))
    assert not known(value[:cut], digests([value + "!more-of-it"]))


@pytest.mark.parametrize("text", ["", "nothing here", KEY[:-1], KEY[1:], KEY.lower(), "sk-ant-api03-" * 50])
def test_what_only_resembles_it_is_no_find(text: str) -> None:
    assert not known(text, DIGESTS)


def test_value_too_short_to_be_a_secret_is_not_looked_for() -> None:
    assert digests(["", "pw", "1234567"]) == ()
    assert not known("pw 1234567", digests(["pw"]))


def test_digests_tell_neither_the_value_nor_more_than_two_bytes_of_a_form() -> None:
    told = " ".join(DIGESTS)
    assert not known(told, DIGESTS)
    assert not any(KEY[place : place + 4] in told for place in range(len(KEY) - 4))
    assert all(len(entry.split(":")[1]) == 4 for entry in DIGESTS)  # two bytes, in hexadecimal


@pytest.mark.parametrize("text", ["a" * 2**20, "sk-ant-a" * 2**17, "sk" * 2**19, KEY[:-1] * 10_000])
def test_a_megabyte_that_was_made_to_be_slow_is_looked_through_in_a_few_seconds(text: str) -> None:
    started = time.process_time()
    assert not known(text, DIGESTS)
    assert time.process_time() - started < 5


def test_text_that_holds_one_is_not_shown_at_all() -> None:
    assert withheld(f"I used {KEY}", DIGESTS) == "[not shown: it held a secret of this run]"
    assert withheld("I used a key", DIGESTS) == "I used a key"
