from __future__ import annotations

import pytest

from shared.clock import ManualClock, SystemClock
from shared.profiling import Timings, timed


def test_timing_is_what_passed_on_the_clock() -> None:
    clock = ManualClock()
    with timed("gate", clock.monotonic) as timing:
        clock.advance(2.5)
    clock.advance(100)
    assert (timing.name, timing.seconds) == ("gate", 2.5)


def test_timing_that_still_runs_says_what_has_passed_so_far() -> None:
    clock = ManualClock()
    with timed(clock=clock.monotonic) as timing:
        assert timing.seconds == 0.0
        clock.advance(1)
        assert timing.seconds == 1.0
        clock.advance(1)
    assert timing.seconds == 2.0


def test_nested_timings_are_all_recorded_and_the_outer_one_includes_the_inner() -> None:
    clock, timings = ManualClock(), Timings()
    with timed("run", clock.monotonic, timings):
        clock.advance(1)
        for seconds in (2, 3):
            with timed("agent", clock.monotonic, timings):
                clock.advance(seconds)
    assert timings.names == ("agent", "run")
    assert timings.of("agent") == (2.0, 3.0)
    assert (timings.total("agent"), timings.total("run")) == (5.0, 6.0)


def test_block_that_raises_is_timed_and_recorded() -> None:
    clock, timings = ManualClock(), Timings()

    def work() -> None:
        with timed("gate", clock.monotonic, timings):
            clock.advance(4)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert timings.of("gate") == (4.0,)


def test_name_without_a_timing_has_none() -> None:
    assert (Timings().of("gate"), Timings().total("gate")) == ((), 0.0)


def test_real_clocks_only_go_forward() -> None:
    for clock in (None, SystemClock().monotonic):
        with timed(clock=clock) if clock else timed() as timing:
            first = timing.seconds
        assert 0.0 <= first <= timing.seconds < 60
