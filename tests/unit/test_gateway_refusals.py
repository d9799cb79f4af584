from __future__ import annotations

import pytest

from orchestrator.gateway.rules.refusals import Refusals


@pytest.mark.parametrize(
    ("seconds", "answered", "given_up"),
    [
        (1.0, [5] * 50, None),  # a limit of the whole account
        (1.0, [5, *[6] * 49], 8),
        (1.0, [5] * 20 + [6] * 30, 21),
        (171.0, [5] * 50, 12),  # half an hour
        (1000.0, [5] * 50, 8),
        (100_000.0, [5] * 7, None),  # long limits are few
    ],
)
def test_request_is_given_up_at_its_refusal_number(
    seconds: float, answered: list[int], given_up: int | None
) -> None:
    refusals = Refusals(longest=1800.0)
    verdicts = [refusals.is_last(number * seconds, before) for number, before in enumerate(answered)]
    assert (verdicts.index(True) + 1 if True in verdicts else None) == given_up
