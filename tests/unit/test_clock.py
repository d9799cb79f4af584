from __future__ import annotations

import time

import pytest

from shared.clock import Clock, ManualClock, SystemClock, WakingClock, timestamp


def test_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(100.0)
    assert (clock.now(), clock.monotonic(), clock.now()) == (100.0, 100.0, 100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 102.5)


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(), WakingClock()])
def test_clocks_do_not_run_backwards(clock: Clock) -> None:
    assert clock.monotonic() <= clock.monotonic()
    assert clock.now() > 1_600_000_000


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has two such clocks")
def test_clock_that_goes_on_asleep_is_ahead_of_the_other_by_all_sleep() -> None:
    asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    assert WakingClock().monotonic() - SystemClock().monotonic() == pytest.approx(asleep, abs=0.5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500Z"),
        (1_709_208_000, "2024-02-29T12:00:00.000Z"),
    ],
)
def test_timestamps_are_utc_to_the_millisecond(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text
