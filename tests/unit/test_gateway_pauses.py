from __future__ import annotations

from typing import Any

import pytest

from orchestrator.gateway.rules.pauses import Pause, last

OTHER: dict[str, Any] = {"event": "run.ended"}
RELEASED: dict[str, Any] = {"event": "model.released"}


def held(until: float | None) -> dict[str, Any]:
    return {"event": "model.held", "until": until, "reason": "rate limit"}


@pytest.mark.parametrize(
    ("told", "until"),
    [
        ([], None),
        ([OTHER], None),
        ([held(160.0)], 160.0),
        ([held(160.0), OTHER], 160.0),  # the end of a session is no end of a pause
        ([held(120.0), held(160.0)], 160.0),
        ([held(160.0), RELEASED], None),
        ([held(160.0), RELEASED, held(130.0)], 130.0),
        ([held(100.0)], None),
        ([held(None)], None),
    ],
)
def test_pause_that_a_resumed_run_is_in_at_100(told: list[dict[str, Any]], until: float | None) -> None:
    assert last(told, 100.0) == (None if until is None else Pause(until, "rate limit"))
