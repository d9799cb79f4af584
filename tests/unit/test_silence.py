from __future__ import annotations

from orchestrator.silence import Silence
from shared.model import TaskId

A, B = TaskId("a"), TaskId("b")


def looked(silence: Silence, begin: float, end: float) -> frozenset[TaskId]:
    """What was found hung in a look every fifth of a second."""
    looks = int((end - begin) * 5) + 1
    return frozenset().union(*(silence.hung(begin + number / 5) for number in range(looks)))


def test_manager_that_says_nothing_for_a_minute_is_hung() -> None:
    silence = Silence()
    silence.heard(A, 0.0)
    silence.heard(B, 30.0)
    assert looked(silence, 0.0, 59.8) == frozenset()
    assert looked(silence, 60.0, 61.0) == {A}


def test_manager_that_has_ended_is_not() -> None:
    silence = Silence()
    silence.heard(A, 0.0)
    silence.forget(A)
    assert looked(silence, 0.0, 100.0) == frozenset()


def test_pause_of_the_orchestrator_itself_is_no_silence_of_its_managers() -> None:
    silence = Silence()
    silence.heard(A, 0.0)
    assert looked(silence, 0.0, 10.0) == frozenset()
    assert looked(silence, 1000.0, 1050.0) == frozenset()  # Ctrl-Z, and a quarter of an hour later fg
    assert looked(silence, 1050.0, 1061.0) == {A}
