"""The gateway between real SDK clients and a real server on loopback."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import pytest

from orchestrator.gateway import server
from orchestrator.gateway.answers import Question
from orchestrator.gateway.gateway import Gateway, upstream
from orchestrator.gateway.rules import refusals
from orchestrator.gateway.rules.breaker import Breaker
from orchestrator.gateway.rules.ledger import Charge
from orchestrator.gateway.rules.pauses import Pause
from shared.callers import Caller, mint
from shared.clock import SystemClock
from shared.model import AgentName, GatewayAccess, ModelSettings, RunId, Spending, TaskId, Tokens, Usage
from shared.retry import Policy
from tests.support.messages import Asked, Fault, MessagesServer, RateLimits, Reply
from workflow_manager.backends.gateway_link import GatewayLink, Standing

TASK, OTHER = TaskId("a"), TaskId("b")
CODER = Caller(TASK, "build", AgentName("CODER"))
MODEL = "claude-haiku-5-5"
QUICK = Policy(tries=4, first=0.01, longest=0.05)
NO_BUDGET = Spending()
LONG_TEXT = "One word after another. " * 20


@dataclass
class Record:
    """What a recorder was told."""

    exchanges: list[tuple[Question, int, Mapping[str, str], bytes, bool]] = field(default_factory=list)

    def exchanged(
        self, question: Question, status: int, headers: Mapping[str, str], body: bytes, complete: bool
    ) -> None:
        self.exchanges.append((question, status, headers, body, complete))


@dataclass
class Between:
    """A gateway to ``server``, and everything it told."""

    server: MessagesServer
    gateway: Gateway
    record: Record
    told: list[tuple[str, dict[str, Any]]]

    def token(self, caller: Caller = CODER) -> str:
        return mint(self.gateway.access(caller.task).secret, caller)

    def link(self, caller: Caller = CODER) -> GatewayLink:
        return GatewayLink(self.gateway.access(caller.task), self.token(caller))

    def client(self, caller: Caller = CODER) -> anthropic.Anthropic:
        url = self.gateway.access(caller.task).url
        plain = anthropic.DefaultHttpxClient(verify=False)  # reading certificates takes longer than a test
        return anthropic.Anthropic(api_key=self.token(caller), base_url=url, max_retries=0, http_client=plain)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [fields for event, fields in self.told if event == name]


@contextlib.contextmanager
def between(
    script: Callable[[Asked], Reply | Fault],
    *,
    budget: Spending = NO_BUDGET,
    task_budgets: Mapping[TaskId, Spending] | None = None,
    spent: tuple[Charge, ...] = (),
    breaker: Breaker | None = None,
    key: str = "",
    limits: RateLimits | None = None,
    pause: Pause | None = None,
    **settings: Any,
) -> Iterator[Between]:
    told: list[tuple[str, dict[str, Any]]] = []
    record = Record()
    with MessagesServer(script, limits=limits) as server:
        chosen = ModelSettings(base_url=server.url, **settings)
        gateway = Gateway(
            run=RunId("r"),
            settings=chosen,
            answers=upstream(chosen, key or server.key),
            recorder=record,
            budget=budget,
            task_budgets=task_budgets or {},
            spent=spent,
            tell=lambda event, fields: told.append((event, fields)),
            clock=SystemClock(),
            pause=pause,
            breaker=breaker or Breaker(threshold=3, interval=0.1, longest=0.4),
            policy=QUICK,
        )
        gateway.start()
        try:
            yield Between(server, gateway, record, told)
        finally:
            gateway.close()


def ask(client: anthropic.Anthropic, text: str = "hello", *, max_tokens: int = 200) -> str:
    """One streamed question; returns the answer's text."""
    question = {"role": "user", "content": text}
    with client.messages.stream(model=MODEL, max_tokens=max_tokens, messages=[question]) as stream:  # type: ignore[list-item]
        return stream.get_final_text()


def until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.005)


def in_turn(*answers: Reply | Fault) -> Callable[[Asked], Reply | Fault]:
    """These, and the last one from then on."""
    return lambda asked: answers[min(asked.number, len(answers)) - 1]


def always(text: str) -> Callable[[Asked], Reply]:
    return lambda asked: Reply(text)


# --- passing on


def test_answers_pass_through_streamed_or_whole_and_the_bill_is_the_servers() -> None:
    with between(always(LONG_TEXT)) as it, it.client() as client:
        assert ask(client) == LONG_TEXT
        whole = client.messages.create(
            model=MODEL, max_tokens=200, messages=[{"role": "user", "content": "hello"}]
        )
        assert whole.content[0].text == LONG_TEXT  # type: ignore[union-attr]
        used = it.link().usage()
        assert (used.tokens, used.calls) == (it.server.billed, 2)
        assert used.cost_usd == pytest.approx(it.server.billed_usd)
        assert it.server.violations == []


def test_models_and_counts_of_tokens_pass_too_and_cost_nothing() -> None:
    with between(always("x")) as it, it.client() as client:
        assert MODEL in [model.id for model in client.models.list()]
        assert client.models.retrieve(MODEL).id == MODEL
        counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hello"}])
        assert counted.input_tokens > 0
        assert it.link().usage() == Usage()
        assert it.events("model.called") == []


def test_what_was_called_is_told_once_with_its_figures() -> None:
    with between(always("Hello.")) as it, it.client() as client:
        ask(client)
        (called,) = it.events("model.called")
        seconds, held = called.pop("seconds"), called.pop("held")
        assert 0 <= held < 1
        assert 0 < seconds < 5
        billed = it.server.billed
        assert called == {
            "task": "a", "phase": "build", "agent": "CODER", "attempt": 1, "model": MODEL, "status": 200,
            "input_tokens": billed.input, "output_tokens": billed.output, "cache_write_tokens": 0,
            "cache_write_1h_tokens": 0, "cache_read_tokens": 0, "cost_usd": pytest.approx(it.server.billed_usd),
            "tries": 1, "complete": True,
        }  # fmt: skip


def test_usage_is_told_by_call_phase_and_task() -> None:
    reviewer = Caller(TASK, "check", AgentName("REVIEWER"))
    with between(always("x")) as it:
        for caller in (CODER, CODER, reviewer, Caller(OTHER, "build", AgentName("CODER"))):
            with it.client(caller) as client:
                ask(client)
        link = it.link()
        calls = [link.usage().calls, link.usage(phase="check").calls, link.usage(task=True).calls]
        assert calls == [2, 1, 3]
        assert it.gateway.usage().calls == 4


def test_stream_is_passed_on_as_it_comes() -> None:
    """The first words are there while the last are still to be said."""
    with between(in_turn(Fault.hang(after_events=4))) as it, it.client() as client:
        question = [{"role": "user", "content": "hello"}]
        with client.messages.stream(model=MODEL, max_tokens=50, messages=question) as stream:  # type: ignore[arg-type]
            assert next(iter(stream.text_stream))


def test_same_server_is_on_a_unix_socket_that_only_this_user_can_reach() -> None:
    with between(always("x")) as it:
        access = it.gateway.access(TASK)
        assert stat.S_IMODE(Path(access.socket).parent.stat().st_mode) == 0o700
        assert len(access.socket) <= 100
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(access.socket)
            raw.sendall(
                f"GET /spinney/standing HTTP/1.1\r\nhost: x\r\nx-api-key: {it.token()}\r\n\r\n".encode()
            )
            assert raw.recv(4096).startswith(b"HTTP/1.1 200")


def test_what_a_killed_gateway_left_behind_is_removed_by_the_next() -> None:
    folder = Path(tempfile.mkdtemp(prefix="spinney-"))
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(folder / "gateway"))
    os.utime(folder / "gateway", (0, 0))
    with between(always("x")):
        assert not folder.exists()


def test_exchanges_are_recorded_as_callers_saw_them_and_numbered_for_each() -> None:
    with between(in_turn(Reply("one"), Fault(status=529), Reply("two"))) as it, it.client() as client:
        ask(client)
        ask(client)
        seen = [(q.caller, q.number, status, complete) for q, status, _, _, complete in it.record.exchanges]
        assert seen == [(CODER, 1, 200, True), (CODER, 2, 200, True)]
        assert b"message_stop" in it.record.exchanges[1][3]


def test_failure_is_recorded_as_the_caller_saw_it() -> None:
    with between(in_turn(Fault(status=529)), breaker=Breaker(threshold=99)) as it, it.client() as client:
        with pytest.raises(anthropic.APIStatusError):
            ask(client)
        ((_, status, _, body, complete),) = it.record.exchanges
        assert (status, complete) == (529, True)
        assert json.loads(body)["error"]["type"] == "overloaded_error"


# --- who may ask


@pytest.mark.parametrize("method_and_path", [("POST", "/v1/messages"), ("GET", "/spinney/usage")])
def test_who_has_no_token_of_this_run_gets_nothing(method_and_path: tuple[str, str]) -> None:
    with between(always("x")) as it:
        access = it.gateway.access(TASK)
        foreign = mint("another secret", CODER)
        of_other_task = mint(access.secret, Caller(OTHER, "build", AgentName("CODER")))
        for token in ("", "sk-ant-guess", foreign, of_other_task, it.token()[:-2]):
            assert said(access, *method_and_path, token)[0] == 401
        assert it.server.asked == []


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/messages/batches", "/v1/models/../files", "/spinney/secret"]
)
def test_other_parts_of_the_api_are_not_passed_on(path: str) -> None:
    with between(always("x")) as it:
        assert said(it.gateway.access(TASK), "GET", path, it.token())[0] == 404


def test_tool_that_works_outside_of_the_sandbox_is_refused() -> None:
    with between(always("x")) as it, it.client() as client:
        with pytest.raises(anthropic.BadRequestError, match="outside of the sandbox"):
            client.messages.create(
                model=MODEL,
                max_tokens=10,
                messages=[{"role": "user", "content": "hello"}],
                tools=[{"type": "web_search_20250305", "name": "web_search"}],
            )
        assert it.server.asked == []


def test_requests_that_never_end_take_a_bounded_place_and_hold_up_nobody_else() -> None:
    with between(always("x")) as it, contextlib.ExitStack() as stack:
        access = it.gateway.access(TASK)
        host, port = urlsplit(access.url).netloc.split(":")
        connections = []
        for _ in range(70):  # 64 of one agent may be open
            connection = stack.enter_context(socket.create_connection((host, int(port)), 10))
            start = (
                f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {it.token()}\r\ncontent-length: 9999"
            )
            connection.sendall(f"{start}\r\n\r\n{{".encode())
            connections.append(connection)
        answered, _, _ = select.select(connections, [], [], 10)
        assert answered[0].recv(4096).startswith(b"HTTP/1.1 429")
        with it.client(Caller(OTHER, "build", AgentName("CODER"))) as other:
            assert ask(other) == "x"


@pytest.mark.parametrize(
    ("headers", "status"), [({"content-length": "33554433"}, 413), ({"content-encoding": "gzip"}, 415)]
)
def test_request_that_is_too_large_or_hides_its_size_is_refused_unread(
    headers: dict[str, str], status: int
) -> None:
    with between(always("x")) as it:
        connection = http.client.HTTPConnection(urlsplit(it.gateway.access(TASK).url).netloc, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/messages", None, {"x-api-key": it.token(), **headers})
            assert connection.getresponse().status == status


def said(
    access: GatewayAccess, method: str, path: str, token: str, body: bytes = b"{}"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(access.url).netloc, timeout=10)
    try:
        connection.request(method, path, body if method == "POST" else None, {"x-api-key": token})
        response = connection.getresponse()
        return response.status, {name.lower(): v for name, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_key_is_in_nothing_that_leaves_the_gateway(caplog: pytest.LogCaptureFixture) -> None:
    faults = in_turn(Fault(status=500), Reply("x"), Fault(status=400, message="no"), Fault(status=401))
    with caplog.at_level("DEBUG"), between(faults) as it, it.client() as client:
        ask(client)
        for _ in range(3):
            with pytest.raises(anthropic.APIStatusError) as refused:
                ask(client)
            assert it.server.key not in f"{refused.value} {refused.value.response.headers}"
        everything = f"{it.told} {it.record} {it.gateway.__dict__} {caplog.text}"
        assert it.server.key not in everything
        assert all(asked.headers["authorization"] == f"Bearer {it.server.key}" for asked in it.server.asked)
        assert not any("spinney-" in str(asked.headers) for asked in it.server.asked)


def test_key_does_not_follow_a_redirect() -> None:
    with MessagesServer(always("x")) as elsewhere:
        there = {"location": elsewhere.url + "/v1/messages"}
        with between(in_turn(Fault(status=307, headers=there))) as it, it.client() as client:
            with pytest.raises(anthropic.InternalServerError, match="redirects"):
                ask(client)
            assert elsewhere.asked == []


# --- limits and outages (R20, R22, R23)


def test_nobody_asks_before_the_time_that_the_server_names() -> None:
    limited = Fault(status=429, headers={"retry-after": "2"})
    with between(in_turn(limited, Reply("x"))) as it, ThreadPoolExecutor(12) as threads:
        started = time.monotonic()
        clients = [it.client(Caller(TASK, "build", AgentName(f"A{n}"))) for n in range(12)]
        first = threads.submit(ask, clients[0])
        until(lambda: it.events("model.held"))
        others = [threads.submit(ask, client) for client in clients[1:]]
        until(lambda: it.link(Caller(TASK, "build", AgentName("A5"))).standing().waiting_for)  # type: ignore[union-attr]
        assert [answer.result() for answer in (first, *others)] == ["x"] * 12
        refused, *later = [asked.at for asked in it.server.asked]
        assert all(at - refused >= 2.0 for at in later)
        assert max(later) - refused <= 1.1 * 2.0 + 0.5
        assert len(later) == 12
        assert time.monotonic() - started < 5
        (held,) = it.events("model.held")
        assert held["reason"].startswith("rate limit")
        assert abs(held["until"] - time.time()) < 5
        assert it.events("model.released") == [{}]
        for client in clients:
            client.close()


def test_time_held_back_is_told_and_is_not_the_models_time_to_think() -> None:
    limited = Fault(status=429, headers={"retry-after": "1"})
    with between(in_turn(limited, Reply("x", seconds=0.5))) as it, it.client() as client:
        ask(client)
        standing = it.link().standing()
        assert standing is not None
        assert 1.0 <= standing.held_seconds < 1.4
        assert (standing.in_flight, standing.waiting_for) == (0, "")
        (called,) = it.events("model.called")
        assert called["tries"] == 2
        assert 0.5 <= called["seconds"] < 1.0
        assert 1.0 <= called["held"] < 1.4


def test_rate_limit_burns_no_tries() -> None:
    limits = [Fault(status=429, headers={"retry-after": "0.1"})] * (QUICK.tries + 1)
    with between(in_turn(*limits[:2], Reply("x"))) as it, it.client() as client:
        assert ask(client) == "x"
        assert len(it.server.asked) == 3


def test_pause_that_an_earlier_session_was_stopped_in_holds_for_the_next() -> None:
    until_then = time.time() + 1.5
    with between(always("x"), pause=Pause(until_then, "rate limit")) as it, it.client() as client:
        assert ask(client) == "x"
        assert time.time() >= until_then - 0.01
        (held,) = it.events("model.held")
        assert (held["until"], held["reason"]) == (pytest.approx(until_then, abs=0.5), "rate limit")
        assert it.events("model.released") == [{}]


def test_request_that_is_always_refused_while_others_are_answered_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one whose prompt is larger than what the account may send in a minute."""
    monkeypatch.setattr(refusals, "_MOST", 2)  # each takes a second
    why = "This request would exceed the rate limit."

    def script(asked: Asked) -> Reply | Fault:
        if "large" in asked.last_text:
            return Fault(status=429, headers={"retry-after-ms": "10"}, message=why)
        return Reply("x")

    with (
        between(script) as it,
        ThreadPoolExecutor(1) as threads,
        it.client() as client,
        it.client(Caller(OTHER, "build", AgentName("CODER"))) as other,
    ):
        large = threads.submit(ask, client, "large")
        until(lambda: it.link().standing().waiting_for)  # type: ignore[union-attr]
        assert ask(other) == "x"
        with pytest.raises(anthropic.RateLimitError, match=why) as refused:
            large.result(20)
        assert refused.value.response.headers["x-should-retry"] == "false"
        assert ask(other) == "x"
        # The second time it was the first to ask again, when nobody had been answered yet.
        assert [asked.last_text for asked in it.server.asked].count("large") == 3
        assert [event["status"] for event in it.events("model.called")] == [200, 429, 200]


def test_passing_failures_are_tried_again_and_billed_once() -> None:
    storm = [Fault(status=529), Fault(status=500), Fault.refuse_connection(), Fault.cut(after_events=0)]
    with between(in_turn(*storm, Reply("x")), breaker=Breaker(threshold=99)) as it, it.client() as client:
        with pytest.raises(anthropic.APIStatusError):
            ask(client)
        assert len(it.server.asked) == QUICK.tries
        assert ask(client) == "x"
        assert (it.link().usage().tokens, it.link().usage().calls) == (it.server.billed, 1)


def test_stream_that_begins_with_an_error_is_tried_again() -> None:
    begin = [Fault.error_event(after_events=0), Fault.early_end(after_events=0)]
    with between(in_turn(*begin, Reply("x"))) as it, it.client() as client:
        assert ask(client) == "x"


def test_tries_are_bounded_and_the_last_failure_is_told_once() -> None:
    with between(in_turn(Fault(status=529)), breaker=Breaker(threshold=99)) as it, it.client() as client:
        with pytest.raises(anthropic.APIStatusError) as failed:
            ask(client)
        assert failed.value.status_code == 529
        assert failed.value.response.headers["x-should-retry"] == "false"
        assert len(it.server.asked) == QUICK.tries
        (called,) = it.events("model.called")
        assert (called["status"], called["tries"], called["complete"]) == (529, QUICK.tries, False)


def test_twelve_callers_in_an_outage_ask_once_an_interval_in_all_and_then_go_on() -> None:
    asked_first: list[float] = []

    def script(asked: Asked) -> Reply | Fault:
        asked_first.append(asked.at)
        return Reply("x") if asked.at - asked_first[0] > 2.5 else Fault(status=529)

    with (
        between(script, breaker=Breaker(threshold=3, interval=0.2, longest=0.4)) as it,
        ThreadPoolExecutor(12) as threads,
    ):
        clients = [it.client(Caller(TASK, "build", AgentName(f"A{n}"))) for n in range(12)]
        answers = [threads.submit(ask, client) for client in clients]
        assert [answer.result() for answer in answers] == ["x"] * 12
        failed = [asked for asked in it.server.asked if asked.at - asked_first[0] <= 2.5]
        assert len(failed) <= 12 + 2.5 / 0.2  # twelve may have been on their way when it was found out
        assert it.link().usage(task=True).calls == 12
        for client in clients:
            client.close()


def test_outage_that_is_too_long_ends_all_requests_at_once() -> None:
    with between(in_turn(Fault.refuse_connection()), outage=0.8) as it, it.client() as client:
        for _ in range(2):
            with pytest.raises(
                anthropic.APIStatusError, match="no answer from the model API for 1 s"
            ) as ended:
                ask(client)
            assert ended.value.status_code == 402
            assert ended.value.response.headers["x-spinney-stop"] == "outage"
        assert [event["kind"] for event in it.events("model.refused")] == ["outage"]


def test_spend_limit_ends_all_requests_at_once_and_the_server_is_left_alone() -> None:
    with between(in_turn(Fault(status=429, message="Monthly limit."))) as it, it.client() as client:
        for _ in range(3):
            with pytest.raises(anthropic.APIStatusError, match="Monthly limit") as refused:
                ask(client)
            assert refused.value.status_code == 402
            assert refused.value.response.headers["x-spinney-stop"] == "spend-limit"
        assert len(it.server.asked) == 1
        assert it.events("model.refused") == [{"kind": "spend-limit", "reason": "Monthly limit."}]


def test_bad_key_ends_all_requests_at_once() -> None:
    with between(always("x"), key="sk-ant-wrong") as it, it.client() as client:
        for _ in range(2):
            with pytest.raises(anthropic.APIStatusError) as refused:
                ask(client)
            assert refused.value.response.headers["x-spinney-stop"] == "key"
        assert it.server.violations == ["a request without the key"]
        assert [event["kind"] for event in it.events("model.refused")] == ["key"]


def test_what_one_agent_may_not_say_does_not_end_the_others() -> None:
    refused = Fault(status=403, message="not for you")
    with between(in_turn(refused, Reply("x"), refused, refused, Reply("y"))) as it, it.client() as client:
        with pytest.raises(anthropic.PermissionDeniedError, match="not for you"):
            ask(client)
        with it.client(Caller(OTHER, "build", AgentName("CODER"))) as other:
            assert ask(other) == "x"
            for one in (other, client):
                with pytest.raises(anthropic.PermissionDeniedError, match="not for you"):
                    ask(one)
            assert ask(other) == "y"


def test_key_that_is_good_for_nothing_from_the_beginning_ends_all_when_two_have_seen_it() -> None:
    with between(in_turn(Fault(status=403, message="not for you"))) as it, it.client() as client:
        with pytest.raises(anthropic.PermissionDeniedError):
            ask(client)
        with it.client(Caller(OTHER, "build", AgentName("CODER"))) as other:
            for one in (other, client):
                with pytest.raises(anthropic.APIStatusError) as refused:
                    ask(one)
                assert refused.value.response.headers["x-spinney-stop"] == "key"
        assert len(it.server.asked) == 2


def test_request_that_is_wrong_is_told_and_others_go_on() -> None:
    wrong = Fault(status=400, error_type="invalid_request_error", message="bad")
    with between(in_turn(wrong, Reply("x"))) as it, it.client() as client:
        with pytest.raises(anthropic.BadRequestError, match="bad"):
            ask(client)
        assert ask(client) == "x"


def test_configured_limit_of_requests_at_once_holds() -> None:
    with between(lambda asked: Reply("x", seconds=0.05), at_once=2) as it, ThreadPoolExecutor(8) as threads:
        with it.client() as client:
            assert list(threads.map(lambda _: ask(client), range(8))) == ["x"] * 8
        assert it.server.at_once == 2


def test_what_the_headers_say_is_left_is_used_to_the_end_and_never_passed() -> None:
    """R20: nothing is sent before the server has room for it, and not much later than then."""
    limits = RateLimits(requests=600, burst=0.02)  # ten a second, after twelve at once
    with between(always("x"), limits=limits) as it, ThreadPoolExecutor(12) as threads, it.client() as client:
        begun = time.monotonic()
        assert list(threads.map(lambda _: ask(client), range(42))) == ["x"] * 42
        assert (it.server.limit_refusals, len(it.server.asked)) == (0, 42)
        assert 2.9 <= time.monotonic() - begun <= 1.1 * 3.0 + 0.7


# --- streams that break (R22)


def test_cut_stream_reaches_the_agent_as_one_and_is_not_taken_for_a_whole() -> None:
    with between(in_turn(Fault.cut(of=Reply(LONG_TEXT)), Reply("x"))) as it, it.client() as client:
        with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|disconnected"):
            ask(client)
        assert ask(client) == "x"
        cut, whole = it.events("model.called")
        assert (cut["complete"], whole["complete"], len(it.server.asked)) == (False, True, 2)
        assert [complete for *_, complete in it.record.exchanges] == [False, True]


def test_stream_that_ends_early_without_an_error_gets_one() -> None:
    with between(in_turn(Fault.early_end(of=Reply(LONG_TEXT)))) as it, it.client() as client:
        with pytest.raises(anthropic.APIStatusError, match="the stream ended early"):
            ask(client)
        assert it.events("model.called")[0]["complete"] is False


def test_error_in_the_middle_of_a_stream_is_passed_on_and_not_tried_again() -> None:
    with between(in_turn(Fault.error_event())) as it, it.client() as client:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            ask(client)
        assert len(it.server.asked) == 1


# --- going away


def test_agent_that_goes_away_takes_its_request_with_it_and_what_was_billed_stays_in_the_books() -> None:
    with between(in_turn(Fault.hang(after_events=4, of=Reply(LONG_TEXT)))) as it, it.client() as client:
        question = [{"role": "user", "content": "hello"}]
        with client.messages.stream(model=MODEL, max_tokens=50, messages=question) as stream:  # type: ignore[arg-type]
            next(iter(stream.text_stream))
            assert it.link().standing() == Standing(1, pytest.approx(0, abs=0.5), "")
        until(lambda: it.events("model.called"))
        (called,) = it.events("model.called")
        assert called["complete"] is False
        assert called["reserved_tokens"] > 0  # words that passed before their price was told
        assert it.link().usage().tokens.input == it.server.billed.input > 0
        until(lambda: it.server._open == 0)


def test_agent_that_does_not_read_its_answer_gives_back_what_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_TAKING", 0.2)
    script = in_turn(Reply("y" * 10_000_000), Reply("x"))
    with between(script, budget=Spending(tokens=130_000)) as it, socket.socket() as deaf:
        access = it.gateway.access(TASK)
        host, port = urlsplit(access.url).netloc.split(":")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        messages = [{"role": "user", "content": "hello"}]
        body = json.dumps({"model": MODEL, "max_tokens": 90_000, "messages": messages})
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {it.token()}\r\nanthropic-version: 2023-06-01\r\n"
        deaf.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        until(lambda: it.events("model.called"))
        assert it.events("model.called")[0]["status"] == 200
        until(lambda: it.link().standing() == Standing(0, pytest.approx(0, abs=0.5), ""))


def test_cancelled_requests_end_at_once() -> None:
    with between(in_turn(Fault.hang())) as it, it.client() as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, client)
        until(lambda: it.server.asked)
        it.link(Caller(TASK, "build", AgentName("SOMEBODY_ELSE"))).cancel()
        assert not answer.done()
        it.link().cancel()
        with pytest.raises(anthropic.APIConnectionError):
            answer.result(5)
        until(lambda: it.server._open == 0)


def test_closing_ends_what_is_open_refuses_what_waits_and_leaves_nothing() -> None:
    script = in_turn(Fault.hang(after_events=3), Fault(status=429, headers={"retry-after": "600"}))
    with between(script) as it, ThreadPoolExecutor(2) as threads:
        folder = Path(it.gateway.access(TASK).socket).parent
        with it.client() as client:
            open_one = threads.submit(ask, client)
            until(lambda: it.server.asked)
            waiting = threads.submit(ask, client)
            until(lambda: it.events("model.held"))
            started = time.monotonic()
            it.gateway.close()
            it.gateway.close()
            assert time.monotonic() - started < 3
            with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|disconnected|connection"):
                open_one.result(5)
            with pytest.raises(anthropic.APIError):
                waiting.result(5)
        assert not folder.exists()


def test_link_to_a_gateway_that_is_gone_says_nothing() -> None:
    with between(always("x")) as it:
        link = it.link()
        it.gateway.close()
        assert link.standing() is None
        assert link.usage() == Usage()
        link.cancel()


# --- budgets


def left_before_the_first_byte(it: Between, client: anthropic.Anthropic) -> anthropic.APIError:
    """Ask, and cancel as soon as that has reached the server; returns what the client was told."""
    seen, told = len(it.server.asked), len(it.events("model.called"))
    question = [{"role": "user", "content": "hello"}]
    with ThreadPoolExecutor(1) as threads:
        create = client.messages.create
        answer = threads.submit(create, model=MODEL, max_tokens=300, messages=question)  # type: ignore[arg-type]
        until(lambda: len(it.server.asked) > seen or answer.done())
        it.link().cancel()
        with pytest.raises(anthropic.APIError) as ended:
            answer.result(5)
    if not isinstance(ended.value, anthropic.APIStatusError):  # the client may be told before the books are
        until(lambda: len(it.events("model.called")) > told)
    return ended.value


def test_agent_that_always_leaves_before_the_first_byte_does_not_work_for_nothing() -> None:
    with between(in_turn(Fault.hang()), budget=Spending(tokens=700)) as it, it.client() as client:
        *_, last = [left_before_the_first_byte(it, client) for _ in range(3)]
        assert isinstance(last, anthropic.APIStatusError)
        assert last.response.headers["x-spinney-stop"] == "budget"
        assert len(it.server.asked) == 2
        assert it.gateway.usage() == Usage()  # what reports show is measured
        told = it.events("model.called")
        figures = [(event["status"], event["complete"], event["output_tokens"]) for event in told]
        assert figures == [(499, False, 0)] * 2
        assert all(300 < event["reserved_tokens"] < 400 and event["reserved_usd"] > 0 for event in told)


def test_budget_is_never_passed_by_twelve_that_ask_at_once() -> None:
    reply = Reply("x", usage=Tokens(input=1000, output=100))
    body = "word " * 900
    with (
        between(lambda asked: reply, budget=Spending(tokens=15_000)) as it,
        ThreadPoolExecutor(12) as threads,
    ):
        clients = [it.client(Caller(TASK, "build", AgentName(f"A{n}"))) for n in range(12)]

        def until_refused(client: anthropic.Anthropic) -> dict[str, str]:
            with contextlib.closing(client):
                while True:
                    try:
                        ask(client, body, max_tokens=100)
                    except anthropic.APIStatusError as refused:
                        return dict(refused.response.headers)

        ends = list(threads.map(until_refused, clients))
        assert {end["x-spinney-stop"] for end in ends} == {"budget"}
        assert 15_000 - 2500 < it.server.billed.total <= 15_000
        assert it.gateway.usage().tokens == it.server.billed
        (spent,) = it.events("budget.spent")
        assert spent["task"] == ""
        assert "the budget of this run" in spent["reason"]


def test_budget_of_a_task_stops_that_task_only() -> None:
    with between(always("x"), task_budgets={TASK: Spending(tokens=10)}) as it:
        with (
            it.client() as client,
            pytest.raises(anthropic.APIStatusError, match="10 tokens for task a is too small") as refused,
        ):
            ask(client)
        assert refused.value.response.headers["x-spinney-stop"] == "budget"
        with it.client(Caller(OTHER, "build", AgentName("CODER"))) as other:
            assert ask(other) == "x"
        assert [event["task"] for event in it.events("budget.spent")] == ["a"]


def test_what_was_spent_before_the_run_was_resumed_counts() -> None:
    spent = Charge(TASK, "build", AgentName("CODER"), 1, MODEL, Tokens(input=900), 0.99)
    with between(always("x"), budget=Spending(usd=1.0), spent=(spent,)) as it, it.client() as client:
        assert ask(client) == "x"
        with pytest.raises(anthropic.APIStatusError, match=r"\$0\.99 of \$1 are spent"):
            ask(client, max_tokens=100_000)


def test_answer_of_the_refusal_is_the_apis_own_kind_of_error() -> None:
    with between(always("x"), budget=Spending(tokens=1)) as it:
        body = json.dumps({"model": MODEL, "max_tokens": 10, "messages": []}).encode()
        status, headers, answer = said(it.gateway.access(TASK), "POST", "/v1/messages", it.token(), body)
        error = json.loads(answer)
        assert (status, headers["x-should-retry"]) == (402, "false")
        assert (error["type"], error["error"]["type"]) == ("error", "billing_error")
