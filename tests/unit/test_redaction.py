"""Secrets do not get into what is kept, in whatever form they were carried on."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.recording.redaction import REDACTED, Redaction
from shared.callers import Caller, mint
from shared.model import AgentName, TaskId

SECRET = 'p@ss "w0rd"/0123+456789'
REDACT = Redaction([SECRET])


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET[::-1],
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_known_secret_goes_in_every_usual_form(form: str) -> None:
    kept = REDACT(f"before {form} after".encode()).decode()
    assert kept.startswith("before [redacted]")
    assert kept.endswith(" after")
    assert len(kept) < len("before [redacted] after") + 4  # base64 may leave characters of its neighbours


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_base64_of_something_around_a_secret_does_not_hold_it(before: bytes, after: bytes) -> None:
    kept = REDACT(base64.b64encode(before + SECRET.encode() + after))
    assert REDACTED.encode() in kept
    around = 4 * (len(before) + len(after)) // 3
    assert len(kept.replace(REDACTED.encode(), b"")) <= around + 6  # no whole byte of the secret


def test_tokens_and_keys_go_by_their_looks() -> None:
    token = mint("a-secret", Caller(TaskId("fix-a"), "work", AgentName("CODER")))
    key = "sk-ant-api03-" + "aB3_-" * 10
    assert Redaction()(f"x {token} y {key} z".encode()) == b"x [redacted] y [redacted] z"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdefghij0123456789", "Authorization: Bearer [redacted]"),
        ('"x-api-key": "abcdefghij0123456789"', '"x-api-key": "[redacted]"'),
        ("x-api-key=abcdefghij0123456789 rest", "x-api-key=[redacted] rest"),
        ("authorization: Basic", "authorization: Basic"),
    ],
)
def test_values_of_headers_go_wherever_they_stand(text: str, kept: str) -> None:
    assert Redaction()(text.encode()).decode() == kept


@pytest.mark.parametrize(
    "code",
    [
        "authorization = build_authorization_header(request)",
        'headers["x-api-key"] = settings.anthropic_key_setting',
        "class spinney-worktrees: pass",
        "sk-ant-…",
        "authorization: none",
    ],
)
def test_source_code_stays_as_it_is(code: str) -> None:
    assert Redaction()(code.encode()).decode() == code


def test_headers_that_carry_secrets_keep_only_their_names() -> None:
    headers = {"Authorization": "short", "x-api-key": "k", "set-cookie": "c", "x": SECRET, "y": "plain"}
    assert REDACT.headers(headers) == {
        "Authorization": REDACTED,
        "x-api-key": REDACTED,
        "set-cookie": REDACTED,
        "x": REDACTED,
        "y": "plain",
    }


def test_what_is_too_short_for_a_secret_is_not_looked_for() -> None:
    assert Redaction(["", "a", "ok"])(b"a book") == b"a book"


@given(st.binary(max_size=200))
def test_what_was_redacted_stays_as_it_is(data: bytes) -> None:
    assert REDACT(REDACT(data)) == REDACT(data)


@given(st.text(max_size=100))
def test_text_without_secrets_stays_as_it_is(text: str) -> None:
    if not re.search(r"(?i)authorization|key|token|spinney|sk-ant", text):
        assert REDACT.text(text) == text


def test_halves_of_characters_pass() -> None:
    assert REDACT.text(f"\ud83d {SECRET} \udc80") == "\ud83d [redacted] \udc80"
