from __future__ import annotations

import contextlib

import pytest
from tenacity import Retrying

from shared.retry import GiveUp, LockHeld, Policy, RetryAt, TryAgain, decide, while_locked


@pytest.mark.parametrize(
    ("attempt", "retries", "answer"),
    [
        (1, 0, GiveUp("why")),
        (1, 1, RetryAt(2)),
        (2, 1, GiveUp("why (tried 2 times)")),
        (1, 3, RetryAt(2)),
        (3, 3, RetryAt(4)),
        (4, 3, GiveUp("why (tried 4 times)")),
        (9, 3, GiveUp("why (tried 9 times)")),
    ],
)
def test_failure_is_tried_again_while_tries_are_left(
    attempt: int, retries: int, answer: RetryAt | GiveUp
) -> None:
    assert decide(attempt, retries, "why") == answer


def test_lock_that_is_let_go_in_a_moment_is_waited_for() -> None:
    tries = 0
    for attempt in while_locked():
        with attempt:
            tries += 1
            if tries < 3:
                raise LockHeld("somebody else holds it")
    assert tries == 3


def test_anything_else_than_a_held_lock_is_no_reason_to_try_again() -> None:
    tries = []

    def move() -> None:
        tries.append(1)
        raise ValueError("other")

    with pytest.raises(ValueError, match="other"):
        while_locked()(move)
    assert len(tries) == 1


def tried(policy: Policy, *errors: Exception) -> list[float]:
    """Seconds that are waited after each of ``errors``, when they come one after another."""
    waited: list[float] = []
    failures = iter(errors)
    retrying = Retrying(**policy.options(TryAgain), sleep=waited.append)
    with contextlib.suppress(StopIteration):
        retrying(lambda: (_ for _ in ()).throw(next(failures)))
    return waited


def test_policy_waits_at_random_and_longer_each_time_up_to_its_longest() -> None:
    waited = tried(Policy(tries=8, first=1.0, longest=4.0), *[TryAgain("busy")] * 7)
    assert len(waited) == 7
    limits = (1, 2, 4, 4, 4, 4, 4)
    assert all(limit * 0.75 <= seconds <= limit for seconds, limit in zip(waited, limits, strict=True))


def test_policy_waits_no_shorter_than_it_was_told() -> None:
    assert tried(Policy(tries=3, first=0.0, longest=0.0), TryAgain("busy", 7.0), TryAgain("busy")) == [
        7.0,
        0.0,
    ]


def test_policy_raises_the_last_error_after_its_tries() -> None:
    errors = [TryAgain("first"), TryAgain("second"), TryAgain("never made")]
    with pytest.raises(TryAgain, match="second"):
        tried(Policy(tries=2, first=0.0, longest=0.0), *errors)


def test_policy_lets_other_errors_pass_at_once() -> None:
    with pytest.raises(ValueError, match="broken"):
        tried(Policy(tries=5, first=1.0, longest=1.0), ValueError("broken"))
