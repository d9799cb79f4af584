from __future__ import annotations

import pytest

from shared.forge.github.rates import Rate, rate, server_time

NOW = 1_700_000_000.0
TOLD = {
    "x-ratelimit-limit": "5000",
    "x-ratelimit-remaining": "4987",
    "x-ratelimit-reset": f"{NOW + 1800:.0f}",
    "x-ratelimit-resource": "graphql",
}


def test_what_is_left_is_told_by_the_headers() -> None:
    assert rate(TOLD, NOW) == Rate("graphql", 4987, 1800.0, 5000)
    del (usual := dict(TOLD))["x-ratelimit-resource"]
    assert rate(usual, NOW) == Rate("core", 4987, 1800.0, 5000)
    assert rate(usual, NOW, "search") == Rate("search", 4987, 1800.0, 5000)


def test_time_is_that_of_the_server_where_it_tells_it() -> None:
    told = {**TOLD, "date": "Tue, 14 Nov 2023 22:43:20 GMT"}  # half an hour later than NOW
    assert server_time(told) == NOW + 1800
    assert rate(told, NOW) == Rate("graphql", 4987, 0.0, 5000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-ratelimit-remaining": "-1"},
        {"x-ratelimit-remaining": "many"},
        {"x-ratelimit-remaining": "1e12"},
        {"x-ratelimit-reset": "0"},
        {"x-ratelimit-reset": f"{NOW + 1e9:.0f}"},
        {"x-ratelimit-reset": "nan"},
        {"x-ratelimit-reset": ""},
    ],
)
def test_what_makes_no_sense_says_nothing(wrong: dict[str, str]) -> None:
    assert rate({**TOLD, **wrong}, NOW) is None
    for name in ("x-ratelimit-remaining", "x-ratelimit-reset"):
        assert rate({key: value for key, value in TOLD.items() if key != name}, NOW) is None


def test_limit_that_makes_no_sense_is_not_known() -> None:
    assert rate({**TOLD, "x-ratelimit-limit": "-5"}, NOW) == Rate("graphql", 4987, 1800.0, 0)
