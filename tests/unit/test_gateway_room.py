from __future__ import annotations

import pytest

from orchestrator.gateway.rules.room import Room
from shared.model import TaskId

A, B, C = TaskId("a"), TaskId("b"), TaskId("c")


@pytest.mark.parametrize(
    ("held", "task", "size", "fits"),
    [
        ([], A, 50, True),
        ([], A, 51, False),
        ([(A, 50)], A, 1, False),
        ([(A, 50)], B, 50, True),
        ([(A, 50), (B, 49)], C, 11, True),  # as much as there is for all
        ([(A, 50), (B, 49)], C, 12, False),
        ([(A, 50), (B, 50)], C, 10, True),
        ([(A, 50), (B, 50), (C, 10)], TaskId("d"), 5, True),  # a little is always there
        ([(A, 50), (B, 50), (C, 10)], TaskId("d"), 6, False),
    ],
)
def test_room_is_there_for_each_and_for_all(
    held: list[tuple[TaskId, int]], task: TaskId, size: int, fits: bool
) -> None:
    room = Room(least=5, each=50, everyone=110)
    assert all(room.take(*one) for one in held)
    assert room.take(task, size) is fits


def test_room_that_was_given_back_is_there_again_and_what_was_refused_takes_none() -> None:
    room = Room(least=5, each=50, everyone=100)
    assert room.take(A, 40)
    assert not room.take(A, 20)
    room.give(A, 40)
    assert room.take(A, 50)
