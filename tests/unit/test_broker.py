from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.broker import Broker, Lease
from shared.model import AgentName, TaskId


def lease(task: str, agent: str = "CODER") -> Lease:
    return Lease(TaskId(task), AgentName(agent))


def test_at_most_as_many_leases_as_slots_are_held() -> None:
    broker = Broker(2)
    for number in range(5):
        broker.want(lease(f"t{number}"), 1.0, number)
    assert broker.grants() == [lease("t0"), lease("t1")]
    assert broker.grants() == []
    assert (broker.used, broker.waiting) == (2, 3)


def test_returned_slot_goes_to_the_next() -> None:
    broker = Broker(1)
    broker.want(lease("a"), 1.0, 0)
    broker.want(lease("b"), 1.0, 1)
    assert broker.grants() == [lease("a")]
    broker.give_back(lease("a"))
    assert broker.grants() == [lease("b")]


def test_longest_remaining_path_comes_first_and_ties_go_by_the_batch() -> None:
    broker = Broker(10)
    broker.want(lease("late"), 2.0, 3)
    broker.want(lease("short"), 1.0, 0)
    broker.want(lease("long"), 5.0, 2)
    broker.want(lease("early"), 2.0, 1)
    assert [granted.task for granted in broker.grants()] == ["long", "early", "late", "short"]


def test_agents_of_one_task_hold_slots_of_their_own() -> None:
    broker = Broker(2)
    broker.want(lease("a", "ONE"), 1.0, 0)
    broker.want(lease("a", "TWO"), 1.0, 0)
    assert len(broker.grants()) == 2


def test_wish_that_is_taken_back_is_never_granted() -> None:
    broker = Broker(1)
    broker.want(lease("a"), 1.0, 0)
    broker.give_back(lease("a"))
    assert broker.grants() == []


def test_everything_of_a_task_whose_manager_is_gone_is_free_again() -> None:
    broker = Broker(2)
    for agent in ("ONE", "TWO", "THREE"):
        broker.want(lease("gone", agent), 1.0, 0)
    broker.want(lease("other"), 0.5, 1)
    broker.grants()
    broker.forget(TaskId("gone"))
    assert (broker.used, broker.waiting) == (0, 1)
    assert broker.grants() == [lease("other")]


def test_returning_what_nobody_holds_changes_nothing() -> None:
    broker = Broker(1)
    broker.give_back(lease("a"))
    broker.forget(TaskId("b"))
    assert broker.used == 0


def test_wish_repeated_before_it_is_granted_counts_once() -> None:
    broker = Broker(3)
    broker.want(lease("a"), 1.0, 0)
    broker.want(lease("a"), 2.0, 0)
    assert broker.grants() == [lease("a")]
    assert broker.waiting == 0


@given(st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.floats(0, 9)), max_size=40))
def test_nothing_that_happens_gives_out_more_than_the_slots(
    slots: int, moves: list[tuple[bool, int, float]]
) -> None:
    broker = Broker(slots)
    held: set[Lease] = set()
    wanted: set[Lease] = set()
    for wants, number, remaining in moves:
        one = lease(f"t{number}")
        if wants and one not in held:
            broker.want(one, remaining, number)
            wanted.add(one)
        elif not wants:
            broker.give_back(one)
            held.discard(one)
            wanted.discard(one)
        granted = broker.grants()
        assert set(granted) <= wanted
        held.update(granted)
        wanted.difference_update(granted)
        assert len(held) == broker.used <= slots
        assert not wanted or len(held) == slots
