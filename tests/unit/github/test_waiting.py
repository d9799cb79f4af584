from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.clock import ManualClock, SystemClock
from shared.errors import Interrupted
from shared.forge.github.errors import Unreachable
from shared.forge.github.limits import Kind, Limiter
from shared.forge.github.rates import Rate
from shared.forge.github.waiting import Turnstile, Waiting
from shared.forge.github.wire import Limited

READ, CREATE = Kind(), Kind(points=5, creates=True)


class Moving:
    """A turnstile whose clock moves as far as somebody waits."""

    def __init__(self, limiter: Limiter | None = None) -> None:
        self.clock, self.stop, self.told = ManualClock(0.0), threading.Event(), list[Waiting | None]()
        self.turnstile = Turnstile(
            limiter or Limiter(),
            self.clock,
            self.stop,
            self.told.append,
            lambda _, seconds: self.clock.advance(seconds),
        )


def test_short_wait_is_not_worth_telling() -> None:
    it = Moving()
    sent = it.turnstile.enter(READ)
    it.turnstile.learn(sent, None, Limited(0.9, "soon"))
    it.turnstile.leave(sent)
    it.turnstile.leave(it.turnstile.enter(READ))
    assert it.clock.now() == 0.9
    assert it.told == []


def test_wait_is_told_once_and_its_end_once() -> None:
    it = Moving()
    sent = it.turnstile.enter(READ)
    it.turnstile.learn(sent, Rate("core", 0, 600.0))
    it.turnstile.leave(sent)
    it.turnstile.leave(it.turnstile.enter(READ))
    assert it.told == [Waiting(600.0, "its hourly limit (core)"), None]


def test_of_several_waits_the_longest_is_told_and_they_do_not_take_turns() -> None:
    clock, told = ManualClock(0.0), list[Waiting | None]()
    moved = threading.Lock()

    def wait(condition: threading.Condition, seconds: float) -> None:
        condition.wait(0.001)
        with moved:
            clock.advance(0.05)

    turnstile = Turnstile(Limiter(), clock, threading.Event(), told.append, wait)
    sent = turnstile.enter(READ)
    turnstile.learn(sent, Rate("core", 0, 30.0))
    turnstile.learn(sent, Rate("graphql", 0, 20.0))
    turnstile.leave(sent)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda kind: turnstile.leave(turnstile.enter(kind)), [READ, Kind("graphql")] * 4))
    assert told[-1] is None
    reasons = [waiting.why for waiting in told if waiting is not None]
    assert len(reasons) <= 2, reasons
    assert reasons[-1] == "its hourly limit (core)"


def test_wait_of_more_than_an_hour_is_refused_and_told_with_its_date() -> None:
    it = Moving()
    sent = it.turnstile.enter(READ)
    it.turnstile.learn(sent, None, Limited(1e9, "secondary rate limit"))
    it.turnstile.leave(sent)
    with pytest.raises(Unreachable, match=r"before 2001-09-\d\d \d\d:\d\d: secondary rate limit"):
        it.turnstile.enter(READ)
    it.turnstile.learn(sent, None, Limited(1e200, "secondary rate limit"))
    with pytest.raises(Unreachable, match="before 9999"):
        it.turnstile.enter(READ)


def test_sleep_ends_when_the_run_stops() -> None:
    it = Moving()
    it.turnstile.sleep(30.0)
    assert it.clock.now() == 30.0
    it.stop.set()
    with pytest.raises(Interrupted):
        it.turnstile.sleep(30.0)
    assert it.clock.now() == 30.0


def test_threads_are_let_through_one_after_another_and_all_of_them() -> None:
    """At most three at once, whoever comes, and nobody is forgotten."""
    turnstile = Turnstile(Limiter(at_once=3), SystemClock(), threading.Event())
    lock, inside, most = threading.Lock(), 0, 0

    def go(_: int) -> None:
        nonlocal inside, most
        sent = turnstile.enter(READ)
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1
        turnstile.leave(sent)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(go, range(200)))
    assert 1 <= most <= 3


def test_thread_that_waits_for_another_goes_on_as_soon_as_that_ends() -> None:
    turnstile = Turnstile(Limiter(at_once=1), SystemClock(), threading.Event())
    first = turnstile.enter(READ)
    through = threading.Event()

    def second() -> None:
        turnstile.leave(turnstile.enter(CREATE))
        through.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not through.is_set()
    turnstile.leave(first)
    assert through.wait(10.0)
    thread.join()


def test_thread_that_waits_is_let_go_when_the_run_stops() -> None:
    stop = threading.Event()
    turnstile = Turnstile(Limiter(at_once=1), SystemClock(), stop)
    turnstile.enter(READ)
    ended = threading.Event()

    def second() -> None:
        with pytest.raises(Interrupted):
            turnstile.enter(READ)
        ended.set()

    thread = threading.Thread(target=second)
    thread.start()
    stop.set()
    assert ended.wait(10.0)
    thread.join()


def test_run_that_stops_may_still_say_so_where_it_need_not_wait() -> None:
    it = Moving(Limiter(at_once=1))
    it.stop.set()
    sent = it.turnstile.enter(READ)
    with pytest.raises(Interrupted):
        it.turnstile.enter(READ)
    it.turnstile.leave(sent)
    it.turnstile.leave(it.turnstile.enter(READ))
    assert it.clock.now() == 0.0
