"""A bad day of the model API, seen by whole agents: the work ends the same, in time, and nothing is paid twice."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.gateway.rules.breaker import Breaker
from shared.model import PRICES, Tokens
from tests.support.messages import Asked, Fault, MessagesServer, Reply, Script, by_task, first
from tests.support.messages_cache import cost
from tests.support.messages_gateway import through
from tests.support.model_agent import Desk, bash, create, finish
from tests.support.running import until
from workflow_manager.backends.gateway_link import Standing

pytestmark = pytest.mark.process

TASKS = [f"t{number}" for number in range(12)]
# One line for each time that it is carried out, so that a step done twice is seen.
CONVERSATION = [
    Reply("I begin.", [create("a.py", "A = 1\n"), bash("echo first >> log.txt")], thinking="Hm."),
    Reply("I go on.", [bash("echo second >> log.txt")]),
    finish("did it"),
]
SCRIPT = by_task(dict.fromkeys(TASKS, CONVERSATION))


def at(turn: int, fault: Fault, then: Script = SCRIPT) -> Script:
    """``then``, but the first request of that turn of a conversation gets ``fault``."""
    once = first([fault], then)
    return lambda asked: once(asked) if asked.turns == turn else then(asked)


def is_done(root: Path) -> bool:
    """Every step was carried out, and once."""
    worktree = root / "worktree"
    return (worktree / "log.txt").read_text() == "first\nsecond\n" and (worktree / "a.py").is_file()


def named(value: Fault | str) -> str:
    """For the names of tests."""
    if isinstance(value, str):
        return value
    told = ", ".join(f"{name} {header}" for name, header in value.headers.items())
    return " ".join(
        str(part) for part in (value.kind, value.status or "", told, value.after_events or "") if part
    )


# --- R22: one agent


BEFORE_AN_ANSWER = [
    Fault(408),
    Fault(409),
    Fault(500),
    Fault(502),
    Fault(529),
    Fault(529, {"retry-after": "1"}),
    Fault(429, {"retry-after": "1"}),
    Fault(429, {"retry-after-ms": "1100"}),
    Fault.refuse_connection(),
    Fault.cut(0),
    Fault.early_end(0),
    Fault.error_event(after_events=0),
]
IN_AN_ANSWER = [
    make(events)
    for make in (Fault.cut, Fault.early_end, lambda events: Fault.error_event(after_events=events))
    for events in (1, 3, 5)
]


@pytest.mark.parametrize("turn", [pytest.param(0, marks=pytest.mark.slow), 1])
@pytest.mark.parametrize("fault", [*BEFORE_AN_ANSWER, *IN_AN_ANSWER], ids=named)
def test_agent_ends_the_same_and_pays_each_step_once(tmp_path: Path, fault: Fault, turn: int) -> None:
    with MessagesServer(at(turn, fault)) as server, through(server.url, server.key) as way:
        report = way.work(tmp_path, "t0")
        usage = way.gateway.usage()
    assert report.ok, report.reason
    assert is_done(tmp_path)
    assert len(server.asked) == len(CONVERSATION) + 1
    assert server.violations == []
    broken = sum((tokens for number, (_, tokens) in server.bills.items() if number == turn + 1), Tokens())
    # What a broken answer had sent is paid for, but only the server knows how much of the output that was.
    assert usage.tokens.total - usage.tokens.output == server.billed.total - server.billed.output
    assert 0 <= server.billed.output - usage.tokens.output <= broken.output
    assert [called["complete"] for called in way.events("model.called")].count(True) == len(CONVERSATION)


def test_undisturbed_agent_pays_to_the_token_what_the_server_bills(tmp_path: Path) -> None:
    with MessagesServer(SCRIPT) as server, through(server.url, server.key) as way:
        way.work(tmp_path, "t0")
        assert way.gateway.usage().tokens == server.billed
        assert way.gateway.usage().cost_usd == pytest.approx(server.billed_usd)


def test_storm_of_overloads_ends_after_a_bounded_number_of_requests(tmp_path: Path) -> None:
    breaker = Breaker(threshold=3, interval=0.1, longest=0.2)
    with (
        MessagesServer(lambda asked: Fault(529)) as server,
        through(server.url, server.key, breaker=breaker, outage=1.0) as way,
    ):
        report = way.work(tmp_path, "t0")
    assert not report.ok
    assert "no answer" in report.reason or "529" in report.reason or "scripted" in report.reason
    assert len(server.asked) <= 3 + 1.5 / 0.1
    assert server.billed == Tokens()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(429, message="the spend limit is reached"), "spend-limit"),
        (Fault(429, {"retry-after": "1000000000"}), "spend-limit"),
        (Fault(402), "spend-limit"),
        (Fault(401), "key"),
    ],
    ids=named,
)
def test_what_waiting_does_not_help_stops_everybody_at_once(tmp_path: Path, fault: Fault, kind: str) -> None:
    with MessagesServer(at(1, fault)) as server, through(server.url, server.key) as way:
        began = time.monotonic()
        reports = [way.work(tmp_path / task, task) for task in TASKS[:3]]
        assert time.monotonic() - began < 10
    assert [(report.ok, report.spent, report.final) for report in reports] == [(False, True, True)] * 3
    assert len(server.asked) == 2  # the others did not even ask
    assert [refused["kind"] for refused in way.events("model.refused")] == [kind]


def test_rate_limit_of_minutes_is_waited_for_and_the_agent_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    script = at(1, Fault(429, {"retry-after": "171"}))
    with MessagesServer(script) as server, through(server.url, server.key) as way:

        def stop_when_held(desk: Desk) -> None:
            until(lambda: way.events("model.held"), "the pause")
            standings.append(way.link("t0").standing())
            desk.cancel.set()

        def cancel(desk: Desk) -> None:
            stopper.append(threading.Thread(target=stop_when_held, args=(desk,)))
            stopper[0].start()

        standings: list[Standing | None] = []
        stopper: list[threading.Thread] = []
        report = way.work(tmp_path, "t0", cancel=cancel)
        stopper[0].join()
    assert standings[0] is not None
    assert standings[0].in_flight == 1
    assert "rate limit" in standings[0].waiting_for
    [held] = way.events("model.held")
    assert 165 < held["until"] - time.time() < 172
    assert report.cancelled
    assert len(server.asked) == 2


# --- R20: many agents, one clock


DATE_IN = 3  # seconds; HTTP dates know no fractions


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (lambda: {"retry-after": "1"}, 1.0),
        (lambda: {"retry-after": "2"}, 2.0),
        (lambda: {"retry-after": "1.5"}, 1.5),
        (lambda: {"retry-after-ms": "1300"}, 1.3),
        (lambda: {"retry-after": "0"}, 1.0),
        (lambda: {"retry-after": "-7"}, 1.0),
        (lambda: {"retry-after": formatdate(time.time() + DATE_IN, usegmt=True)}, DATE_IN - 1.0),
        (
            lambda: {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": formatdate(time.time() + DATE_IN, usegmt=True),
            },
            DATE_IN - 1.0,
        ),
    ],
    ids=["1 s", "2 s", "a fraction", "milliseconds", "now", "the past", "a date", "reset"],
)
def test_nobody_asks_before_the_time_and_all_go_on_soon_after_it(
    tmp_path: Path, headers: object, seconds: float
) -> None:
    told: list[float] = []

    def script(asked: Asked) -> Reply | Fault:
        if asked.number == 2:
            made = headers()  # type: ignore[operator]
            told.append(time.monotonic())
            return Fault(429, made)
        return SCRIPT(asked)

    with MessagesServer(script) as server, through(server.url, server.key) as way:
        assert way.work(tmp_path / "t0", "t0").ok
        reports = way.work_at_once(tmp_path, TASKS[1:5])
    assert all(report.ok for report in reports.values())
    later = sorted(asked.at for asked in server.asked[2:])
    assert later[0] - told[0] >= seconds - 0.005
    longest = DATE_IN if seconds == DATE_IN - 1.0 else seconds
    assert later[0] - told[0] <= longest * 1.1 + 0.5  # half a second for this machine


def test_wish_that_cannot_be_read_is_a_minute(tmp_path: Path) -> None:
    with MessagesServer(at(0, Fault(429, {"retry-after": "soon"}))) as server:
        with through(server.url, server.key) as way:
            agent = threading.Thread(target=way.work, args=(tmp_path, "t0"))
            agent.start()
            [held] = until(lambda: way.events("model.held"), "the pause")
            assert 55 < held["until"] - time.time() < 61
        agent.join()  # the gateway's end ended it


# --- R23: twelve agents, one outage


def test_twelve_agents_in_an_outage_probe_once_an_interval_and_all_end_well(tmp_path: Path) -> None:
    interval, outage = 0.2, 2.5
    over = threading.Event()
    began: list[float] = []

    def script(asked: Asked) -> Reply | Fault:
        if asked.number == 20:
            began.append(asked.at)
            threading.Timer(outage, over.set).start()
        return Fault(529) if began and not over.is_set() else SCRIPT(asked)

    breaker = Breaker(threshold=3, interval=interval, longest=interval)
    with MessagesServer(script) as server, through(server.url, server.key, breaker=breaker) as way:
        reports = way.work_at_once(tmp_path, TASKS)
    assert [report.reason for report in reports.values() if not report.ok] == []
    assert all(is_done(tmp_path / task) for task in TASKS)
    during = [asked.at for asked in server.asked if began[0] <= asked.at < began[0] + outage]
    # Those that were on their way when it began, and the three that open the breaker; then one at a time.
    probes = [moment for moment in during if moment > began[0] + 0.5]
    assert len(probes) <= outage / interval
    assert all(later - earlier >= interval - 0.01 for earlier, later in pairwise(probes))
    whole = [number for number, (_, tokens) in server.bills.items() if tokens.total]
    assert len(whole) == len(TASKS) * len(CONVERSATION)
    assert way.gateway.usage().tokens == server.billed
    assert server.billed_usd == pytest.approx(
        sum(cost(PRICES, model, tokens) for model, tokens in server.bills.values())
    )
