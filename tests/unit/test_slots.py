"""The engine's side of slots, seen through the journal that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.broker import Lease, Sizes
from orchestrator.events import GATE
from orchestrator.sizing import Load, Range
from orchestrator.slots import Slots
from shared.model import AgentName, SlotKind, TaskId
from tests.support.slots import check_slots

GIGABYTE = 1024**3
CALM = Load(memory_free=12 * GIGABYTE, memory_total=16 * GIGABYTE, per_processor=0.1, disk_free=50 * GIGABYTE)
SHORT = Load(
    memory_free=GIGABYTE // 4, memory_total=16 * GIGABYTE, per_processor=0.1, disk_free=50 * GIGABYTE
)
FULL = Load(memory_free=12 * GIGABYTE, memory_total=16 * GIGABYTE, per_processor=0.1, disk_free=1000)
TASKS = [TaskId(f"t{number}") for number in range(4)]
AGENTS = [AgentName(name) for name in ("ONE", "TWO", "ONE/c1", "ONE/c2")]


@dataclass
class Pool:
    """Slots with a journal in memory, and a machine that bears what the test says."""

    first: Sizes
    most: Sizes
    load: Load = CALM
    now: float = 0.0
    records: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        order = {task: place for place, task in enumerate(TASKS)}
        paths = {task: {AgentName("ONE"): 5.0, AgentName("TWO"): 2.0} for task in TASKS}
        after = dict.fromkeys(TASKS, 0.0)
        self.slots = Slots(Range(self.first, self.most), paths, after, order, self._record, lambda: self.load)
        self.slots.begin()

    def _record(self, event: str, fields: dict[str, Any]) -> None:
        self.records.append({"event": event, **fields})

    def tick(self) -> None:
        self.now += 2.5
        self.slots.tick(self.now)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event]


def pool(total: int, model: int | None = None, cpu: int | None = None, most: Sizes | None = None) -> Pool:
    first = Sizes(total, total if model is None else model, total if cpu is None else cpu)
    return Pool(first, most or first)


def wish(pool: Pool, task: str, agent: str = "ONE", kind: SlotKind = "cpu") -> None:
    pool.slots.want(TaskId(task), AgentName(agent), kind)


def back(pool: Pool, task: str, agent: str = "ONE") -> None:
    pool.slots.give_back(TaskId(task), AgentName(agent))


def test_manager_that_dies_between_wish_and_grant_leaves_no_wish() -> None:
    made = pool(1)
    wish(made, "t0")
    wish(made, "t1")
    made.slots.forget(TaskId("t0"))
    assert made.slots.grants() == [Lease(TaskId("t1"), AgentName("ONE"))]
    assert made.told("slot.returned") == []  # it held nothing


def test_manager_that_dies_with_slots_gives_back_each_of_them_once() -> None:
    made = pool(3)
    for agent in ("ONE", "TWO", "ONE/c1"):
        wish(made, "t0", agent)
    made.slots.grants()
    made.slots.forget(TaskId("t0"))
    made.slots.forget(TaskId("t0"))
    assert [record["agent"] for record in made.told("slot.returned")] == ["ONE", "ONE/c1", "TWO"]
    check_slots(made.records, all_back=True)


def test_gate_of_a_task_whose_manager_was_lost_before_keeps_its_slot() -> None:
    made = pool(1)
    made.slots.forget(TaskId("t0"))
    made.slots.want(TaskId("t0"), GATE, "gate")
    assert [lease.kind for lease in made.slots.grants()] == ["gate"]


def test_slot_that_is_asked_for_while_it_is_held_is_not_counted_twice() -> None:
    made = pool(2)
    for _ in range(2):
        wish(made, "t0")
        assert len(made.slots.grants()) == 1
    back(made, "t0")
    wish(made, "t1")
    wish(made, "t2")
    assert len(made.slots.grants()) == 2
    check_slots(made.records)


def test_fewer_slots_take_none_away_and_give_out_none_until_enough_are_back() -> None:
    made = pool(4)
    for task in TASKS:
        wish(made, task)
    assert len(made.slots.grants()) == 4
    made.load = SHORT
    wish(made, "t0", "TWO")
    made.tick()
    assert made.told("slots.sized")[-1]["total"] == 2
    for name, granted in (("t1", 0), ("t2", 0), ("t3", 1)):
        back(made, name)
        assert len(made.slots.grants()) == granted
    check_slots(made.records)


def test_gate_runs_however_full_the_disk_is() -> None:
    made = pool(2)
    made.load = FULL
    made.tick()
    wish(made, "t0")
    made.slots.grants()
    made.slots.want(TaskId("t1"), GATE, "gate")
    assert [lease.agent for lease in made.slots.grants()] == [GATE]


def test_who_resolves_a_conflict_is_not_last() -> None:
    made = pool(1)
    wish(made, "t0", "TWO")
    wish(made, "t1", "RESOLVER")
    assert [lease.agent for lease in made.slots.grants()] == ["RESOLVER"]


_MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sampled_from(TASKS), st.sampled_from(AGENTS), st.sampled_from(["cpu", "model"])),
        st.tuples(st.just("back"), st.sampled_from(TASKS), st.sampled_from(AGENTS)),
        st.tuples(st.just("lost"), st.sampled_from(TASKS)),
        st.tuples(st.just("gate"), st.sampled_from(TASKS)),
        st.tuples(st.just("gated"), st.sampled_from(TASKS)),
        st.tuples(st.just("look"), st.sampled_from([CALM, SHORT, FULL])),
    ),
    max_size=80,
)  # fmt: skip


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), _MOVES)
def test_journal_never_shows_a_slot_given_out_beyond_the_sizes(
    total: int, model: int, cpu: int, moves: Sequence[tuple[Any, ...]]
) -> None:
    made = pool(total, min(model, total), min(cpu, total), Sizes(total * 2, total * 2, total * 2))
    for move in moves:
        _do(made, move)
        made.slots.grants()
        check_slots(made.records)
    for task in TASKS:
        made.slots.forget(task)
    check_slots(made.records, all_back=True)
    assert made.slots.grants() == []  # nobody is left who could want one


def _do(made: Pool, move: tuple[Any, ...]) -> None:
    match move:
        case ("want", task, agent, kind):
            made.slots.want(task, agent, kind)
        case ("back", task, agent):
            made.slots.give_back(task, agent)
        case ("lost", task):
            made.slots.forget(task)
        case ("gate", task):
            made.slots.want(task, GATE, "gate")
        case ("gated", task):
            made.slots.give_back(task, GATE)
        case ("look", load):
            made.load = load
            made.tick()
        case _:
            raise AssertionError(move)
