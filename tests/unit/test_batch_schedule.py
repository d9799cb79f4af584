from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.schedule import (
    BatchSchedule,
    Began,
    Command,
    Event,
    FinishRun,
    Integrate,
    Integrated,
    ManagerLost,
    OpenTask,
    Settle,
    StopAsked,
    StopManagers,
    TaskOver,
)
from shared.model import Plan, Settings, Task, TaskId, TaskOutcome, TaskStatus
from tests.support.build import graphs, make_plan, plan, task

MERGED, CONFLICT, UNMERGED = TaskStatus.MERGED, TaskStatus.CONFLICT, TaskStatus.UNMERGED
DONE, NO_CHANGE, FAILED = TaskOutcome.DONE, TaskOutcome.NO_CHANGE, TaskOutcome.FAILED


def over(task_id: str, outcome: TaskOutcome = DONE, reason: str = "") -> TaskOver:
    return TaskOver(TaskId(task_id), outcome, reason)


def lost(task_id: str, reason: str = "signal 9") -> ManagerLost:
    return ManagerLost(TaskId(task_id), reason)


def integrated(task_id: str, status: TaskStatus = MERGED, reason: str = "") -> Integrated:
    return Integrated(TaskId(task_id), status, reason)


def short(command: Command) -> str:
    """A command as a word or two."""
    match command:
        case OpenTask(opened, attempt):
            return f"open {opened.id}" + (f" again ({attempt})" if attempt > 1 else "")
        case Settle(task_id, status, reason):
            return f"settle {task_id} {status}: {reason}"
        case Integrate(merged):
            return f"integrate {merged.id}"
        case StopManagers():
            return "stop"
        case FinishRun(interrupted):
            return "interrupted" if interrupted else "finish"


class Batch:
    """A schedule that answers in words."""

    def __init__(
        self, *tasks: Task, capacity: int = 9, known: Mapping[str, TaskStatus] | None = None
    ) -> None:
        self.schedule = BatchSchedule(
            plan(*tasks), {TaskId(key): value for key, value in (known or {}).items()}
        )
        self.capacity = capacity

    def after(self, *events: Event) -> list[str]:
        return [short(command) for command in self.schedule.step(events, self.capacity)]


# --- opening


def test_tasks_without_needs_open_at_once_in_the_batchs_order() -> None:
    assert Batch(task("b"), task("a")).after(Began()) == ["open b", "open a"]


def test_only_as_many_tasks_are_open_as_there_is_room_for() -> None:
    batch = Batch(task("a"), task("b"), task("c"), capacity=2)
    assert batch.after(Began()) == ["open a", "open b"]
    assert batch.after() == []
    assert batch.after(over("b")) == ["open c"]


def test_room_that_grows_is_used() -> None:
    batch = Batch(task("a"), task("b"), capacity=1)
    assert batch.after(Began()) == ["open a"]
    batch.capacity = 2
    assert batch.after() == ["open b"]


def test_dependent_opens_when_its_need_is_finished_before_it_is_merged() -> None:
    batch = Batch(task("a"), task("b", "a"))
    batch.after(Began())
    assert batch.after(over("a")) == ["open b", "integrate a"]


def test_task_with_several_needs_waits_for_all_of_them() -> None:
    batch = Batch(task("a"), task("b"), task("c", "a", "b"))
    batch.after(Began())
    assert batch.schedule.waits_for(TaskId("c")) == ("a", "b")
    assert batch.after(over("b")) == []
    assert batch.schedule.waits_for(TaskId("c")) == ("a",)
    assert batch.after(over("a")) == ["open c", "integrate a"]


def test_always_need_waits_until_everything_about_it_is_settled() -> None:
    batch = Batch(task("a"), task("b", "a!"))
    batch.after(Began())
    assert batch.after(over("a")) == ["integrate a"]
    assert batch.after(integrated("a", CONFLICT)) == ["open b"]


@pytest.mark.parametrize("outcome", [FAILED, NO_CHANGE])
def test_always_need_opens_whatever_became_of_it(outcome: TaskOutcome) -> None:
    batch = Batch(task("a"), task("b", "a!"))
    batch.after(Began())
    assert batch.after(over("a", outcome))[-1] == "open b"


# --- pausing


def test_task_whose_budget_is_spent_pauses_and_its_siblings_finish() -> None:
    batch = Batch(task("a"), task("b"), task("c"), capacity=2)
    assert batch.after(Began()) == ["open a", "open b"]
    assert batch.after(over("b", TaskOutcome.INTERRUPTED)) == ["open c"]
    assert batch.after(over("a")) == ["integrate a"]
    assert batch.after(integrated("a")) == []
    assert batch.after(over("c")) == ["interrupted"]


def test_dependents_of_a_paused_task_wait_for_the_next_session() -> None:
    batch = Batch(task("a"), task("b", "a"))
    batch.after(Began())
    assert batch.after(over("a", TaskOutcome.INTERRUPTED)) == ["interrupted"]
    assert batch.schedule.status[TaskId("b")] is TaskStatus.WAITING


def test_integration_that_is_on_its_way_ends_before_a_paused_run_does() -> None:
    batch = Batch(task("a"), task("b"))
    batch.after(Began())
    assert batch.after(over("a"), over("b", TaskOutcome.INTERRUPTED)) == ["integrate a"]
    assert batch.after(integrated("a")) == ["interrupted"]


# --- skipping


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ([over("a", FAILED)], "its need a ended as failed"),
        ([over("a"), integrated("a", CONFLICT)], "its need a ended as conflict"),
        ([over("a"), integrated("a", UNMERGED)], "its need a ended as unmerged"),
    ],
)
def test_task_is_skipped_with_the_reason_its_need_did_not_make_it(end: list[Event], reason: str) -> None:
    batch = Batch(task("a"), task("x", "a"), capacity=1)
    batch.after(Began())
    batch.capacity = 0
    said = [word for event in end for word in batch.after(event)]
    assert f"settle x skipped: {reason}" in said
    assert said[-1] == "finish"


def test_skipping_goes_down_the_chain_at_once() -> None:
    batch = Batch(task("a"), task("b", "a"), task("c", "b"), task("d"))
    batch.after(Began())
    assert batch.after(over("a", FAILED, "exit status 1")) == [
        "settle a failed: exit status 1",
        "settle b skipped: its need a ended as failed",
        "settle c skipped: its need b ended as skipped",
    ]


def test_finished_work_built_on_a_task_that_is_rejected_is_skipped_not_merged() -> None:
    batch = Batch(task("a"), task("b", "a"))
    batch.after(Began())
    batch.after(over("a"))
    assert batch.after(over("b")) == []
    assert batch.after(integrated("a", CONFLICT)) == [
        "settle b skipped: its need a ended as conflict",
        "finish",
    ]


def test_work_that_is_under_way_on_a_rejected_task_is_skipped_when_it_ends() -> None:
    batch = Batch(task("a"), task("b", "a"))
    batch.after(Began())
    batch.after(over("a"))
    assert batch.after(integrated("a", UNMERGED)) == []
    assert batch.after(over("b")) == ["settle b skipped: its need a ended as unmerged", "finish"]


def test_no_change_on_top_of_a_task_waits_for_that_tasks_verdict() -> None:
    """What depends on it contains the other task's commits, and must not bring them in when they were rejected."""
    batch = Batch(task("a"), task("b", "a"), task("c", "b"))
    batch.after(Began())
    batch.after(over("a"))
    assert batch.after(over("b", NO_CHANGE)) == ["open c"]
    assert batch.after(over("c")) == []
    assert batch.after(integrated("a", UNMERGED)) == [
        "settle b skipped: its need a ended as unmerged",
        "settle c skipped: its need b ended as skipped",
        "finish",
    ]


def test_no_change_on_top_of_a_merged_task_is_no_change() -> None:
    batch = Batch(task("a"), task("b", "a"))
    batch.after(Began())
    batch.after(over("a"))
    assert batch.after(over("b", NO_CHANGE, "nothing was changed")) == []
    assert batch.after(integrated("a")) == ["settle b no-change: nothing was changed", "finish"]


# --- integration


def test_integration_goes_by_the_plans_order_whoever_is_faster() -> None:
    batch = Batch(task("a"), task("b"), task("c"))
    batch.after(Began())
    assert batch.after(over("c")) == []
    assert batch.after(over("b")) == []
    assert batch.after(over("a")) == ["integrate a"]
    assert batch.after(integrated("a")) == ["integrate b"]
    assert batch.after(integrated("b", CONFLICT)) == ["integrate c"]
    assert batch.after(integrated("c")) == ["finish"]


def test_one_task_is_integrated_at_a_time() -> None:
    batch = Batch(task("a"), task("b"))
    batch.after(Began())
    assert batch.after(over("a"), over("b")) == ["integrate a"]
    assert batch.after() == []


def test_failed_and_unchanged_tasks_hold_nobody_up() -> None:
    batch = Batch(task("a"), task("b"), task("c"))
    batch.after(Began())
    batch.after(over("c"))
    assert batch.after(over("a", FAILED), over("b", NO_CHANGE, "nothing")) == [
        "settle a failed: ",
        "settle b no-change: nothing",
        "integrate c",
    ]


# --- lost managers


def test_lost_manager_is_retried_once() -> None:
    batch = Batch(task("a"))
    batch.after(Began())
    assert batch.after(lost("a")) == ["open a again (2)"]
    assert batch.after(over("a")) == ["integrate a"]


def test_manager_lost_twice_fails_the_task() -> None:
    batch = Batch(task("a"))
    batch.after(Began())
    batch.after(lost("a"))
    assert batch.after(lost("a", "exit status 1")) == [
        "settle a failed: its manager was lost 2 times: exit status 1",
        "finish",
    ]


def test_losses_are_counted_for_each_task() -> None:
    batch = Batch(task("a"), task("b"))
    batch.after(Began())
    assert batch.after(lost("a"), lost("b")) == ["open a again (2)", "open b again (2)"]


def test_lost_task_comes_before_those_that_never_began() -> None:
    batch = Batch(task("a"), task("b"), capacity=1)
    batch.after(Began())
    assert batch.after(lost("a")) == ["open a again (2)"]


# --- stopping


def test_stop_stops_the_managers_once_and_opens_nothing_more() -> None:
    batch = Batch(task("a"), task("b"), capacity=1)
    batch.after(Began())
    assert batch.after(StopAsked()) == ["stop"]
    assert batch.after(StopAsked()) == []
    assert batch.after(over("a", TaskOutcome.INTERRUPTED)) == ["interrupted"]
    assert batch.schedule.status == {"a": TaskStatus.WAITING, "b": TaskStatus.WAITING}


def test_stop_waits_for_the_integration_that_is_under_way() -> None:
    batch = Batch(task("a"), task("b"))
    batch.after(Began())
    batch.after(over("a"), over("b"))
    assert batch.after(StopAsked()) == ["stop"]
    assert batch.after(integrated("a")) == ["interrupted"]
    assert batch.schedule.status == {"a": MERGED, "b": TaskStatus.FINISHED}


def test_manager_lost_while_stopping_costs_no_try() -> None:
    batch = Batch(task("a"))
    batch.after(Began())
    batch.after(lost("a"))
    batch.after(StopAsked())
    assert batch.after(lost("a")) == ["interrupted"]
    assert batch.schedule.status == {"a": TaskStatus.WAITING}


def test_task_that_ends_while_stopping_keeps_its_end() -> None:
    batch = Batch(task("a"), task("b"), task("c"))
    batch.after(Began())
    batch.after(StopAsked())
    assert batch.after(over("a", FAILED, "no")) == ["settle a failed: no"]
    assert batch.after(over("c", NO_CHANGE, "nothing")) == ["settle c no-change: nothing"]
    assert batch.after(over("b")) == ["interrupted"]
    assert batch.schedule.status["b"] is TaskStatus.FINISHED


def test_stop_after_everything_is_settled_is_no_interruption() -> None:
    batch = Batch(task("a"))
    batch.after(Began())
    assert batch.after(over("a", FAILED), StopAsked()) == ["settle a failed: ", "stop", "finish"]


def test_integration_that_a_stop_broke_off_is_left_for_later() -> None:
    batch = Batch(task("a"))
    batch.after(Began())
    batch.after(over("a"))
    batch.after(StopAsked())
    assert batch.after(integrated("a", TaskStatus.FINISHED, "stopped")) == ["interrupted"]
    assert batch.schedule.status == {"a": TaskStatus.FINISHED}


# --- going on


def test_resumed_run_goes_on_from_what_is_known() -> None:
    batch = Batch(
        task("merged"),
        task("finished"),
        task("waiting", "merged", "finished"),
        task("failed"),
        task("hopeless", "failed"),
        known={"merged": MERGED, "finished": TaskStatus.FINISHED, "failed": TaskStatus.FAILED},
    )
    assert batch.after(Began()) == [
        "settle hopeless skipped: its need failed ended as failed",
        "open waiting",
        "integrate finished",
    ]


def test_resumed_task_counts_its_attempts_on() -> None:
    schedule = BatchSchedule(plan(task("a")), {}, {TaskId("a"): 2})
    assert [short(command) for command in schedule.step([Began()], 1)] == ["open a again (3)"]


def test_run_of_which_everything_is_settled_ends_at_once() -> None:
    assert Batch(task("a"), known={"a": MERGED}).after(Began()) == ["finish"]


def test_nothing_is_commanded_after_the_end() -> None:
    batch = Batch(task("a"))
    batch.after(Began())
    batch.after(over("a", FAILED))
    assert batch.after(StopAsked(), Began()) in ([], ["stop"])


# --- every graph, every outcome, every order


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a task whenever it is worked on."""

    losses: int
    outcome: TaskOutcome
    verdict: TaskStatus


FATES = st.builds(
    Fate,
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from([DONE, DONE, DONE, NO_CHANGE, FAILED]),
    st.sampled_from([MERGED, MERGED, CONFLICT, UNMERGED]),
)


@dataclass(slots=True)
class Played:
    status: dict[TaskId, TaskStatus]
    integrated: list[TaskId] = field(default_factory=list)
    settled: list[TaskId] = field(default_factory=list)
    most_open: int = 0
    ended: list[bool] = field(default_factory=list)


def play(made: Plan, fates: dict[TaskId, Fate], capacity: int, seed: int) -> Played:
    """Carry out a plan where things end in an order that ``seed`` decides."""
    chance = random.Random(seed)
    schedule = BatchSchedule(made)
    played = Played(schedule.status)
    open_tasks: set[TaskId] = set()
    losses: dict[TaskId, int] = {}
    possible: list[Event] = [Began()]
    while possible:
        event = possible.pop(chance.randrange(len(possible)))
        if isinstance(event, TaskOver | ManagerLost):
            open_tasks.remove(event.task)
        for command in schedule.step([event], capacity):
            match command:
                case OpenTask(opened, attempt):
                    assert attempt == losses.get(opened.id, 0) + 1
                    assert all(need_is_there(schedule, need.task, need.always) for need in opened.needs)
                    open_tasks.add(opened.id)
                    fate = fates[opened.id]
                    if attempt <= fate.losses:
                        losses[opened.id] = attempt
                        possible.append(ManagerLost(opened.id, "gone"))
                    else:
                        possible.append(TaskOver(opened.id, fate.outcome, ""))
                case Integrate(merged):
                    played.integrated.append(merged.id)
                    possible.append(Integrated(merged.id, fates[merged.id].verdict, ""))
                case Settle(task_id):
                    played.settled.append(task_id)
                case FinishRun(interrupted):
                    played.ended.append(interrupted)
                case StopManagers():
                    pytest.fail("nobody asked for a stop")
        played.most_open = max(played.most_open, len(open_tasks))
    return played


def need_is_there(schedule: BatchSchedule, need: TaskId, always: bool) -> bool:
    status = schedule.status[need]
    return status.final if always else status is TaskStatus.FINISHED or status.good


@st.composite
def batches(draw: st.DrawFn, *, always: bool = True) -> tuple[Plan, dict[TaskId, Fate]]:
    tasks = draw(graphs(always=always))
    return make_plan(tasks, Settings()), {entry.id: draw(FATES) for entry in tasks}


@given(batches(), st.integers(1, 4), st.integers(0, 9999))
def test_every_batch_ends_with_every_task_settled_once(
    batch: tuple[Plan, dict[TaskId, Fate]], capacity: int, seed: int
) -> None:
    made, fates = batch
    played = play(made, fates, capacity, seed)
    assert played.ended == [False]
    assert all(status.final for status in played.status.values())
    assert played.most_open <= capacity
    assert len(set(played.integrated)) == len(played.integrated)
    assert len(set(played.settled)) == len(played.settled)
    assert not set(played.settled) & {key for key in played.integrated if played.status[key] is MERGED}


@given(batches(), st.integers(1, 4), st.integers(0, 9999))
def test_tasks_are_always_integrated_in_the_plans_order(
    batch: tuple[Plan, dict[TaskId, Fate]], capacity: int, seed: int
) -> None:
    made, fates = batch
    integrated_tasks = play(made, fates, capacity, seed).integrated
    assert integrated_tasks == [task_id for task_id in made.order if task_id in integrated_tasks]


@given(batches(), st.integers(1, 4), st.integers(0, 9999), st.integers(1, 4), st.integers(0, 9999))
def test_what_becomes_of_a_batch_does_not_depend_on_who_is_faster(
    batch: tuple[Plan, dict[TaskId, Fate]], capacity: int, seed: int, other_capacity: int, other_seed: int
) -> None:
    made, fates = batch
    one = play(made, fates, capacity, seed)
    other = play(made, fates, other_capacity, other_seed)
    assert one.integrated == other.integrated
    assert merge_failed_with_skipped(one) == merge_failed_with_skipped(other)


def merge_failed_with_skipped(played: Played) -> dict[TaskId, TaskStatus]:
    """A task on top of one that is rejected later may have failed by itself before that was known."""
    same = {TaskStatus.FAILED: TaskStatus.SKIPPED}
    return {task_id: same.get(status, status) for task_id, status in played.status.items()}


@given(batches(), st.integers(1, 4), st.integers(0, 9999), st.integers(0, 9999))
def test_where_every_merge_is_clean_even_failures_do_not_depend_on_who_is_faster(
    batch: tuple[Plan, dict[TaskId, Fate]], capacity: int, seed: int, other_seed: int
) -> None:
    made, fates = batch
    clean = {task_id: Fate(fate.losses, fate.outcome, MERGED) for task_id, fate in fates.items()}
    assert play(made, clean, capacity, seed).status == play(made, clean, 4, other_seed).status


@given(batches(), st.integers(1, 4), st.integers(0, 9999))
def test_good_tasks_stand_only_on_good_tasks(
    batch: tuple[Plan, dict[TaskId, Fate]], capacity: int, seed: int
) -> None:
    made, fates = batch
    status = play(made, fates, capacity, seed).status
    for entry in made.tasks:
        if status[entry.id].good:
            assert all(status[need.task].good for need in entry.needs if not need.always)
