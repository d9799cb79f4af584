from __future__ import annotations

import itertools
import math

from orchestrator.gateway.rules.admission import Admitted, WaitUntil
from orchestrator.gateway.rules.breaker import Breaker

PROBE = Admitted(probe=True)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(threshold=3, interval=2.0, longest=60.0)
    for _ in range(3):
        breaker.failed(at, Admitted(), "status 529")
    return breaker


def test_two_failures_in_a_row_keep_nobody_from_asking() -> None:
    breaker = Breaker(threshold=3)
    breaker.failed(0.0, Admitted(), "status 529")
    breaker.failed(0.0, Admitted(), "status 529")
    assert breaker.look(0.0) == Admitted()


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker(threshold=2)
    breaker.failed(0.0, Admitted(), "status 529")
    breaker.succeeded(0.0, Admitted())
    breaker.failed(0.0, Admitted(), "status 529")
    assert not breaker.open


def test_after_failures_in_a_row_nobody_asks_for_an_interval() -> None:
    breaker = opened()
    assert breaker.look(1.9) == WaitUntil(2.0, "status 529")
    assert breaker.look(2.0) == PROBE


def test_only_one_probes_at_a_time() -> None:
    breaker = opened()
    breaker.take(2.0, PROBE)
    assert breaker.look(5.0) == WaitUntil(math.inf, "status 529")


def test_probe_that_is_never_answered_does_not_keep_all_others_for_ever() -> None:
    breaker = opened()
    breaker.take(2.0, PROBE)
    assert breaker.look(62.0) == PROBE


def test_outage_of_five_minutes_sees_one_probe_an_interval_of_growing_length() -> None:
    """R23: however many callers wait, what is asked does not grow with them."""
    breaker, now, probes = opened(), 0.0, []
    while now < 300:
        for _ in range(12):  # managers that all want to
            if breaker.look(now) == PROBE:
                breaker.take(now, PROBE)
                probes.append(now)
        if probes and probes[-1] == now:
            breaker.failed(now, PROBE, "status 529")
        now += 0.25
    gaps = [later - earlier for earlier, later in itertools.pairwise(probes)]
    assert gaps == sorted(gaps)
    assert gaps == [4, 8, 16, 32, 60, 60, 60]


def test_probe_that_is_answered_lets_all_go_on() -> None:
    breaker = opened()
    breaker.take(2.0, PROBE)
    breaker.succeeded(2.5, PROBE)
    assert breaker.look(2.5) == Admitted()
    assert breaker.down_for(2.5) == 0.0


def test_probe_whose_caller_has_gone_makes_room_for_another() -> None:
    breaker = opened()
    breaker.take(2.0, PROBE)
    breaker.gone(PROBE)
    assert breaker.look(2.5) == PROBE


def test_rate_limit_holds_for_all_until_its_end_and_then_one_asks_first() -> None:
    breaker = Breaker()
    breaker.limited(0.0, Admitted(), 171.0, "rate limit")
    assert breaker.look(170.9) == WaitUntil(171.0, "rate limit")
    assert breaker.look(171.0) == PROBE


def test_answer_to_what_was_sent_before_a_pause_does_not_end_it() -> None:
    breaker = Breaker()
    breaker.limited(0.0, Admitted(), 171.0, "rate limit")
    breaker.succeeded(1.0, Admitted())
    assert breaker.look(2.0) == WaitUntil(171.0, "rate limit")


def test_later_wish_to_wait_longer_outlasts_the_probe() -> None:
    breaker = Breaker()
    breaker.limited(0.0, Admitted(), 10.0, "rate limit")
    breaker.take(10.0, PROBE)
    breaker.limited(10.0, Admitted(), 60.0, "rate limit")
    breaker.succeeded(11.0, PROBE)
    assert breaker.look(12.0) == WaitUntil(70.0, "rate limit")


def test_shorter_wish_does_not_shorten_a_pause() -> None:
    breaker = Breaker()
    breaker.limited(0.0, Admitted(), 60.0, "rate limit")
    breaker.limited(1.0, Admitted(), 5.0, "rate limit")
    assert breaker.look(30.0) == WaitUntil(60.0, "rate limit")


def test_failure_that_asks_for_more_than_the_interval_gets_it() -> None:
    breaker = opened()
    breaker.take(2.0, PROBE)
    breaker.failed(2.0, PROBE, "status 529", delay=30.0)
    assert breaker.look(31.9) == WaitUntil(32.0, "status 529")


def test_outage_is_as_long_as_it_is_open_and_a_rate_limit_is_none() -> None:
    breaker = opened(at=10.0)
    assert breaker.down_for(70.0) == 60.0
    breaker.limited(70.0, Admitted(), 500.0, "rate limit")
    assert breaker.down_for(400.0) == 0.0
