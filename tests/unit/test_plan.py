from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from orchestrator.plan import ancestors, make_plan, remaining_paths, to_dot
from shared.errors import UserError
from shared.model import Forecast, Settings, Task, TaskId
from tests.support.build import graphs, plan, task


def test_tasks_without_needs_keep_the_batchs_order() -> None:
    made = plan(task("c"), task("a"), task("b"))
    assert made.order == ("c", "a", "b")
    assert made.waves == (("c", "a", "b"),)


def test_of_the_tasks_that_could_come_next_the_first_of_the_batch_comes() -> None:
    made = plan(task("docs", "api"), task("fix"), task("api"), task("last", "docs", "fix"))
    assert made.order == ("fix", "api", "docs", "last")
    assert made.waves == (("fix", "api"), ("docs",), ("last",))


def test_diamond_has_three_waves() -> None:
    made = plan(task("top"), task("left", "top"), task("right", "top!"), task("bottom", "left", "right"))
    assert made.waves == (("top",), ("left", "right"), ("bottom",))


def test_empty_batch_has_an_empty_plan() -> None:
    assert make_plan((), Settings()).order == ()


@pytest.mark.parametrize(
    ("tasks", "cycle"),
    [
        ([task("a", "b"), task("b", "a")], "a → b → a"),
        ([task("a", "b"), task("b", "c"), task("c", "a"), task("d")], "a → b → c → a"),
        ([task("a", "a")], "a → a"),
        ([task("x", "a"), task("a", "b!"), task("b", "a")], "a → b → a"),
    ],
)
def test_cycle_is_printed_in_the_direction_of_needs(tasks: list[Task], cycle: str) -> None:
    with pytest.raises(UserError) as caught:
        plan(*tasks)
    shown = caught.value.message.removeprefix("the tasks need each other in a circle: ")
    steps = shown.split(" → ")
    assert steps[0] == steps[-1]
    needed = {entry.id: {need.task for need in entry.needs} for entry in tasks}
    assert all(later in needed[earlier] for earlier, later in pairwise(steps))
    assert len(steps) == len(cycle.split(" → "))
    assert caught.value.hints == ("remove one of these needs",)


@given(graphs(always=True))
def test_every_order_is_topological_and_whole(tasks: list[Task]) -> None:
    made = make_plan(tasks, Settings())
    place = {task_id: index for index, task_id in enumerate(made.order)}
    assert sorted(made.order) == sorted(entry.id for entry in tasks)
    assert all(place[need.task] < place[entry.id] for entry in tasks for need in entry.needs)


@given(graphs())
def test_waves_are_levels_of_the_graph(tasks: list[Task]) -> None:
    made = make_plan(tasks, Settings())
    level = {task_id: index for index, wave in enumerate(made.waves) for task_id in wave}
    for entry in tasks:
        assert level[entry.id] == max((level[need.task] + 1 for need in entry.needs), default=0)


@given(graphs())
def test_ancestors_are_everything_above(tasks: list[Task]) -> None:
    above = ancestors(tasks)
    by_id = {entry.id: entry for entry in tasks}

    def walk(task_id: TaskId) -> set[TaskId]:
        direct = {need.task for need in by_id[task_id].needs}
        return direct.union(*(walk(need) for need in direct))

    assert above == {entry.id: walk(entry.id) for entry in tasks}


def test_long_chain_does_not_overflow() -> None:
    chain = [task("t0")] + [task(f"t{number}", f"t{number - 1}") for number in range(1, 3000)]
    made = make_plan(chain[::-1], Settings())
    assert made.order[0] == "t0"
    assert remaining_paths(chain, {entry.id: 1.0 for entry in chain})[TaskId("t0")] == 2999.0


# --- the forecast of conflicts


def test_unordered_tasks_that_touch_the_same_are_forecast() -> None:
    made = plan(
        task("a", touches=("docs/**", "src/**")),
        task("b", touches=("src/app.py",)),
        task("c", touches=("tests/**",)),
    )
    assert made.forecasts == (Forecast(TaskId("a"), TaskId("b"), "src/**"),)


def test_ordered_tasks_are_not_forecast_however_far_apart() -> None:
    made = plan(
        task("a", touches=("src/**",)), task("b", "a"), task("c", "b", touches=("src/**",)), task("d", "c!")
    )
    assert made.forecasts == ()


def test_tasks_that_do_not_say_what_they_touch_are_not_forecast() -> None:
    assert plan(task("a"), task("b", touches=("**",))).forecasts == ()


# --- priorities and drawings


def test_remaining_path_is_the_longest_chain_of_dependents_after_a_task() -> None:
    tasks = [task("a"), task("b", "a"), task("c", "b", "a"), task("d", "a!"), task("alone")]
    length = {TaskId(name): seconds for name, seconds in zip("abcd", (9.0, 1.0, 2.0, 4.0), strict=True)}
    found = remaining_paths(tasks, {**length, TaskId("alone"): 7.0})
    assert found == {"a": 4.0, "b": 2.0, "c": 0.0, "d": 0.0, "alone": 0.0}


@given(graphs(always=True))
def test_remaining_path_is_that_of_trying_all(tasks: list[Task]) -> None:
    length = {entry.id: float(1 + sum(map(ord, entry.id)) % 7) for entry in tasks}

    def after(task_id: TaskId) -> float:
        following = [entry.id for entry in tasks if task_id in [need.task for need in entry.needs]]
        return max((length[other] + after(other) for other in following), default=0.0)

    assert remaining_paths(tasks, length) == {entry.id: after(entry.id) for entry in tasks}


def test_dot_draws_needs_and_forecasts() -> None:
    made = plan(
        task("a", title='Say "hi"', touches=("x",)),
        task("b", "a", title="C:\\new\\"),
        task("c", "a!", title="Last", touches=("y",)),
        task("d", title="Other", touches=("x", "y")),
    )
    assert to_dot(made) == (
        "digraph spinney {\n"
        "  rankdir=LR;\n"
        '  node [shape=box, fontname="sans-serif"];\n'
        '  "a" [label="a\\nSay \\"hi\\""];\n'
        '  "b" [label="b\\nC:\\\\new\\\\"];\n'
        '  "c" [label="c\\nLast"];\n'
        '  "d" [label="d\\nOther"];\n'
        '  "a" -> "b";\n'
        '  "a" -> "c" [style=dotted];\n'
        '  "a" -> "d" [dir=none, style=dashed, color=red];\n'
        '  "c" -> "d" [dir=none, style=dashed, color=red];\n'
        "}\n"
    )


def test_plan_finds_its_tasks() -> None:
    made = plan(task("a"), task("b"))
    assert made.task(TaskId("b")) is made.tasks[1]
