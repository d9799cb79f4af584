from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.gateway.rules.admission import Estimate
from orchestrator.gateway.rules.breaker import Breaker
from orchestrator.gateway.rules.ledger import Ledger, Worst
from orchestrator.gateway.rules.limits import Limiter
from orchestrator.gateway.rules.prices import Prices
from orchestrator.gateway.rules.stops import Stop, Stopped
from orchestrator.gateway.standing import Standing
from orchestrator.gateway.turnstile import Pass, Turnstile, Wish
from shared.callers import Caller
from shared.clock import ManualClock
from shared.model import AgentName, Price, Spending, TaskId, Tokens

A, B = TaskId("a"), TaskId("b")
MODEL = "m"
PRICES = Prices([Price(MODEL, 1_000_000.0, 1_000_000.0)])  # a dollar a token


def wish(dollars: int = 0, task: TaskId = A, modest: int = 0) -> Wish:
    worst = Worst(dollars, float(dollars)) if dollars else None
    less = Worst(modest, float(modest)) if modest else None
    return Wish(Caller(task, "build", AgentName("CODER")), MODEL, Estimate(1, 1), worst, less)


@dataclass
class Gate:
    """A turnstile, its clock, and what it told."""

    budget: Spending = field(default_factory=Spending)
    at_once: int = 0
    outage: float = 100.0
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(PRICES, self.budget)
        self.turnstile = Turnstile(
            Limiter(at_once=self.at_once),
            Breaker(threshold=1, interval=10.0),
            self.ledger,
            clock=self.clock,
            tell=lambda event, fields: self.told.append((event, fields)),
            outage=self.outage,
        )

    def wants(self, one: Wish) -> asyncio.Task[Pass]:
        return asyncio.ensure_future(self.turnstile.enter(one))

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.turnstile.look()
        await settled()


async def settled() -> None:
    """Everything that could go on without time passing has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def body() -> None:
        await test()

    asyncio.run(body())


def test_requests_go_in_the_order_in_which_they_came() -> None:
    async def test() -> None:
        gate = Gate(at_once=1)
        first, second, third = (gate.wants(wish()) for _ in range(3))
        await settled()
        assert (first.done(), second.done(), third.done()) == (True, False, False)
        gate.turnstile.leave(first.result())
        await settled()
        assert (second.done(), third.done()) == (True, False)
        third.cancel()

    run(test)


def test_request_that_waits_for_the_budget_does_not_keep_smaller_ones() -> None:
    async def test() -> None:
        gate = Gate(Spending(usd=10))
        held, large, small = gate.wants(wish(6)), gate.wants(wish(8)), gate.wants(wish(3))
        await settled()
        assert (held.done(), large.done(), small.done()) == (True, False, True)
        gate.turnstile.leave(held.result())
        gate.turnstile.leave(small.result())
        await settled()
        assert large.done()

    run(test)


def test_request_that_can_never_fit_ends_its_task_or_the_run_and_is_told_once() -> None:
    async def test() -> None:
        gate = Gate(Spending(usd=10))
        for _ in range(2):
            with pytest.raises(Stopped) as stopped:
                await gate.wants(wish(11))
            assert stopped.value.stop.kind == "budget"
        with pytest.raises(Stopped):
            await gate.wants(wish(1, B))
        assert [event for event, _ in gate.told] == ["budget.spent"]

    run(test)


def test_request_that_asks_for_too_much_ends_its_own_task_and_others_go_on() -> None:
    async def test() -> None:
        gate = Gate(Spending(usd=10))
        for greed in (11, 1):
            with pytest.raises(Stopped):
                await gate.wants(wish(greed, modest=1))
        await gate.wants(wish(1, B))
        assert [(event, fields["task"]) for event, fields in gate.told] == [("budget.spent", "a")]

    run(test)


def test_stop_of_one_task_leaves_others_alone() -> None:
    async def test() -> None:
        gate = Gate()
        gate.turnstile.stop(Stop("budget", "why", A))
        with pytest.raises(Stopped, match="why"):
            await gate.wants(wish())
        await gate.wants(wish(task=B))

    run(test)


def test_request_whose_caller_goes_while_it_waits_leaves_no_trace() -> None:
    async def test() -> None:
        gate = Gate(at_once=1)
        first, gone, third = gate.wants(wish()), gate.wants(wish()), gate.wants(wish())
        await settled()
        gone.cancel()
        await settled()
        gate.turnstile.leave(first.result())
        await settled()
        assert third.done()

    run(test)


def test_turn_that_is_given_to_a_caller_who_has_just_gone_goes_to_the_next() -> None:
    async def test() -> None:
        gate = Gate(Spending(usd=10), at_once=1)
        first, gone, third = gate.wants(wish(10)), gate.wants(wish(10)), gate.wants(wish(10))
        await settled()
        gate.turnstile.leave(first.result())  # the second has its turn now, and does not know it yet
        gone.cancel()
        await settled()
        assert third.done()

    run(test)


def test_pause_is_told_when_it_begins_when_it_grows_and_when_it_is_over() -> None:
    async def test() -> None:
        gate = Gate()
        start = gate.clock.now()
        turn = await gate.wants(wish())
        gate.turnstile.limited(turn, 171.0, "rate limit")
        one = wish()
        waiting = gate.wants(one)
        await settled()
        assert one.waits_for is not None
        assert one.waits_for.reason == "rate limit"
        await gate.later(170.0)
        assert not waiting.done()
        await gate.later(1.0)
        gate.turnstile.limited(waiting.result(), 60.0, "rate limit")
        again = gate.wants(wish())
        await settled()
        await gate.later(60.0)
        gate.turnstile.succeeded(again.result())
        assert gate.told == [
            ("model.held", {"until": start + 171.0, "reason": "rate limit"}),
            ("model.held", {"until": start + 231.0, "reason": "rate limit"}),
            ("model.released", {}),
        ]

    run(test)


def test_one_probes_and_the_others_go_when_it_is_answered() -> None:
    async def test() -> None:
        gate = Gate()
        gate.turnstile.failed(await gate.wants(wish()), "status 529", None)
        waiting = [gate.wants(wish()) for _ in range(12)]
        await gate.later(10.0)
        assert [one.done() for one in waiting] == [True, *[False] * 11]
        gate.turnstile.succeeded(waiting[0].result())
        await settled()
        assert all(one.done() for one in waiting)

    run(test)


def test_nobody_looks_more_often_than_something_can_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        gate, delays = Gate(), []
        call_later = asyncio.get_running_loop().call_later

        def noted(delay: float, *arguments: Any) -> asyncio.TimerHandle:
            delays.append(delay)
            return call_later(delay, *arguments)

        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", noted)
        gate.turnstile.failed(await gate.wants(wish()), "status 529", None)
        probe, waiting = gate.wants(wish()), gate.wants(wish())
        await gate.later(10.0)
        assert probe.done()
        assert min(delays) > 9.0
        waiting.cancel()

    run(test)


def test_end_of_an_old_answer_does_not_end_a_newer_probe() -> None:
    async def test() -> None:
        gate = Gate()
        old = await gate.wants(wish())
        gate.turnstile.succeeded(old)
        gate.turnstile.failed(await gate.wants(wish()), "status 529", None)
        probe, other = gate.wants(wish()), gate.wants(wish())
        await gate.later(10.0)
        gate.turnstile.leave(old)
        await settled()
        assert (probe.done(), other.done()) == (True, False)
        other.cancel()

    run(test)


def test_outage_that_is_too_long_ends_all_requests_and_is_told_once() -> None:
    async def test() -> None:
        gate = Gate(Spending(usd=10), outage=100.0)
        gate.turnstile.failed(await gate.wants(wish()), "status 529", None)
        probe, waiting, other = gate.wants(wish(10)), gate.wants(wish(1)), gate.wants(wish(task=B))
        await gate.later(10.0)
        gate.turnstile.failed(probe.result(), "status 529", 500.0)
        await gate.later(89.0)
        assert not any(one.done() for one in (waiting, other))
        await gate.later(2.0)
        why = "no answer from the model API for 100 s: status 529"
        for one in (waiting, other, gate.wants(wish())):
            with pytest.raises(Stopped, match=why) as stopped:
                await one
            assert stopped.value.stop.kind == "outage"
        refused = [fields for event, fields in gate.told if event == "model.refused"]
        assert refused == [{"kind": "outage", "reason": why}]

    run(test)


def test_long_outage_is_not_given_up_before_one_has_asked_whether_it_is_over() -> None:
    async def test() -> None:
        gate = Gate(outage=100.0)
        gate.turnstile.failed(await gate.wants(wish()), "status 529", None)
        gate.clock.advance(200.0)  # nobody wanted anything meanwhile
        assert (await gate.wants(wish())).admitted.probe

    run(test)


def test_outage_is_not_given_up_while_one_asks_and_thinks() -> None:
    async def test() -> None:
        gate = Gate(outage=100.0)
        gate.turnstile.failed(await gate.wants(wish()), "status 529", 95.0)
        probe, waiting = gate.wants(wish()), gate.wants(wish())
        await gate.later(95.0)
        await gate.later(30.0)
        gate.turnstile.succeeded(probe.result())
        await settled()
        assert waiting.done()
        assert not waiting.exception()

    run(test)


def test_budget_counts_what_earlier_answers_cost() -> None:
    async def test() -> None:
        gate = Gate(Spending(usd=10))
        one = wish(6)
        turn = await gate.wants(one)
        gate.ledger.charge(one.caller, MODEL, Tokens(output=5))
        gate.turnstile.leave(turn, 5)
        await gate.wants(wish(5))

    run(test)


def test_time_in_which_several_requests_are_held_counts_once() -> None:
    clock = ManualClock()
    standing = Standing(clock)
    standing.hold()
    clock.advance(3.0)
    standing.hold()
    clock.advance(4.0)
    standing.release()
    clock.advance(2.0)
    assert standing.held == 9.0
    standing.release()
    clock.advance(50.0)
    assert standing.held == 9.0


def test_try_that_came_to_nothing_counts_as_held() -> None:
    clock = ManualClock()
    standing = Standing(clock)
    standing.hold(wasted=30.0)
    clock.advance(1.0)
    standing.release()
    assert standing.said() == {"in_flight": 0, "held_seconds": 31.0, "waiting_for": ""}
