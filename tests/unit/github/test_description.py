"""The cut descriptions, and what they say to requests and answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import validate_schema

from tests.support.github import answering, description, graph, payloads
from tests.support.github.asking import ROUTES, find_route
from tests.support.github.wanted import OPERATIONS

PULLS = "/repos/{owner}/{repo}/pulls"
HERE = Path(description.__file__).parent


def test_descriptions_are_small() -> None:
    assert (HERE / "openapi.json").stat().st_size < 700_000
    assert (HERE / "schema.graphql").stat().st_size < 300_000


def test_schema_is_valid() -> None:
    assert validate_schema(graph.schema()) == []


def test_every_route_is_described() -> None:
    assert answering.VERSIONS
    for route in ROUTES:
        problems = description.request_problems(route.method, route.template, {}, None)
        assert not any("is not described" in problem for problem in problems)


def test_every_operation_that_is_cut_is_served() -> None:
    whole, _ = description._description()
    described = {
        operation["operationId"]: (method.upper(), template)
        for template, operations in whole["paths"].items()
        for method, operation in operations.items()
    }
    assert set(described) == OPERATIONS
    served = {(route.method, route.template) for route in ROUTES}
    assert sorted(set(described.values()) - served) == []


@pytest.mark.parametrize(
    ("query", "body", "problem"),
    [
        ({}, {"title": "T", "head": "a", "base": "b"}, None),
        ({}, {"title": "T", "head": "a"}, '"base" is a required property'),
        ({}, {"title": "T", "head": "a", "base": "b", "labels": []}, "labels"),
        ({}, {"title": "T", "head": "a", "base": "b", "draft": "yes"}, "draft"),
        ({"expand": "1"}, {"title": "T", "head": "a", "base": "b"}, "no such query parameter: expand"),
        ({}, None, "it has no body"),
    ],
)
def test_request_is_held_against_the_description(
    query: dict[str, str], body: Any, problem: str | None
) -> None:
    problems = description.request_problems("POST", PULLS, query, body)
    assert len(problems) == (problem is not None)
    assert problem is None or problem in problems[0]


@pytest.mark.parametrize(
    ("query", "fine"),
    [
        ({"state": "all"}, True),
        ({"state": "some"}, False),
        ({"per_page": "100"}, True),
        ({"per_page": "x"}, False),
    ],
)
def test_query_is_held_against_the_description(query: dict[str, str], fine: bool) -> None:
    assert (description.request_problems("GET", PULLS, query, None) == []) is fine


def test_answer_is_held_against_the_description() -> None:
    assert description.answer_problems("PUT", PULLS + "/{pull_number}/merge", 200, {"merged": True})
    good = {"merged": True, "sha": "a", "message": "done"}
    assert description.answer_problems("PUT", PULLS + "/{pull_number}/merge", 200, good) == []
    assert description.answer_problems("PUT", PULLS + "/{pull_number}/merge", 418, good)


def test_most_literal_route_wins() -> None:
    found = find_route("GET", "/repos/a/b/commits/feature/x/check-runs")
    assert found is not None
    assert found[0].template == "/repos/{owner}/{repo}/commits/{ref}/check-runs"
    assert found[1]["ref"] == "feature/x"
    found = find_route("GET", "/repos/a/b/issues/comments")
    assert found is not None
    assert found[0].template == "/repos/{owner}/{repo}/issues/comments"


def test_recorded_events_say_what_happened() -> None:
    assert "issues.labeled" in payloads.names()
    for name in payloads.names():
        payload = payloads.recorded(name)
        assert payload["action"] == name.partition(".")[2]
        assert {"repository", "sender"} <= set(payload)
