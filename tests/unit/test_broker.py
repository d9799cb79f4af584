from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.broker import Broker, Lease, Sizes
from shared.model import AgentName, SlotKind, TaskId


def lease(task: str, agent: str = "CODER", kind: SlotKind = "cpu") -> Lease:
    return Lease(TaskId(task), AgentName(agent), kind)


def slots(total: int, model: int | None = None, cpu: int | None = None, gate: int = 1) -> Broker:
    return Broker(Sizes(total, total if model is None else model, total if cpu is None else cpu, gate))


def back(broker: Broker, one: Lease) -> None:
    broker.give_back(one.task, one.agent)


def test_at_most_as_many_leases_as_slots_are_held() -> None:
    broker = slots(2)
    for number in range(5):
        broker.want(lease(f"t{number}"), 1.0, number)
    assert broker.grants() == [lease("t0"), lease("t1")]
    assert broker.grants() == []
    assert (broker.used, broker.waiting) == (2, 3)


def test_returned_slot_goes_to_the_next() -> None:
    broker = slots(1)
    broker.want(lease("a"), 1.0, 0)
    broker.want(lease("b"), 1.0, 1)
    assert broker.grants() == [lease("a")]
    back(broker, lease("a"))
    assert broker.grants() == [lease("b")]


def test_longest_remaining_path_comes_first_and_ties_go_by_the_batch() -> None:
    broker = slots(10)
    broker.want(lease("late"), 2.0, 3)
    broker.want(lease("short"), 1.0, 0)
    broker.want(lease("long"), 5.0, 2)
    broker.want(lease("early"), 2.0, 1)
    assert [granted.task for granted in broker.grants()] == ["long", "early", "late", "short"]


def test_agents_of_one_task_hold_slots_of_their_own() -> None:
    broker = slots(2)
    broker.want(lease("a", "ONE"), 1.0, 0)
    broker.want(lease("a", "TWO"), 1.0, 0)
    assert len(broker.grants()) == 2


def test_wish_that_is_taken_back_is_never_granted() -> None:
    broker = slots(1)
    broker.want(lease("a"), 1.0, 0)
    back(broker, lease("a"))
    assert broker.grants() == []


def test_everything_of_a_task_whose_manager_is_gone_is_free_again() -> None:
    broker = slots(2)
    for agent in ("ONE", "TWO", "THREE"):
        broker.want(lease("gone", agent), 1.0, 0)
    broker.want(lease("other"), 0.5, 1)
    broker.grants()
    broker.forget(TaskId("gone"))
    assert (broker.used, broker.waiting) == (0, 1)
    assert broker.grants() == [lease("other")]


def test_returning_what_nobody_holds_changes_nothing() -> None:
    broker = slots(1)
    back(broker, lease("a"))
    broker.forget(TaskId("b"))
    assert broker.used == 0


def test_wish_repeated_before_it_is_granted_counts_once() -> None:
    broker = slots(3)
    broker.want(lease("a"), 1.0, 0)
    broker.want(lease("a"), 2.0, 0)
    assert broker.grants() == [lease("a")]
    assert broker.waiting == 0


@given(st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.floats(0, 9)), max_size=40))
def test_nothing_that_happens_gives_out_more_than_the_slots(
    count: int, moves: list[tuple[bool, int, float]]
) -> None:
    broker = slots(count)
    held: set[Lease] = set()
    wanted: set[Lease] = set()
    for wants, number, remaining in moves:
        one = lease(f"t{number}")
        if wants and one not in held:
            broker.want(one, remaining, number)
            wanted.add(one)
        elif not wants:
            back(broker, one)
            held.discard(one)
            wanted.discard(one)
        granted = broker.grants()
        assert set(granted) <= wanted
        held.update(granted)
        wanted.difference_update(granted)
        assert len(held) == broker.used <= count
        assert not wanted or len(held) == count


# --- kinds


def test_a_kind_that_is_full_does_not_hold_up_another() -> None:
    broker = slots(4, model=4, cpu=1)
    broker.want(lease("a", kind="cpu"), 9.0, 0)
    broker.want(lease("b", kind="cpu"), 8.0, 1)
    broker.want(lease("c", kind="model"), 1.0, 2)
    assert [granted.task for granted in broker.grants()] == ["a", "c"]


def test_all_kinds_of_agents_together_stay_below_the_total() -> None:
    broker = slots(2, model=2, cpu=2)
    for number, kind in enumerate(("cpu", "model", "model")):
        broker.want(lease(f"t{number}", kind=kind), 1.0, number)  # type: ignore[arg-type]
    assert len(broker.grants()) == 2


def test_gate_has_a_slot_of_its_own() -> None:
    broker = slots(1)
    broker.want(lease("a"), 1.0, 0)
    broker.want(lease("b", "@gate", "gate"), 1.0, 1)
    broker.want(lease("c", "@gate", "gate"), 1.0, 2)
    assert [granted.task for granted in broker.grants()] == ["a", "b"]
    assert broker.used == 1


def test_fewer_slots_take_nothing_away_and_more_are_used_at_once() -> None:
    broker = slots(3)
    for number in range(4):
        broker.want(lease(f"t{number}"), 1.0, number)
    broker.grants()
    broker.sizes = Sizes(1, 1, 1)
    back(broker, lease("t0"))
    assert broker.grants() == []
    assert broker.used == 2
    broker.sizes = Sizes(4, 4, 4)
    assert broker.grants() == [lease("t3")]


def test_crowded_is_who_waits_for_a_slot_that_is_held() -> None:
    broker = slots(2, model=2, cpu=1)
    broker.want(lease("a"), 1.0, 0)
    assert not broker.crowded("cpu")
    broker.grants()
    broker.want(lease("b"), 1.0, 1)
    assert (broker.crowded("cpu"), broker.crowded("model")) == (True, False)


def test_what_is_forgotten_is_told_where_it_was_held() -> None:
    broker = slots(1)
    broker.want(lease("a", "ONE"), 1.0, 0)
    broker.want(lease("a", "TWO"), 1.0, 0)
    broker.grants()
    assert broker.forget(TaskId("a")) == [lease("a", "ONE")]
