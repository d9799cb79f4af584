from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.rules.outcomes import (
    LONGEST,
    Answered,
    BadKey,
    ClientFault,
    Limited,
    Outcome,
    Rate,
    SpendLimit,
    Transient,
    error_event,
    meaning,
    rates,
    retry_after,
)

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def error(kind: str = "api_error", message: str = "why", **more: object) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message, **more}}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body", "outcome"),
    [
        (200, {}, b"", Answered()),
        (429, {"retry-after": "171"}, error(), Limited(171.0, "rate limit: why")),
        (429, {"retry-after": "0"}, error(), Limited(1.0, "rate limit: why")),
        (429, {"retry-after": "-5"}, error(), Limited(1.0, "rate limit: why")),
        (429, {"retry-after": "soon"}, error(), Limited(60.0, "rate limit: why")),
        (429, {"retry-after": "nan"}, error(), Limited(60.0, "rate limit: why")),
        (429, {"retry-after": "1e9"}, error(), SpendLimit("why (it asks to wait for 11574 days)")),
        (429, {}, error(), SpendLimit("why")),
        (429, {}, b"<html>", SpendLimit("status 429")),
        (
            429,
            {"retry-after": "5"},
            error("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
            SpendLimit("why"),
        ),
        (402, {}, error("billing_error"), SpendLimit("why")),
        (400, {}, error("billing_error"), SpendLimit("why")),
        (
            400,
            {},
            error("invalid_request_error", "Your credit balance is too low to access the API."),
            SpendLimit("Your credit balance is too low to access the API."),
        ),
        (
            400,
            {},
            error("invalid_request_error", "You have reached your specified API usage limits."),
            SpendLimit("You have reached your specified API usage limits."),
        ),
        (401, {}, error("authentication_error"), BadKey("why")),
        (403, {}, error("permission_error"), BadKey("why", sure=False)),
        (529, {}, error("overloaded_error"), Transient("why")),
        (529, {"retry-after": "7"}, error(), Transient("why", 7.0)),
        (529, {"retry-after": "1e9"}, error(), ClientFault("why (it asks to wait for 11574 days)")),
        (500, {}, b"", Transient("status 500")),
        (408, {}, error(), Transient("why")),
        (409, {}, error(), Transient("why")),
        (500, {"x-should-retry": "false"}, error(), ClientFault("why")),
        (400, {"x-should-retry": "true"}, error(), Transient("why")),
        (400, {}, error("invalid_request_error"), ClientFault("why")),
        (404, {}, b"[1]", ClientFault("status 404")),
        (413, {}, b'{"error": "text"}', ClientFault("status 413")),
        (
            302,
            {"location": "http://elsewhere.invalid"},
            b"",
            ClientFault("the server redirects to another address; the key does not go there"),
        ),
    ],
)
def test_answer_means(status: int, headers: dict[str, str], body: bytes, outcome: Outcome) -> None:
    assert meaning(status, headers, body, NOW) == outcome


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "171"}, 171.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "junk", "retry-after": "9"}, 9.0),
        ({"retry-after": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"retry-after": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"retry-after": ""}, 60.0),
    ],
)
def test_wish_to_wait_is_read_as(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_date_to_wait_for_is_taken_by_the_clock_of_who_said_it() -> None:
    theirs = NOW + 86_400
    headers = {"retry-after": formatdate(theirs + 30, usegmt=True), "date": formatdate(theirs, usegmt=True)}
    assert retry_after(headers, NOW) == 30.0


def test_agent_cannot_make_the_server_speak_of_the_accounts_money() -> None:
    words = "Your credit balance is too low"
    told = error("invalid_request_error", f"{words}: Extra inputs are not permitted")
    asked = json.dumps({words: 1}).encode()
    assert meaning(400, {}, told, NOW, asked) == ClientFault(f"{words}: Extra inputs are not permitted")


def test_rate_limit_without_a_wish_lasts_until_what_is_used_up_is_there_again() -> None:
    headers = {
        "anthropic-ratelimit-requests-remaining": "3",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:14:20Z",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:50Z",
    }
    assert meaning(429, headers, error(), NOW) == Limited(30.0, "rate limit: why")


def test_what_is_left_is_read_from_headers_and_what_is_unreadable_is_left_out() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:21Z",
        "anthropic-ratelimit-tokens-remaining": "many",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:21Z",
        "anthropic-ratelimit-input-tokens-remaining": "-4",
        "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:10Z",
        "anthropic-ratelimit-output-tokens-remaining": "8",
        "anthropic-ratelimit-output-tokens-reset": "9999-01-01T00:00:00Z",
    }
    assert rates(headers, NOW) == {"requests": Rate(49, 1.0, 50), "input-tokens": Rate(0, 0.0)}


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("overloaded_error", Transient("why")),
        ("api_error", Transient("why")),
        ("rate_limit_error", Transient("why")),
        ("billing_error", SpendLimit("why")),
        ("authentication_error", BadKey("why")),
        ("invalid_request_error", ClientFault("why")),
    ],
)
def test_error_at_the_beginning_of_a_stream_means(kind: str, outcome: Outcome) -> None:
    assert error_event(kind, "why") == outcome


@given(
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "retry-after-ms", "date", "x-should-retry", "anthropic-ratelimit-tokens-reset"]
        ),
        st.text(max_size=40)
        | st.floats().map(str)
        | st.sampled_from(["Mon, 99 Foo 2023 25:00:00 GMT", "1e400"]),
    ),
    st.binary(max_size=60),
)
def test_every_answer_means_something_and_no_wait_is_longer_than_limits_last(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    outcome = meaning(status, headers, body, NOW)
    if isinstance(outcome, Limited):
        assert 1.0 <= outcome.delay <= LONGEST
    if isinstance(outcome, Transient) and outcome.delay is not None:
        assert 1.0 <= outcome.delay <= LONGEST
