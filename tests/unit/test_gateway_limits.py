from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.rules.admission import Admitted, Estimate, WaitUntil
from orchestrator.gateway.rules.limits import Limiter, Sent, Window
from orchestrator.gateway.rules.outcomes import Rate

MODEL = "claude-sonnet-5-5"
SMALL = Estimate(10, 10)
LAST = Sent(MODEL, SMALL, Counter())


def schedule(limiter: Limiter, count: int, estimate: Estimate = SMALL, output: int = 10) -> list[float]:
    """When each of ``count`` requests is sent by callers that come at once and are answered at once."""
    now, sent = 0.0, []
    while len(sent) < count:
        answer = limiter.look(now, MODEL, estimate)
        if isinstance(answer, WaitUntil):
            assert math.isfinite(answer.at)
            assert answer.at > now
            now = answer.at
            continue
        limiter.settle(limiter.take(now, MODEL, estimate), now, output)
        sent.append(now)
    return sent


def most_in_a_minute(sent: list[float], amount: int = 1) -> int:
    return max(sum(amount for at in sent if begin <= at < begin + 60) for begin in sent)


def test_without_limits_everything_is_sent_at_once() -> None:
    assert schedule(Limiter(), 100) == [0.0] * 100


def test_requests_per_minute_hold_for_any_minute_and_take_no_longer_than_they_must() -> None:
    sent = schedule(Limiter(requests=10), 45)
    assert most_in_a_minute(sent) <= 10
    assert sent[-1] <= 1.1 * 4 * 60


def test_input_tokens_per_minute_hold_for_any_minute() -> None:
    sent = schedule(Limiter(input_tokens=1000), 20, Estimate(300, 10))
    assert most_in_a_minute(sent, 300) <= 1000


def test_output_counts_as_it_was_and_not_as_it_might_have_been() -> None:
    sent = schedule(Limiter(output_tokens=1000), 10, Estimate(1, 1_000_000), output=100)
    assert sum(at < 60 for at in sent) >= 5


def test_request_larger_than_the_limit_is_sent_alone_instead_of_never() -> None:
    sent = schedule(Limiter(input_tokens=100), 3, Estimate(5000, 1))
    assert sent[0] == 0.0
    assert all(60 < later - earlier < 66 for earlier, later in itertools.pairwise(sent))


def test_no_more_requests_are_open_at_once_than_allowed() -> None:
    limiter = Limiter(at_once=2)
    first, _ = limiter.take(0.0, MODEL, SMALL), limiter.take(0.0, MODEL, SMALL)
    assert limiter.look(0.0, MODEL, SMALL) == WaitUntil(math.inf, "2 requests at once")
    limiter.settle(first, 0.0, 5)
    assert limiter.look(0.0, MODEL, SMALL) == Admitted()


def test_what_the_server_says_is_left_is_used_up_and_then_waited_for() -> None:
    limiter = Limiter()
    limiter.learn(100.0, LAST, {"requests": Rate(2, 30.0)})
    limiter.take(100.0, MODEL, SMALL)
    limiter.take(100.0, MODEL, SMALL)
    assert limiter.look(101.0, MODEL, SMALL) == WaitUntil(130.0, "the server's limit of requests")
    assert limiter.look(130.0, MODEL, SMALL) == Admitted()


def test_what_the_server_has_taken_away_fills_up_steadily() -> None:
    limiter = Limiter()
    limiter.learn(0.0, LAST, {"requests": Rate(0, 60.0, 60)})
    sent, now = [], 0.0
    while len(sent) < 10:
        answer = limiter.look(now, MODEL, SMALL)
        if isinstance(answer, WaitUntil):
            now = answer.at
        else:
            limiter.take(now, MODEL, SMALL)
            sent.append(round(now, 6))
    assert sent == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]


def test_request_larger_than_the_servers_limit_waits_for_all_of_it() -> None:
    limiter = Limiter()
    limiter.learn(0.0, LAST, {"input-tokens": Rate(500, 30.0, 1000)})
    answer = limiter.look(1.0, MODEL, Estimate(5000, 1))
    assert isinstance(answer, WaitUntil)
    assert answer.at == pytest.approx(30.0)
    assert limiter.look(30.0, MODEL, Estimate(5000, 1)) == Admitted()


def test_after_a_long_silence_no_more_is_sent_than_there_can_be() -> None:
    limiter = Limiter()
    limiter.learn(0.0, LAST, {"requests": Rate(5, 60.0, 60)})
    sent = 0
    while limiter.look(1000.0, MODEL, SMALL) == Admitted():
        limiter.take(1000.0, MODEL, SMALL)
        sent += 1
    assert sent == 60


def test_what_one_model_has_used_up_another_has_not() -> None:
    limiter = Limiter()
    limiter.learn(0.0, LAST, {"input-tokens": Rate(0, 30.0)})
    assert isinstance(limiter.look(0.0, MODEL, SMALL), WaitUntil)
    assert limiter.look(0.0, "claude-haiku-5-5", SMALL) == Admitted()


def test_headers_of_the_last_answer_are_believed_whatever_they_say() -> None:
    limiter = Limiter()
    last = limiter.take(0.0, MODEL, SMALL)
    limiter.learn(0.0, last, {"tokens": Rate(0, 30.0)})
    limiter.learn(1.0, last, {"tokens": Rate(50_000, 30.0)})
    assert limiter.look(2.0, MODEL, SMALL) == Admitted()


def test_first_headers_do_not_know_of_what_is_on_its_way_as_well() -> None:
    limiter = Limiter()
    first, *_ = [limiter.take(0.0, MODEL, SMALL) for _ in range(12)]
    limiter.learn(0.1, first, {"requests": Rate(11, 60.0)})
    assert isinstance(limiter.look(0.1, MODEL, SMALL), WaitUntil)


def test_headers_of_an_earlier_answer_give_nothing_back_that_was_sent_since() -> None:
    limiter = Limiter()
    first = limiter.take(0.0, MODEL, SMALL)
    limiter.learn(0.0, first, {"requests": Rate(2, 60.0)})
    limiter.take(0.0, MODEL, SMALL)
    last = limiter.take(0.0, MODEL, SMALL)
    limiter.learn(1.0, first, {"requests": Rate(2, 60.0)})
    assert isinstance(limiter.look(1.0, MODEL, SMALL), WaitUntil)
    limiter.learn(1.0, last, {"requests": Rate(1, 60.0)})
    assert limiter.look(1.0, MODEL, SMALL) == Admitted()


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 20), st.integers(1, 60)), max_size=60),
)
def test_no_minute_ever_holds_more_than_the_limit(limit: int, wishes: list[tuple[float, int]]) -> None:
    window, now, sent = Window(limit), 0.0, []
    for pause, amount in wishes:
        now = max(now + pause, window.free_at(now + pause, amount))
        assert window.free_at(now, amount) == now
        window.take(now, min(amount, limit))
        sent.append((now, min(amount, limit)))
    for begin, _ in sent:
        assert sum(amount for at, amount in sent if begin <= at < begin + 60) <= limit
