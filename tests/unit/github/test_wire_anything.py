"""Whatever a server says, it has a meaning: nothing raises, and nobody is told to ask at once or to wait for ever."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.forge.github.rates import rate
from shared.forge.github.wire import Broken, Data, Limited, Refusal, meaning, meaning_of_graphql

_NAMES = (
    *(
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-resource",
    ),
    *("content-type", "link", "etag", "location", "date", "x-github-sso", "x-accepted-github-permissions"),
    *("x-accepted-oauth-scopes", "x-oauth-scopes"),
)
_VALUES = st.one_of(
    st.text(max_size=60),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["0", "application/json", "text/html", '<https://x/?a>; rel="next"', "Tue, 19 Jul 2022 04:39:19 GMT"]
    ),
)
_HEADERS = st.dictionaries(st.sampled_from(_NAMES), _VALUES)
_KEYS = st.sampled_from(
    ["message", "errors", "data", "type", "code", "extensions", "field", "documentation_url", "x"]
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.sampled_from(["secondary rate limit", "RATE_LIMITED", "NOT_FOUND", "already_exists"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_BODIES = st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode())
_STATUSES = st.integers(200, 599)
_NOW = 1_700_000_000.0


@settings(max_examples=150, deadline=None)
@given(_STATUSES, _HEADERS, _BODIES, st.booleans())
def test_every_answer_has_a_meaning(status: int, told: dict[str, str], body: bytes, mutates: bool) -> None:
    for outcome in (
        meaning(status, told, body, _NOW),
        meaning_of_graphql(status, told, body, _NOW, mutates=mutates),
    ):
        match outcome:
            case Limited(delay):
                assert delay is None or (delay >= 1.0 and math.isfinite(delay))
            case Broken(_, delay):
                assert delay is None or (delay >= 1.0 and math.isfinite(delay))
            case Refusal():
                assert outcome.why
                assert len(outcome.why) <= 500
            case Data():
                assert 200 <= status < 300
    left = rate(told, _NOW)
    assert left is None or (left.remaining >= 0 and 0 <= left.reset <= 7200)


@settings(max_examples=60, deadline=None)
@given(_HEADERS, _BODIES)
def test_429_is_always_a_limit(told: dict[str, str], body: bytes) -> None:
    assert isinstance(meaning(429, told, body, _NOW), Limited)
