from __future__ import annotations

import math
import random

import pytest

from shared.forge.github.limits import HOUR, Admitted, Kind, Limiter, Sent, WaitUntil
from shared.forge.github.rates import Rate
from tests.support.github_limits import Limits, bound, ideal, simulate

READ, WRITE = Kind(), Kind(points=5)
CREATE = Kind(points=5, creates=True)
QUERY, MUTATION = Kind("graphql"), Kind("graphql", 5)


def send(limiter: Limiter, kind: Kind, now: float = 0.0, takes: float = 0.0) -> Sent:
    assert limiter.look(now, kind) == Admitted()
    sent = limiter.take(now, kind)
    limiter.settle(now + takes, sent)
    return sent


def wait(limiter: Limiter, kind: Kind, now: float) -> WaitUntil:
    found = limiter.look(now, kind)
    assert isinstance(found, WaitUntil), found
    return found


def test_kind_of_a_request_is_told_by_its_method_and_path() -> None:
    assert Kind.of("GET", "/repos/o/r") == Kind("core", 1)
    assert Kind.of("PATCH", "/repos/o/r") == Kind("core", 5)
    assert Kind.of("POST", "/repos/o/r/pulls", creates=True) == Kind("core", 5, creates=True)
    assert Kind.of("GET", "/search/issues") == Kind("search", 1)
    assert Kind.of_graphql(mutates=False) == Kind("graphql", 1)
    assert Kind.of_graphql(mutates=True) == Kind("graphql", 5)


def test_hundred_requests_are_under_way_at_once_and_no_more() -> None:
    limiter = Limiter()
    sent = [limiter.take(0.0, READ) for _ in range(100)]
    assert wait(limiter, READ, 0.0) == WaitUntil(math.inf, "100 requests at once")
    limiter.settle(1.0, sent[0])
    assert limiter.look(1.0, READ) == Admitted()


def test_a_write_is_five_points_of_nine_hundred() -> None:
    limiter = Limiter()
    for _ in range(180):
        send(limiter, WRITE)
    assert wait(limiter, READ, 59.0) == WaitUntil(60.5, "900 points a minute")
    assert limiter.look(59.0, QUERY) == Admitted()  # counted apart
    assert limiter.look(60.5, WRITE) == Admitted()


def test_graphql_has_points_of_its_own() -> None:
    limiter = Limiter()
    for _ in range(400):
        send(limiter, MUTATION)
    assert wait(limiter, QUERY, 1.0).why == "2000 points of GraphQL a minute"
    assert limiter.look(1.0, WRITE) == Admitted()


def test_creations_are_counted_by_the_minute_and_by_the_hour() -> None:
    limiter = Limiter()
    now = 0.0
    for i in range(500):
        if i and i % 80 == 0:
            assert wait(limiter, CREATE, now) == WaitUntil(now + 60.5, "80 creations a minute")
            assert limiter.look(now, WRITE) == Admitted()
            now += 60.5
        send(limiter, CREATE, now)
    assert wait(limiter, CREATE, now + 61) == WaitUntil(HOUR + 0.5, "500 creations an hour")
    assert limiter.look(HOUR + 0.5, CREATE) == Admitted()


def test_searches_have_a_limit_of_their_own() -> None:
    limiter = Limiter()
    for _ in range(30):
        send(limiter, Kind("search"))
    assert wait(limiter, Kind("search"), 1.0).why == "30 searches a minute"
    assert limiter.look(1.0, READ) == Admitted()


def test_slow_request_counts_from_its_answer_as_nobody_knows_when_it_arrived() -> None:
    limiter = Limiter(creations=1)
    sent = limiter.take(0.0, CREATE)
    assert math.isinf(wait(limiter, CREATE, 100.0).at)
    limiter.settle(100.0, sent)
    assert wait(limiter, CREATE, 100.0).at == 160.5


# What answers say is left


def test_nothing_is_sent_when_the_hour_is_used_up() -> None:
    limiter = Limiter()
    limiter.learn(0.0, Rate("core", 0, 1200.0))
    assert wait(limiter, READ, 0.0) == WaitUntil(1200.0, "its hourly limit (core)")
    assert limiter.look(0.0, QUERY) == Admitted()
    assert limiter.look(1200.0, READ) == Admitted()


def test_those_under_way_are_not_in_what_was_told() -> None:
    limiter = Limiter()
    limiter.learn(0.0, Rate("core", 2, 1200.0))
    sent = [limiter.take(0.0, READ), limiter.take(0.0, READ)]
    assert math.isinf(wait(limiter, READ, 0.0).at)
    limiter.learn(1.0, Rate("core", 1, 1199.0))
    limiter.settle(1.0, sent[0])
    assert math.isinf(wait(limiter, READ, 1.0).at)
    limiter.learn(2.0, Rate("core", 0, 1198.0))
    limiter.settle(2.0, sent[1])
    assert wait(limiter, READ, 2.0).at == 1200.0


def test_answers_out_of_order_do_not_bring_requests_back() -> None:
    limiter = Limiter()
    for remaining in (3, 0, 2):
        limiter.learn(0.0, Rate("core", remaining, 600.0))
    assert wait(limiter, READ, 0.0).at == 600.0


def test_new_hour_is_a_new_hour() -> None:
    limiter = Limiter()
    limiter.learn(0.0, Rate("core", 0, 600.0))
    limiter.learn(600.0, Rate("core", 4999, 3600.0))
    assert limiter.look(600.0, READ) == Admitted()


# Pauses


def test_pause_holds_for_everything() -> None:
    limiter = Limiter()
    sent = send(limiter, READ)
    assert limiter.pause(1.0, sent, 30.0, "secondary") == 31.0
    for kind in (READ, CREATE, QUERY):
        assert wait(limiter, kind, 1.0) == WaitUntil(31.0, "secondary")
        assert limiter.look(31.0, kind) == Admitted()


def test_used_up_limit_of_one_resource_stops_that_alone() -> None:
    limiter = Limiter()
    limiter.pause(0.0, send(limiter, QUERY), 300.0, "primary", "graphql")
    assert wait(limiter, QUERY, 0.0).at == 300.0
    assert limiter.look(0.0, READ) == Admitted()


def test_pause_without_a_length_is_a_minute_then_twice_as_long_each_time_up_to_an_hour() -> None:
    limiter, now, lengths = Limiter(), 0.0, []
    for _ in range(8):
        sent = send(limiter, READ, now)
        until = limiter.pause(now, sent, None, "secondary")
        lengths.append(until - now)
        now = until
    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_requests_that_were_under_way_together_are_refused_together() -> None:
    limiter = Limiter()
    sent = [limiter.take(0.0, READ) for _ in range(50)]
    assert {limiter.pause(1.0 + i / 100, one, None, "secondary") for i, one in enumerate(sent)} == {61.0}
    for one in sent:
        limiter.settle(2.0, one)
    later = limiter.take(61.0, READ)
    assert limiter.pause(62.0, later, None, "secondary") == 182.0


def test_answer_after_a_pause_makes_the_next_one_a_first_one() -> None:
    limiter = Limiter()
    before = limiter.take(0.0, READ)
    limiter.pause(1.0, limiter.take(0.0, READ), None, "secondary")
    limiter.well(before)  # it was asked before
    again = limiter.take(61.0, READ)
    assert limiter.pause(61.0, again, None, "secondary") == 181.0
    limiter.well(limiter.take(181.0, READ))
    assert limiter.pause(200.0, limiter.take(200.0, READ), None, "secondary") == 260.0


def test_shorter_wish_does_not_end_a_longer_pause() -> None:
    limiter = Limiter()
    sent = limiter.take(0.0, READ)
    limiter.pause(0.0, sent, 100.0, "long")
    assert limiter.pause(1.0, sent, 5.0, "short") == 100.0
    assert wait(limiter, READ, 50.0) == WaitUntil(100.0, "long")


# A batch against GitHub's real limits (R21)

TASK = (
    CREATE,
    READ,
    CREATE,
    WRITE,
    WRITE,
    WRITE,
)  # comment, look-up, pull request, labels, status, comment edited


@pytest.mark.parametrize("seed", range(3))
def test_requests_that_do_not_depend_on_one_another_are_sent_as_fast_as_can_be(seed: int) -> None:
    tasks = [(kind,) for kind in TASK * 100]
    random.Random(seed).shuffle(tasks)
    limits = Limits()
    done = simulate(tasks, limits, seed)
    assert limits.trespasses == []
    assert ideal(tasks) == bound(tasks) == 120.0
    assert done.seconds <= 1.1 * bound(tasks)


@pytest.mark.parametrize("seed", range(3))
def test_hundred_tasks_trip_no_limit_and_lose_no_time(seed: int) -> None:
    limits = Limits()
    tasks = [TASK] * 100
    done = simulate(tasks, limits, seed)
    assert limits.trespasses == []
    assert limits.requests == 600
    assert done.seconds <= 1.1 * ideal(tasks), (done, ideal(tasks))


def test_more_creations_than_an_hour_allows_go_on_in_the_next() -> None:
    limits = Limits()
    tasks = [(CREATE,) * 6] * 100
    done = simulate(tasks, limits)
    assert limits.trespasses == []
    assert done.seconds <= 1.1 * ideal(tasks)
    assert "500 creations an hour" in done.waited


def test_token_of_an_actions_job_with_a_thousand_requests_an_hour_suffices_or_waits() -> None:
    limits = Limits(hourly=1000)
    tasks = [TASK * 3] * 100
    done = simulate(tasks, limits)
    assert limits.trespasses == []
    assert done.seconds <= 1.1 * ideal(tasks, hourly=1000)
    assert "its hourly limit (core)" in done.waited


@pytest.mark.parametrize("seed", range(8))
def test_any_mixture_of_requests_trips_no_limit(seed: int) -> None:
    chance = random.Random(seed)
    kinds = (READ, WRITE, CREATE, QUERY, MUTATION)
    weights = [chance.random() + 0.01 for _ in kinds]
    tasks = [tuple(chance.choices(kinds, weights, k=chance.randint(1, 30))) for _ in range(120)]
    limits = Limits(hourly=chance.choice([200, 1000, 5000]))
    simulate(tasks, limits, seed)
    assert limits.trespasses == []
    assert limits.requests == sum(map(len, tasks))


def test_model_of_limits_does_complain() -> None:
    """Or the tests above would show nothing."""
    limits = Limits(hourly=100_000)
    loose = Limiter(at_once=1000, points=10_000, creations=1000, creations_an_hour=10_000)
    simulate([TASK * 10] * 150, limits, limiter=loose)
    told = {line.partition(": ")[2] for line in limits.trespasses}
    assert {"points", "creations a minute", "creations an hour"} <= told
    assert any(line.endswith("at once") for line in told)
