from __future__ import annotations

import pytest

from shared.retry import GiveUp, LockHeld, RetryAt, decide, while_locked


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
