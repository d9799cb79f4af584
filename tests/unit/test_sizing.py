from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.broker import Sizes
from orchestrator.sizing import Load, Range, adjusted, sizes_for
from shared.model import Machine, Profile

GIGABYTE = 1024**3
BOUNDS = Range(Sizes(8, 8, 2), Sizes(16, 16, 4))


def load(**fields: object) -> Load:
    calm = {"memory_free": 12 * GIGABYTE, "memory_total": 16 * GIGABYTE, "per_processor": 0.2}
    return Load(**(calm | {"disk_free": 50 * GIGABYTE} | fields))  # type: ignore[arg-type]


def profile(**fields: object) -> Profile:
    usual = {"name": "medium", "agents": 5, "memory": 8 * GIGABYTE, "memory_per_agent": GIGABYTE}
    return Profile(**(usual | {"cpu_per_agent": 1.0} | fields))  # type: ignore[arg-type]


def test_jobs_are_obeyed_whatever_the_machine() -> None:
    bounds = sizes_for(Machine(1, GIGABYTE), 12, profile())
    assert bounds == Range(Sizes(12, 12, 12), Sizes(12, 12, 12))


def test_profile_says_how_many_agents_and_its_share_of_processors_how_many_commands() -> None:
    assert sizes_for(Machine(4, 32 * GIGABYTE), 0, profile(cpu_per_agent=2.0)).first == Sizes(5, 5, 2)


def test_commands_follow_the_processors_and_agents_that_wait_for_a_model_go_beyond() -> None:
    bounds = sizes_for(Machine(4, 64 * GIGABYTE), 0, None)
    assert bounds.first == Sizes(total=16, model=16, cpu=4)
    assert bounds.most == Sizes(total=32, model=32, cpu=8)


def test_little_memory_means_few_agents() -> None:
    bounds = sizes_for(Machine(16, GIGABYTE), 0, None)
    assert (bounds.first, bounds.most) == (Sizes(2, 2, 2), Sizes(2, 2, 2))


@pytest.mark.parametrize(
    ("pressure", "then", "reason"),
    [
        ({"memory_free": GIGABYTE // 2}, Sizes(4, 4, 1), "memory is short: 512 MB available"),
        ({"limited": True}, Sizes(8, 4, 2), "a rate limit"),
        ({"disk_free": 1000}, Sizes(1, 1, 1), "the disk is nearly full"),
    ],
)
def test_pressure_takes_slots_away(pressure: dict[str, object], then: Sizes, reason: str) -> None:
    assert adjusted(BOUNDS.first, BOUNDS, load(**pressure), crowded=(True, True)) == (then, reason)


def test_idle_machine_gives_one_more_where_somebody_waits() -> None:
    now, reason = adjusted(BOUNDS.first, BOUNDS, load(), crowded=(False, True))
    assert (now, reason) == (Sizes(9, 8, 3), "the machine is idle")


def test_nobody_who_waits_means_no_change() -> None:
    assert adjusted(BOUNDS.first, BOUNDS, load(), crowded=(False, False)) == (BOUNDS.first, "")


def test_busy_processors_get_no_further_commands_but_agents_that_wait_elsewhere() -> None:
    busy = load(per_processor=1.4)
    assert adjusted(BOUNDS.first, BOUNDS, busy, crowded=(False, True)) == (BOUNDS.first, "")
    assert adjusted(BOUNDS.first, BOUNDS, busy, crowded=(True, True))[0] == Sizes(9, 9, 2)


def test_slots_come_back_one_by_one_after_the_pressure_is_gone() -> None:
    now, told = Sizes(4, 4, 1), []
    for _ in range(6):
        now, reason = adjusted(now, BOUNDS, load(per_processor=1.4), crowded=(True, True))
        told.append(reason)
    assert now == Sizes(10, 10, 2)
    assert told[0] == "there is room again"


@given(
    st.integers(0, 64),
    st.integers(1, 64),
    st.integers(1, 256),
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 4), st.booleans(), st.booleans(), st.booleans()), max_size=30
    ),
)
def test_sizes_never_leave_their_bounds(
    jobs: int, processors: int, gigabytes: int, moves: list[tuple[float, float, bool, bool, bool]]
) -> None:
    memory = gigabytes * GIGABYTE
    bounds = sizes_for(Machine(processors, memory), jobs, None)
    now = bounds.first
    for free, busy, limited, models, commands in moves:
        felt = Load(int(memory * free), memory, busy, 50 * GIGABYTE, limited)
        now, _ = adjusted(now, bounds, felt, crowded=(models, commands))
        for have, most in (
            (now.total, bounds.most.total),
            (now.model, bounds.most.model),
            (now.cpu, bounds.most.cpu),
        ):
            assert 1 <= have <= most
        assert now.gate == 1


def test_disk_that_hovers_around_its_limit_does_not_make_slots_come_and_go() -> None:
    limit = 256 * 1024**2
    now, told = BOUNDS.first, []
    for nearly in (-1, 1, -1, 50 * 1024**2, -1, 1):
        now, reason = adjusted(now, BOUNDS, load(disk_free=limit + nearly), crowded=(True, True))
        told.append(reason)
    assert (now, told) == (Sizes(1, 1, 1), ["the disk is nearly full", "", "", "", "", ""])
    assert adjusted(now, BOUNDS, load(disk_free=3 * limit), crowded=(True, True))[1] == "there is room again"


@given(st.lists(st.floats(0.06, 0.24), min_size=1, max_size=30))
def test_slots_that_memory_took_do_not_come_back_while_it_hovers_around_the_limit(
    shares: list[float],
) -> None:
    now = BOUNDS.first
    for share in shares:
        then, _ = adjusted(now, BOUNDS, load(memory_free=int(16 * GIGABYTE * share)), crowded=(True, True))
        assert (then.total, then.model, then.cpu) <= (now.total, now.model, now.cpu)
        now = then
