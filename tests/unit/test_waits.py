from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from orchestrator.waits import SILENT, SOON, Waits


class _Timers:
    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, act: Callable[[], None]) -> Callable[[], None]:
        entry = (seconds, act)
        self.waiting.append(entry)
        return lambda: self.waiting.remove(entry)

    def pass_by(self) -> None:
        for _, act in self.waiting:
            act()


def test_what_takes_more_than_a_second_is_said_once() -> None:
    timers, said = _Timers(), list[str]()
    waits = Waits(said.append, timers.later)
    for _ in range(2):
        with waits.during("asking GitHub for issues"):
            assert [seconds for seconds, _ in timers.waiting] == [SOON]
            timers.pass_by()
    assert said == ["asking GitHub for issues …"]


def test_what_is_over_in_time_is_not_said() -> None:
    timers, said = _Timers(), list[str]()
    with Waits(said.append, timers.later).during("asking GitHub for issues"):
        pass
    timers.pass_by()
    assert (said, timers.waiting) == ([], [])


def test_a_limit_is_said_with_its_end_and_its_reason() -> None:
    said: list[str] = []
    until = datetime(2026, 11, 26, 21, 40, 5).astimezone().timestamp()
    waits = Waits(said.append)
    waits.held("its hourly limit (core)", until)
    waits.held("", 0.0)
    assert said == ["GitHub asks to wait until 21:40:05: its hourly limit (core)"]


def test_nothing_is_said_where_nobody_listens() -> None:
    with SILENT.during("asking GitHub"):
        SILENT.held("a limit", 0.0)
