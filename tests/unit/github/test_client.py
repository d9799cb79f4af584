from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from shared.clock import ManualClock
from shared.errors import Interrupted
from shared.forge.github.addresses import host_named
from shared.forge.github.cache import Cache
from shared.forge.github.client import Client
from shared.forge.github.errors import AnswerLost, Refused, Unreachable
from shared.forge.github.transport import UNPROVEN, Lost, NotSent, Raw
from tests.support.github_script import TOKEN, Scripted, raw, scripted

START = ManualClock().now()
SECONDARY = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
}
ENTERPRISE = host_named("git.example.org")


def http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(START + seconds, UTC), usegmt=True)


def get(client: Client) -> object:
    return client.get("/x")


def write(client: Client) -> object:
    return client.send("POST", "/x", {}, creates=True)


def ask(client: Client) -> object:
    return client.graphql("{x}", {})


def change(client: Client) -> object:
    return client.graphql("mutation {x}", {}, mutates=True)


CALLS = (get, write, ask, change)
QUESTIONS = (get, ask)
CHANGES = (write, change)
GOOD = raw(200, {"data": {"x": 1}})


# What is sent


def test_question_says_who_asks_and_for_which_version() -> None:
    it = scripted([raw(200, {"number": 1})])
    assert it.client.get("/repos/o/r", state="open", page=2) == {"number": 1}
    [request] = it.script.requests
    assert (request.method, request.url) == ("GET", "https://api.github.com/repos/o/r?state=open&page=2")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["x-github-api-version"] == "2026-03-10"


OLD = raw(400, {"message": "API version 2026-03-10 is not supported"})


def versions(it: Scripted) -> list[str]:
    return [request.headers["x-github-api-version"] for request in it.script.requests]


@pytest.mark.parametrize("call", CALLS)
def test_server_that_does_not_know_the_version_is_asked_in_an_older_one_from_then_on(
    call: Callable[[Client], object],
) -> None:
    it = scripted([OLD, GOOD, GOOD], host=ENTERPRISE)
    call(it.client)
    get(it.client)
    assert versions(it) == ["2026-03-10", "2022-11-28", "2022-11-28"]


def test_request_that_is_wrong_in_every_version_changes_none() -> None:
    wrong = raw(400, {"message": "Problems parsing JSON"})
    it = scripted([wrong, wrong, GOOD, OLD], host=ENTERPRISE)
    with pytest.raises(Refused, match="parsing JSON"):
        write(it.client)
    get(it.client)
    with pytest.raises(Refused, match="not supported"):  # it knew the version a moment ago
        get(it.client)
    assert versions(it) == ["2026-03-10", "2022-11-28", "2026-03-10", "2026-03-10"]


@pytest.mark.parametrize("name", ["github.com", "acme.ghe.com"])
def test_githubs_own_servers_are_asked_in_one_version_only(name: str) -> None:
    it = scripted([OLD], host=host_named(name))
    with pytest.raises(Refused):
        get(it.client)
    assert versions(it) == ["2026-03-10"]


def test_change_is_sent_as_json_and_one_without_a_body_without() -> None:
    it = scripted([raw(201, {"id": 7}), raw(204)])
    assert it.client.send("POST", "/x", {"title": "ä"}, creates=True) == {"id": 7}
    assert it.client.send("DELETE", "/x/7") is None
    first, second = it.script.requests
    assert json.loads(first.content) == {"title": "ä"}
    assert first.headers["content-type"] == "application/json"
    assert second.content == b""
    assert "content-type" not in second.headers


def test_graphql_goes_where_the_host_has_it() -> None:
    it = scripted([raw(200, {"data": {"viewer": None}})], host=ENTERPRISE)
    assert it.client.graphql("query($a: Int!) {x}", {"a": 1}) == {"viewer": None}
    [request] = it.script.requests
    assert (request.method, request.url) == ("POST", "https://git.example.org/api/graphql")
    assert json.loads(request.content) == {"query": "query($a: Int!) {x}", "variables": {"a": 1}}


def test_calls_are_counted_by_kind() -> None:
    cache = Cache()
    it = scripted([raw(200, [], etag='"1"'), raw(304), GOOD, raw(201, {}), GOOD], cache=cache)
    for call in (get, get, ask, write, change):
        call(it.client)
    assert it.client.calls == {"GET": 2, "304": 1, "graphql": 2, "POST": 1}


def test_token_is_shown_by_nothing() -> None:
    it = scripted([raw(401, {"message": "Bad credentials"}), raw(404, {"message": "Not Found"}), Lost("cut")])
    errors = []
    for call in (get, ask, write):
        with pytest.raises((Refused, AnswerLost)) as caught:
            call(it.client)
        errors.append((caught.value.message, caught.value.hints))
    assert TOKEN not in repr((it.client, it.client.auth, errors))
    assert errors[0][0] == "GitHub does not accept the token of $GITHUB_TOKEN: Bad credentials"


# Pages and redirects


def test_pages_are_asked_for_when_they_are_needed() -> None:
    link = '<https://api.github.com/repositories/1/issues?page={}>; rel="next"'
    it = scripted(
        [raw(200, [1, 2], link=link.format(2)), raw(200, [3, 4], link=link.format(3)), raw(200, [5])]
    )
    items = it.client.pages("/repos/o/r/issues", state="open")
    assert list(itertools.islice(items, 2)) == [1, 2]
    assert len(it.script.requests) == 1
    assert list(items) == [3, 4, 5]
    assert [request.url.partition(".com")[2] for request in it.script.requests] == [
        "/repos/o/r/issues?per_page=100&state=open",
        "/repositories/1/issues?page=2",
        "/repositories/1/issues?page=3",
    ]


def test_items_that_come_with_their_count_are_items_too() -> None:
    it = scripted(
        [raw(200, {"total_count": 2, "check_runs": [1, 2]}), raw(200, {"message": "odd"}), raw(200, None)]
    )
    assert list(it.client.pages("/a")) == [1, 2]
    assert list(it.client.pages("/b")) == []


def test_pages_that_lead_in_a_circle_are_an_error() -> None:
    link = '<https://api.github.com/x?per_page=100>; rel="next"'
    it = scripted([raw(200, [1], link=link)])
    with pytest.raises(Unreachable, match="lead back"):
        list(it.client.pages("/x"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_question_follows_a_redirect_on_its_host(status: int) -> None:
    it = scripted([raw(status, {}, location="/repositories/1"), raw(200, {"id": 1})])
    assert it.client.get("/repos/old/name") == {"id": 1}
    assert it.script.requests[1].url == "https://api.github.com/repositories/1"
    assert it.script.requests[1].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "where",
    [
        "https://example.org/x",
        "http://api.github.com/x",
        "//example.org/x",
        "https://api.github.com.example.org/x",
        "https://api.github.com:444/x",
        "https://api.github.com@example.org/x",
        "file:///etc/passwd",
        "https://api.github.com:port/x",
    ],
)
def test_token_follows_to_no_other_host(where: str) -> None:
    it = scripted([raw(302, {}, location=where), raw(200, [1], link=f'<{where}>; rel="next"')])
    with pytest.raises(Refused, match="the token does not go there"):
        it.client.get("/x")
    with pytest.raises(Refused, match="the token does not go there"):
        list(it.client.pages("/x"))
    assert len(it.script.requests) == 2


@pytest.mark.parametrize("where", ["http://[::1", "https://[x]/", "//[", "https://a\u2100b/"])
def test_address_without_sense_is_followed_by_nobody(where: str) -> None:
    it = scripted(
        [
            raw(302, {}, location=where),
            raw(200, [1], link=f'<{where}>; rel="next"'),
            raw(302, {}, location=where),
        ]
    )
    with pytest.raises(Refused):
        it.client.get("/x")
    with pytest.raises(Refused):
        list(it.client.pages("/x"))
    with pytest.raises(Refused):
        it.client.download("/x", limit=1)


def test_redirects_without_end_are_given_up() -> None:
    it = scripted([raw(302, {}, location=f"/{n}") for n in range(20)])
    with pytest.raises(Refused, match="again and again"):
        it.client.get("/x")
    assert len(it.script.requests) == 5


@pytest.mark.parametrize("call", [write, ask, change])
def test_nothing_but_a_question_follows(call: Callable[[Client], object]) -> None:
    it = scripted(
        [raw(307, {"message": "Moved Permanently"}, location="https://api.github.com/repositories/1")]
    )
    with pytest.raises(Refused) as caught:
        call(it.client)
    assert caught.value.status == 307
    assert len(it.script.requests) == 1


# Downloads


def test_download_goes_to_another_host_without_the_token() -> None:
    signed = "https://logs.example.org/1?sig=secret"
    it = scripted([raw(302, None, location=signed), raw(200, b"one\ntwo\nthree")])
    assert it.client.download("/repos/o/r/actions/jobs/1/logs", limit=5) == b"three"
    ours, theirs = it.script.requests
    assert ours.headers["authorization"] == f"Bearer {TOKEN}"
    assert theirs.url == signed
    assert theirs.headers == {"user-agent": "spinney"}
    assert it.client.calls == {"GET": 1}  # what others count is not GitHub's


def test_download_may_come_from_the_server_itself() -> None:
    it = scripted([raw(200, b"log", content_type="text/plain")])
    assert it.client.download("/x", limit=100) == b"log"


def test_download_is_never_unencrypted() -> None:
    for where in ("http://logs.example.org/1", "ftp://logs.example.org/1", "http://127.0.0.1/1"):
        it = scripted([raw(302, None, location=where)])
        with pytest.raises(Refused, match="anybody could read along"):
            it.client.download("/x", limit=5)


def test_download_that_is_gone_is_refused_without_its_signature() -> None:
    it = scripted([raw(302, None, location="https://logs.example.org/1?sig=secret"), raw(404, b"gone")])
    with pytest.raises(Refused) as caught:
        it.client.download("/x", limit=5)
    assert caught.value.status == 404
    assert "secret" not in caught.value.message


def test_download_on_another_host_is_tried_again() -> None:
    it = scripted(
        [raw(302, None, location="https://logs.example.org/1"), raw(503), NotSent("no"), raw(200, b"x")]
    )
    assert it.client.download("/x", limit=5) == b"x"


# What has not changed


def test_what_has_not_changed_comes_from_the_cache() -> None:
    link = '<https://api.github.com/x?page=2>; rel="next"'
    it = scripted(
        [raw(200, [1], etag='"a"', link=link), raw(200, [2], etag='"b"'), raw(304), raw(304), raw(200, [3])]
    )
    assert list(it.client.pages("/x")) == [1, 2]
    assert list(it.client.pages("/x")) == [1, 2]
    assert [request.headers.get("if-none-match") for request in it.script.requests] == [
        None,
        None,
        '"a"',
        '"b"',
    ]


def test_what_was_kept_is_changed_by_nobody_who_got_it() -> None:
    it = scripted([raw(200, {"a": []}, etag='"a"'), raw(304), raw(304)])
    for _ in range(3):
        got = it.client.get("/x")
        assert got == {"a": []}
        got["a"].append(1)


@pytest.mark.parametrize("etag", ["\xe4", "a\nb", "x" * 300])
def test_etag_that_cannot_be_sent_back_is_none(etag: str) -> None:
    it = scripted([raw(200, 1, etag=etag), raw(200, 2)])
    assert [get(it.client), get(it.client)] == [1, 2]
    assert "if-none-match" not in it.script.requests[1].headers


def test_server_that_did_not_change_what_was_not_asked_about_is_not_believed() -> None:
    with pytest.raises(Unreachable):
        get(scripted([raw(304)]).client)


# Failures


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize(
    "failure", [raw(500), raw(502), raw(503), raw(504, b"<html>"), raw(200, b"{"), Lost("cut"), NotSent("no")]
)
def test_question_is_asked_again(call: Callable[[Client], object], failure: Raw | Exception) -> None:
    it = scripted([failure, failure, GOOD])
    assert call(it.client)
    first, second, third = it.script.times
    assert 0.75 <= second - first <= 1.1
    assert 1.5 <= third - second <= 2.1


@pytest.mark.parametrize("call", QUESTIONS)
def test_question_that_is_never_answered_is_given_up(call: Callable[[Client], object]) -> None:
    it = scripted([raw(502)] * 9)
    with pytest.raises(Unreachable) as caught:
        call(it.client)
    assert caught.value.message == "GitHub at github.com is not to be reached: status 502"
    assert caught.value.hints
    assert len(it.script.requests) == 5


@pytest.mark.parametrize("call", CHANGES)
@pytest.mark.parametrize(
    "failure",
    [
        raw(500),
        raw(502),
        raw(504, b"<html>"),
        raw(201, b"{"),
        raw(200, b"<a>", content_type="text/html"),
        Lost("cut"),
    ],
)
def test_change_that_may_have_been_done_is_not_sent_again(
    call: Callable[[Client], object], failure: Raw | Exception
) -> None:
    it = scripted([failure, GOOD])
    with pytest.raises(AnswerLost, match="it may or may not have been done"):
        call(it.client)
    assert len(it.script.requests) == 1


@pytest.mark.parametrize("call", CHANGES)
@pytest.mark.parametrize(
    "failure", [NotSent("connection refused"), raw(403, SECONDARY, retry_after="5"), raw(429)]
)
def test_change_that_surely_was_not_done_is_sent_again(
    call: Callable[[Client], object], failure: Raw | Exception
) -> None:
    it = scripted([failure, GOOD])
    call(it.client)
    assert len(it.script.requests) == 2


@pytest.mark.parametrize("call", CALLS)
def test_network_that_is_not_there_is_told_in_words(call: Callable[[Client], object]) -> None:
    it = scripted([NotSent("its name is not known")] * 9)
    with pytest.raises(Unreachable, match="is not to be reached: its name is not known"):
        call(it.client)


@pytest.mark.parametrize("call", CALLS)
def test_refusal_is_not_argued_with(call: Callable[[Client], object]) -> None:
    it = scripted(
        [raw(422, {"message": "Validation Failed", "errors": [{"code": "invalid", "field": "head"}]})]
    )
    with pytest.raises(Refused) as caught:
        call(it.client)
    assert (caught.value.status, caught.value.codes) == (422, ("invalid",))
    assert caught.value.message.endswith(": Validation Failed: head invalid")


def test_server_that_nobody_vouches_for_comes_with_its_own_advice() -> None:
    it = scripted([NotSent(UNPROVEN)] * 9, host=ENTERPRISE)
    with pytest.raises(Unreachable) as caught:
        get(it.client)
    assert "export SSL_CERT_FILE=…" in caught.value.hints[0]


def test_server_may_say_when_it_will_be_well() -> None:
    it = scripted([raw(503, {}, retry_after="100"), GOOD])
    get(it.client)
    assert 100.0 <= it.script.times[1] <= 102.0


# Limits (R20): nothing is sent before its time, and little later


def reset(seconds: float) -> dict[str, str]:
    return {"x_ratelimit_remaining": "0", "x_ratelimit_reset": f"{START + seconds:.0f}"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("told", "due"),
    [
        ({"retry_after": "30"}, 30),
        ({"retry_after": "0"}, 1),
        ({"retry_after": http_date(90)}, 90),
        (reset(900), 900),
        (reset(3600), 3600),
        ({}, 60),
        ({"retry_after": "-5"}, 60),
        ({"retry_after": "soon"}, 60),
        ({"retry_after": "nan", **reset(120)}, 120),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "0"}, 60),
        ({"x_ratelimit_remaining": "4000", "x_ratelimit_reset": f"{START + 900:.0f}"}, 60),
    ],
)
def test_limit_is_waited_for_to_the_moment(
    call: Callable[[Client], object], status: int, told: dict[str, str], due: float
) -> None:
    it = scripted([raw(status, SECONDARY, **told), GOOD])
    call(it.client)
    assert due <= it.script.times[1] <= 1.1 * due


def test_waits_for_a_limit_of_unknown_length_are_twice_as_long_each_time() -> None:
    it = scripted([*[raw(403, SECONDARY)] * 4, GOOD])
    get(it.client)
    assert it.script.times == [0, 60, 180, 420, 900]


def test_wait_is_told_with_its_end_and_its_reason() -> None:
    it = scripted([raw(403, SECONDARY, retry_after="30"), GOOD])
    get(it.client)
    begun, ended = it.told
    assert begun is not None
    assert begun.until == START + 30
    assert str(begun).startswith(f"waits for GitHub ({SECONDARY['message']}) until ")
    assert ended is None


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "told", [{"retry_after": "1e9"}, {"retry_after": "4000"}, reset(1e9), {"retry_after": "1e300"}]
)
def test_nobody_waits_for_more_than_an_hour(call: Callable[[Client], object], told: dict[str, str]) -> None:
    it = scripted([raw(429, SECONDARY, **told)])
    with pytest.raises(Unreachable, match="asks not to be asked before "):
        call(it.client)
    for _ in range(2):  # and nobody else asks before that either
        with pytest.raises(Unreachable):
            call(it.client)
    assert it.script.times == [0]


def test_server_that_is_unwell_for_years_is_not_waited_for() -> None:
    with pytest.raises(Unreachable, match="to be left alone for 277778 hours"):
        get(scripted([raw(503, {}, retry_after="1e9")]).client)


def test_limit_that_does_not_end_is_an_error_in_the_end() -> None:
    for told in ({}, {"retry_after": "1"}, {"retry_after": "600"}):
        it = scripted([raw(403, SECONDARY, **told)] * 100)
        with pytest.raises(Unreachable):
            get(it.client)
        assert it.clock.now() - START <= 2 * 3660
        assert len(it.script.requests) <= 30


def test_of_two_limits_the_later_one_is_waited_for() -> None:
    it = scripted([raw(403, SECONDARY, retry_after="30", **reset(900)), GOOD])
    get(it.client)
    assert it.script.times == [0, 900]


def test_used_up_hour_of_graphql_does_not_stop_the_rest() -> None:
    used_up = raw(403, {"message": "API rate limit exceeded."}, **reset(900), x_ratelimit_resource="graphql")
    it = scripted([used_up, GOOD, GOOD, GOOD])
    ask(it.client)
    assert it.script.times == [0, 900]
    it = scripted([raw(200, {"data": {"x": 1}}, **reset(900), x_ratelimit_resource="graphql"), GOOD, GOOD])
    ask(it.client)
    get(it.client)
    ask(it.client)
    assert it.script.times == [0, 0, 900]


def test_headers_of_good_answers_are_heeded_before_github_has_to_refuse() -> None:
    it = scripted([raw(200, {}, **reset(600)), GOOD])
    get(it.client)
    get(it.client)
    assert it.script.times == [0, 600]


def test_eighty_first_creation_of_a_minute_waits_by_itself() -> None:
    it = scripted([raw(201, {})] * 81)
    for _ in range(81):
        write(it.client)
    assert it.script.times[79] == 0
    assert 60 <= it.script.times[80] <= 66
    assert it.told[0] is not None
    assert it.told[0].why == "80 creations a minute"


def test_clocks_that_differ_change_no_wait() -> None:
    ahead = 86_400
    told = {
        "x_ratelimit_remaining": "0",
        "x_ratelimit_reset": f"{START + ahead + 60:.0f}",
        "date": http_date(ahead),
    }
    it = scripted([raw(403, {"message": "API rate limit exceeded"}, **told), GOOD])
    get(it.client)
    assert it.script.times == [0, 60]
    assert it.client.now() == START + ahead + 60


def test_stopped_run_does_not_wait() -> None:
    it = scripted([raw(403, SECONDARY, retry_after="600"), GOOD])
    it.when_told = it.stop.set
    with pytest.raises(Interrupted):
        get(it.client)
    assert it.clock.now() - START < 2
    with pytest.raises(Interrupted):
        write(it.client)
    assert it.script.times == [0]


@pytest.mark.parametrize("call", CHANGES)
def test_what_may_be_changed_no_more_after_a_wait_is_not_sent(call: Callable[[Client], object]) -> None:
    def check() -> None:
        if it.clock.now() - START > 30:
            raise Interrupted("another run has taken over")

    it = scripted([raw(403, SECONDARY, retry_after="60"), GOOD], check=check)
    with pytest.raises(Interrupted, match="taken over"):
        call(it.client)
    ask(it.client)  # looking is free
    assert it.script.times == [0, 60]


def test_stopped_run_tries_nothing_again() -> None:
    def stopping() -> Raw:
        it.stop.set()
        return raw(502)

    it = scripted([stopping, GOOD])
    with pytest.raises(Interrupted):
        get(it.client)
    assert it.script.times == [0]
