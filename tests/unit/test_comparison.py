from __future__ import annotations

from orchestrator.history.comparison import (
    Outlier,
    Regression,
    Usual,
    of_workflow,
    outliers,
    regressions,
    slowest,
)
from tests.support.past import execution, past_run


def test_slowest_agents_come_first_by_their_median() -> None:
    runs = [
        past_run(1, execution(2.0), execution(9.0, "PLANNER", task="first")),
        past_run(2, execution(50.0), execution(11.0, "PLANNER", task="second")),
        past_run(3, execution(3.0)),
    ]
    coder, planner = execution(0).key, execution(0, "PLANNER").key
    assert slowest(runs) == [Usual(planner, "second", 2, 10.0, 11.0), Usual(coder, "t", 3, 3.0, 50.0)]


def test_failed_agents_and_those_that_agents_asked_for_are_not_compared() -> None:
    runs = [past_run(1, execution(9.0, ok=False), execution(8.0, "CODER/c1"), execution(1.0, "TESTER"))]
    assert [usual.key.agent for usual in slowest(runs)] == ["TESTER"]


def test_two_tasks_own_commands_are_two_agents() -> None:
    runs = [past_run(1, execution(1.0, digest="aa"), execution(9.0, digest="bb"))]
    assert [usual.median for usual in slowest(runs)] == [9.0, 1.0]


def test_only_one_workflow_is_compared_where_it_is_named() -> None:
    runs = [past_run(1, execution(1.0)), past_run(2, execution(9.0, workflow="feature"), execution(2.0))]
    assert [usual.key.workflow for usual in slowest(runs, "feature")] == ["feature"]
    assert [run.run for run in of_workflow(runs, "feature")] == [runs[1].run]
    assert of_workflow(runs, "") == runs


def test_agent_that_took_half_as_long_again_as_before_is_slower() -> None:
    before = [past_run(number, execution(seconds)) for number, seconds in enumerate((4.0, 6.0, 90.0))]
    runs = [*before, past_run(9, execution(10.0, task="x"), execution(12.0, task="y"))]
    assert regressions(runs) == [Regression(execution(0).key, "y", runs[-1].run, 11.0, 6.0)]


def test_agent_is_not_slower_by_little_or_by_less_than_a_second_or_than_hardly_anything() -> None:
    def after(latest: float, *before: float) -> int:
        runs = [past_run(number, execution(seconds)) for number, seconds in enumerate(before)]
        return len(regressions([*runs, past_run(99, execution(latest))]))

    assert after(6.1, 4.0, 4.0, 4.0) == 1
    assert after(6.0, 4.0, 4.0, 4.0) == 0
    assert after(0.9, 0.1, 0.1, 0.1) == 0
    assert after(1.2, 0.1, 0.1, 0.1) == 1
    assert after(99.0, 4.0, 4.0) == 0


def test_regression_is_that_of_the_latest_run_in_which_the_agent_worked() -> None:
    before = [past_run(number, execution(2.0)) for number in range(3)]
    runs = [*before, past_run(4, execution(8.0)), past_run(5, execution(1.0, "OTHER"))]
    assert [found.run for found in regressions(runs)] == [runs[3].run]


def test_execution_far_outside_the_spread_is_an_outlier() -> None:
    times = (10.0, 11.0, 12.0, 10.0, 11.0, 60.0)
    runs = [past_run(number, execution(seconds)) for number, seconds in enumerate(times)]
    assert outliers(runs) == [Outlier(execution(0).key, runs[-1].run, "t", 60.0, 11.0)]


def test_wide_spread_small_times_and_few_executions_have_no_outliers() -> None:
    def count(*times: float) -> int:
        return len(outliers([past_run(number, execution(seconds)) for number, seconds in enumerate(times)]))

    assert count(1.0, 10.0, 20.0, 40.0, 60.0, 90.0) == 0
    assert count(0.1, 0.1, 0.1, 0.1, 0.9) == 0
    assert count(5.0, 5.0, 5.0, 5.0, 9.9) == 0
    assert count(5.0, 5.0, 5.0, 99.0) == 0
    assert count(5.0, 5.0, 5.0, 5.0, 10.1) == 1
