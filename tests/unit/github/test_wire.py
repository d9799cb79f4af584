from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from shared.forge.github.wire import (
    VERSION,
    Broken,
    Data,
    Limited,
    Moved,
    NotModified,
    Outcome,
    Refusal,
    headers,
    meaning,
    meaning_of_graphql,
)

NOW = 1_700_000_000.0
JSON = {"content-type": "application/json; charset=utf-8"}
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
BLOCKED = "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later."
ABUSE = "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."
PRIMARY = "API rate limit exceeded for user ID 1."
RECORDED = json.loads((Path(__file__).parent.parent / "samples/github/recorded.json").read_text())["answers"]


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def means(status: int, body: object = None, told: dict[str, str] | None = None, now: float = NOW) -> Outcome:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return meaning(status, {**JSON, **(told or {})}, raw, now)


def recorded(scenario: str, status: int) -> list[tuple[dict[str, Any], Outcome]]:
    found = []
    for answer in RECORDED:
        if (answer["scenario"], answer["status"]) == (scenario, status):
            body = b"" if answer["body"] is None else json.dumps(answer["body"]).encode()
            found.append((answer, meaning(status, answer["headers"], body, NOW)))
    return found


# What all is well with


def test_every_request_says_which_version_of_the_api_it_means() -> None:
    sent = headers("secret", etag='W/"1"')
    assert sent == {
        "user-agent": "spinney",
        "accept": "application/vnd.github+json",
        "authorization": "Bearer secret",
        "x-github-api-version": VERSION,
        "if-none-match": 'W/"1"',
    }
    assert not {"authorization", "if-none-match"} & headers().keys()


def test_data_comes_with_the_next_page_and_its_etag() -> None:
    link = '<https://api.github.com/x?page=1>; rel="prev", <https://api.github.com/x?page=3>; rel="next"'
    told = {"link": link, "etag": 'W/"abc"'}
    assert means(200, [1, 2], told) == Data([1, 2], "https://api.github.com/x?page=3", 'W/"abc"')
    assert means(201, {"number": 1, "of tomorrow": {}}) == Data({"number": 1, "of tomorrow": {}})
    assert means(204) == Data(None)
    assert means(202, {}) == Data({})
    assert means(304) == NotModified()


def test_recorded_pages_lead_from_one_to_the_next() -> None:
    pages = recorded("paginate-issues", 200)
    assert len(pages) == 5
    for (_, outcome), (following, _) in itertools.pairwise(pages):
        assert isinstance(outcome, Data)
        assert outcome.next == f"https://api.github.com{following['path']}"
    last = pages[-1][1]
    assert isinstance(last, Data)
    assert last.next is None
    assert [issue["number"] for _, page in pages for issue in page.value] == [*range(13, 0, -1)]  # type: ignore[union-attr]


def test_recorded_renames_and_downloads_lead_elsewhere_and_what_was_made_does_not() -> None:
    for status in (301, 307):
        [(answer, outcome)] = recorded("rename-repository", status)
        assert outcome == Moved("https://api.github.com/repositories/515436299"), answer
    [(_, outcome)] = recorded("get-archive", 302)
    assert isinstance(outcome, Moved)
    assert outcome.url.startswith("https://codeload.github.com/")
    for _, made in recorded("create-status", 201):  # has a location as well
        assert isinstance(made, Data)
        assert made.value["state"] in ("failure", "success")


def test_recorded_errors_name_what_was_wrong() -> None:
    [(_, outcome)] = recorded("errors", 422)
    assert outcome == Refusal(422, "Validation Failed: color invalid", ("invalid",))
    [(_, outcome)] = recorded("release-assets-conflict", 422)
    assert outcome == Refusal(422, "Validation Failed: name already_exists", ("already_exists",))


# What GitHub refuses


def test_second_pull_request_of_a_branch_is_refused_in_githubs_words() -> None:
    body = {
        "message": "Validation Failed",
        "errors": [
            {
                "resource": "PullRequest",
                "code": "custom",
                "message": "A pull request already exists for o:spinney/issue-1.",
            }
        ],
        "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
        "status": "422",
    }
    assert means(422, body) == Refusal(
        422, "Validation Failed: A pull request already exists for o:spinney/issue-1.", ("custom",)
    )


@pytest.mark.parametrize(
    "errors",
    ["one string", ["of strings"], [None], [{"code": 3}], [[]], {"code": "x"}, [{"message": ["x"]}], 7],
)
def test_errors_of_any_form_are_a_refusal(errors: object) -> None:
    outcome = means(422, {"message": "Validation Failed", "errors": errors})
    assert isinstance(outcome, Refusal)
    assert outcome.why.startswith("Validation Failed")


@pytest.mark.parametrize("status", [400, 401, 404, 405, 409, 410, 415, 418, 422, 451, 499])
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"<html>no</html>", b"\xff\xfe", b'"x"', b'{"message": 3}']
)
def test_refusal_without_words_is_one_all_the_same(status: int, body: bytes) -> None:
    assert means(status, body) == Refusal(status, f"status {status}")


def test_refusal_hints_at_the_permission_that_is_missing() -> None:
    message = {"message": "Resource not accessible by integration"}
    told = {"x-accepted-github-permissions": "pull_requests=write"}
    assert means(403, message, told) == Refusal(
        403, message["message"], (), ("the token needs the permission pull_requests=write",)
    )
    scopes = {"x-accepted-oauth-scopes": "repo, public_repo", "x-oauth-scopes": "gist, read:org"}
    assert means(404, {"message": "Not Found"}, scopes).hints == (  # type: ignore[union-attr]
        "the token needs one of the scopes public_repo, repo",
    )
    assert means(404, {"message": "Not Found"}, {**scopes, "x-oauth-scopes": "gist, repo"}).hints == ()  # type: ignore[union-attr]
    sso = {"x-github-sso": "required; url=https://github.com/orgs/o/sso?x"}
    assert "single sign-on" in means(403, {"message": "no"}, sso).hints[0]  # type: ignore[union-attr]


def test_words_of_the_server_are_made_printable() -> None:
    outcome = means(404, {"message": "\x1b[31mNot\u202e Found\x00"})
    assert outcome == Refusal(404, "Not Found")


# Limits


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("told", "delay", "resource"),
    [
        ({"retry-after": "30"}, 30.0, ""),
        ({"retry-after": "0"}, 1.0, ""),
        (
            {"retry-after": "30", "x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 900:.0f}"},
            30.0,
            "",
        ),
        ({"retry-after": date(NOW + 90)}, 90.0, ""),
        ({"retry-after": date(NOW - 5)}, 1.0, ""),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 900:.0f}"}, 900.0, ""),
        (
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": f"{NOW + 900:.0f}",
                "x-ratelimit-resource": "graphql",
            },
            900.0,
            "graphql",
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW - 5:.0f}"}, 1.0, ""),
        # There is some left of the hour: it is another limit, of which nothing is told.
        ({"x-ratelimit-remaining": "4000", "x-ratelimit-reset": f"{NOW + 900:.0f}"}, None, ""),
        # What makes no sense says nothing; it is never taken for leave to ask at once.
        ({"retry-after": "-5"}, None, ""),
        ({"retry-after": "soon"}, None, ""),
        ({"retry-after": ""}, None, ""),
        ({"retry-after": "nan"}, None, ""),
        ({"retry-after": "inf"}, None, ""),
        ({"retry-after": "1e400"}, None, ""),
        ({"retry-after": date(0)}, None, ""),
        ({"retry-after": "Mon, 99 Foo 20xx"}, None, ""),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, None, ""),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "tomorrow"}, None, ""),
        ({"x-ratelimit-remaining": "0"}, None, ""),
        ({"retry-after": "x", "x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 9:.0f}"}, 9.0, ""),
        # It means it: whoever waits decides that this is too long.
        ({"retry-after": "1e9"}, 1e9, ""),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 1e9:.0f}"}, 1e9, ""),
    ],
)
def test_limit_says_how_long_or_nothing(
    status: int, told: dict[str, str], delay: float | None, resource: str
) -> None:
    assert means(status, {"message": SECONDARY}, told) == Limited(delay, SECONDARY, resource)


def test_waiting_times_are_those_of_the_servers_clock() -> None:
    ahead = NOW + 86_400
    told = {"date": date(ahead), "x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{ahead + 60:.0f}"}
    assert means(403, {"message": PRIMARY}, told) == Limited(60.0, PRIMARY)
    assert means(429, {}, {"date": date(ahead), "retry-after": date(ahead + 60)}) == Limited(
        60.0, "rate limit"
    )
    assert means(429, {}, {"date": "never", "retry-after": date(NOW + 60)}) == Limited(60.0, "rate limit")


@pytest.mark.parametrize("message", [SECONDARY, BLOCKED, ABUSE, PRIMARY])
def test_limit_is_known_by_its_words_where_no_header_tells(message: str) -> None:
    assert means(403, {"message": message}) == Limited(None, message)


def test_limit_is_known_by_the_page_it_points_to() -> None:
    page = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
    assert means(403, {"message": "Slow down.", "documentation_url": page}) == Limited(None, "Slow down.")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[1]"])
def test_429_is_a_limit_whatever_it_says(body: bytes) -> None:
    assert means(429, body) == Limited(None, "rate limit")


def test_ordinary_refusal_with_little_left_is_no_limit() -> None:
    told = {"x-ratelimit-remaining": "1", "x-ratelimit-reset": f"{NOW + 60:.0f}"}
    assert isinstance(means(403, {"message": "Resource not accessible by integration"}, told), Refusal)


# What is broken


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>hello</html>", {"content-type": "text/html"}),
        (b"{}", {"content-type": "text/plain"}),
        (b"{", {}),
        (b"\xff", {}),
        (b"{}", {"content-type": "application/json; charset=klingon"}),
        (b"[" * 100_000, {}),
        (b"[1]", {"link": "<" * 100_000}),
    ],
)
def test_answer_that_cannot_be_read_is_broken(body: bytes, told: dict[str, str]) -> None:
    assert isinstance(means(200, body, told), Broken)


def test_hostile_links_cost_no_time() -> None:
    began = time.perf_counter()
    for link in ("<" * 4096, "<a>; " * 800, '<a>; rel="' * 400, "<>;" + " " * 4000):
        assert means(200, [1], {"link": link}) == Data([1])
    assert time.perf_counter() - began < 2.0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 599])
def test_server_that_is_unwell_may_say_when_to_come_back(status: int) -> None:
    assert means(status, b"<html>") == Broken(f"status {status}")
    assert means(status, {"message": "Server Error"}, {"retry-after": "7"}) == Broken("Server Error", 7.0)
    assert means(status, {"message": "Server Error"}, {"retry-after": "-7"}) == Broken("Server Error")


def test_redirect_to_nowhere_is_broken() -> None:
    assert isinstance(means(302), Broken)
    assert means(302, told={"location": "/here"}) == Moved("/here")


# GraphQL


def asked(
    body: object, status: int = 200, told: dict[str, str] | None = None, *, mutates: bool = False
) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return meaning_of_graphql(status, {**JSON, **(told or {})}, raw, NOW, mutates=mutates)


def error(message: str, kind: str = "", **more: object) -> dict[str, object]:
    return {"message": message, **({"type": kind} if kind else {}), **more}


def test_parts_that_are_not_to_be_had_are_none_beside_those_that_are() -> None:
    data = {"repository": {"a": None, "b": {"number": 1}}}
    assert asked({"data": data}) == Data(data)
    missing = error(
        "Could not resolve to an Issue with the number of 9.", "NOT_FOUND", path=["repository", "a"]
    )
    assert asked({"data": data, "errors": [missing]}) == Data(data)


def test_question_about_what_is_not_there_is_answered_with_none() -> None:
    missing = error("Could not resolve to a Repository with the name 'o/r'.", "NOT_FOUND")
    assert asked({"data": {"repository": None}, "errors": [missing]}) == Data({"repository": None})


def test_change_that_was_refused_is_refused() -> None:
    refused = error("Pull request is in clean status", "UNPROCESSABLE")
    answer = {"data": {"enablePullRequestAutoMerge": None}, "errors": [refused]}
    assert asked(answer, mutates=True) == Refusal(200, "Pull request is in clean status", ("UNPROCESSABLE",))
    missing = {"data": {"x": None}, "errors": [error("no such id", "NOT_FOUND")]}
    assert asked(missing, mutates=True) == Refusal(200, "no such id", ("NOT_FOUND",))


def test_field_that_an_older_server_does_not_have_is_named() -> None:
    told = error(
        "Field 'blockedBy' doesn't exist on type 'Issue'",
        extensions={"code": "undefinedField", "typeName": "Issue", "fieldName": "blockedBy"},
    )
    assert asked({"errors": [told, told]}) == Refusal(
        200, "Field 'blockedBy' doesn't exist on type 'Issue'", ("undefinedField",)
    )


def test_token_without_the_right_is_refused() -> None:
    told = error("Resource not accessible by integration", "FORBIDDEN")
    assert asked({"data": {"repository": None}, "errors": [told]}) == Refusal(
        200, "Resource not accessible by integration", ("FORBIDDEN",)
    )


@pytest.mark.parametrize("kind", ["RATE_LIMITED", "RATE_LIMIT", ""])
def test_limit_inside_a_200_is_one(kind: str) -> None:
    told = {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": f"{NOW + 300:.0f}",
        "x-ratelimit-resource": "graphql",
    }
    answer = {"errors": [error("API rate limit exceeded for user ID 1.", kind)]}
    outcome = asked(answer, told=told)
    assert isinstance(outcome, Limited)
    assert (outcome.delay, outcome.resource) == (300.0, "graphql")
    assert "API rate limit exceeded for user ID 1." in outcome.why


@pytest.mark.parametrize("answer", [{"message": SECONDARY}, {"data": None, "errors": [error(SECONDARY)]}])
def test_secondary_limit_inside_a_200_is_one(answer: object) -> None:
    outcome = asked(answer, told={"retry-after": "60"})
    assert isinstance(outcome, Limited)
    assert outcome.delay == 60.0


def test_work_that_took_the_server_too_long_may_go_well_another_time() -> None:
    words = "Something went wrong while executing your query. Please include `1:2` when reporting this issue."
    assert asked({"data": None, "errors": [error(words)]}) == Broken(words)
    assert isinstance(asked({"errors": [error("no", "INTERNAL")]}), Broken)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b"null", b"{}", {"data": 3}, {"data": None}, {"errors": 3}]
)
def test_answer_that_is_none_of_graphql_is_broken(body: object) -> None:
    assert isinstance(asked(body), Broken)


def test_status_of_http_comes_first() -> None:
    assert asked({"message": "Bad credentials"}, 401) == Refusal(401, "Bad credentials")
    assert isinstance(asked({"message": SECONDARY}, 403), Limited)
    assert asked(b"<html>", 502) == Broken("status 502")
