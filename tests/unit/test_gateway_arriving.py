from __future__ import annotations

import pytest

from orchestrator.gateway.arriving import Arrivals, NotTaken
from orchestrator.gateway.rules.room import Room
from shared.model import TaskId

A, B = TaskId("a"), TaskId("b")
MIB = 1024 * 1024


def test_request_grows_to_what_the_api_takes() -> None:
    with Arrivals(Room()).share(A) as share:
        share.grow(32 * MIB)
        with pytest.raises(NotTaken) as refused:
            share.grow(1)
    assert refused.value.status == 413


def test_requests_of_a_task_hold_what_a_task_may_and_leave_it_behind() -> None:
    arrivals = Arrivals(Room(least=1, each=10, everyone=100))
    with arrivals.share(A) as first, arrivals.share(A) as second, arrivals.share(B) as other:
        first.grow(6)
        with pytest.raises(NotTaken) as refused:
            second.grow(5)
        assert refused.value.status == 429
        other.grow(5)
    with arrivals.share(A) as third:
        third.grow(10)
