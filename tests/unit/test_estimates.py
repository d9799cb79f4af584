from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimates import Estimates, Sample, key_of, percentile
from orchestrator.plan import remaining_paths
from shared.model import Agent, AgentName, Planned, Settings, SlotKind, Task, TaskId, Workflow
from shared.profiling import timed
from tests.support.build import agent, phase, task, workflow

CODER = agent(prompt="write it", tier="deep")


def samples(*seconds: float, of: Agent = CODER, ok: bool = True, backend: str = "scripted") -> list[Sample]:
    return [Sample(key_of("test", of, backend), each, ok) for each in seconds]


def estimates(*seconds: float, failed: tuple[float, ...] = ()) -> Estimates:
    return Estimates([*samples(*seconds), *samples(*failed, ok=False)], "scripted")


# --- what agents of one kind have in common


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (agent(prompt="write it better", tier="deep"), True),  # a role's text may be improved
        (agent(prompt="write it", tier="fast"), False),
        (agent(prompt="write it", tier="deep", backend="command"), False),
        (agent("WRITER", prompt="write it", tier="deep"), False),
    ],
)
def test_history_is_kept_by_workflow_agent_tier_and_backend(other: Agent, same: bool) -> None:
    assert (key_of("test", other, "scripted") == key_of("test", CODER, "scripted")) is same
    assert key_of("other", CODER, "scripted") != key_of("test", CODER, "scripted")


def test_two_commands_of_one_agent_have_nothing_in_common() -> None:
    """The short form of a task is always the agent COMMAND of the workflow ``command``."""
    quick, slow = agent("COMMAND", run="true"), agent("COMMAND", run="make world")
    known = Estimates(samples(*[0.01] * 9, of=quick, backend="command"))
    assert known.seconds("test", quick) == 0.01
    assert known.timeout("test", quick, 3600) == 60.0
    assert (known.seconds("test", slow), known.timeout("test", slow, 3600)) == (30.0, None)


def test_scripted_runs_say_nothing_about_commands() -> None:
    known = Estimates(samples(0.01, 0.01, 0.01), "command")
    assert known.seconds("test", CODER) == 240.0


@pytest.mark.parametrize(
    ("one", "backend", "kind"),
    [
        (agent(run="make"), "command", "cpu"),
        (agent(commands=("make", "make test")), "command", "cpu"),
        (agent(planned=Planned(AgentName("PLANNER"))), "command", "cpu"),
        (agent(run="make", backend="scripted"), "command", "model"),
        (agent(run="make", backend="command"), "scripted", "cpu"),
        (agent(prompt="write"), "command", "model"),
        (agent(), "scripted", "model"),
    ],
)
def test_commands_are_cpu_and_words_are_model(one: Agent, backend: str, kind: SlotKind) -> None:
    assert one.slot_kind(backend) == kind


# --- seconds


@pytest.mark.parametrize(
    ("one", "seconds"),
    [
        (agent(run="make"), 30.0),
        (agent(prompt="x", tier="fast"), 60.0),
        (agent(prompt="x"), 120.0),
        (agent(prompt="x", tier="deep"), 240.0),
        (agent(prompt="x", tier="deep", estimate=7.0), 7.0),
    ],
)
def test_without_history_the_workflow_says_or_else_the_tier(one: Agent, seconds: float) -> None:
    assert Estimates().seconds("test", one) == seconds


def test_history_says_from_three_good_executions_on() -> None:
    assert estimates(5, 7).seconds("test", CODER) == 240.0
    assert estimates(5, 7, failed=(1, 1)).seconds("test", CODER) == 240.0
    assert estimates(5, 9, 7).seconds("test", CODER) == 7.0
    own = agent(prompt="write it", tier="deep", estimate=99.0)
    assert estimates(5, 9, 7).seconds("test", own) == 7.0


@given(st.lists(st.floats(1, 100), min_size=3, max_size=49), st.data())
def test_fewer_outliers_than_half_do_not_move_the_estimate_out_of_the_others(
    usual: list[float], data: st.DataObject
) -> None:
    wild = data.draw(st.lists(st.floats(1e5, 1e9), max_size=min(len(usual) - 1, 50 - len(usual))))
    assert min(usual) <= estimates(*usual, *wild).seconds("test", CODER) <= max(usual)


def test_only_the_latest_executions_count() -> None:
    assert estimates(*[1000.0] * 60, *[10.0] * 50).seconds("test", CODER) == 10.0


# --- timeouts


def test_timeout_is_three_times_the_95th_percentile_between_floor_and_ceiling() -> None:
    known = estimates(*range(41, 61))  # the 95th percentile is 59
    assert known.timeout("test", CODER, 3600) == 177.0
    assert known.timeout("test", CODER, 100) == 100.0
    assert known.timeout("test", CODER, 3600, floor=500) == 500.0
    assert estimates(*[0.1] * 5).timeout("test", CODER, 3600) == 60.0
    assert estimates(*[0.1] * 5).timeout("test", CODER, 20) == 20.0


def test_timeout_is_left_alone_before_five_good_executions() -> None:
    assert estimates(40, 40, 40, 40).timeout("test", CODER, 3600) is None
    assert estimates(40, 40, 40, 40, failed=(50,)).timeout("test", CODER, 3600) is None


def test_commands_that_another_agent_plans_get_no_timeout_from_history() -> None:
    planned = agent(planned=Planned(AgentName("PLANNER")))
    known = Estimates(samples(*[1.0] * 9, of=planned, backend="command"))
    assert known.timeout("test", planned, 3600) is None


def test_slow_execution_that_was_good_lengthens_the_timeout() -> None:
    assert estimates(*[30.0] * 5, 400.0).timeout("test", CODER, 3600) == 1200.0


def test_agent_that_was_cut_off_is_given_more_time_the_next_time() -> None:
    assert estimates(*[30.0] * 6).timeout("test", CODER, 3600) == 90.0
    assert estimates(*[30.0] * 6, failed=(90.0,)).timeout("test", CODER, 3600) == 270.0


def test_failure_that_came_early_does_not_count() -> None:
    assert estimates(*[30.0] * 6, failed=(0.1, 29.0)).timeout("test", CODER, 3600) == 90.0


def test_timeouts_of_a_task_stay_below_the_agents_the_tasks_and_the_settings() -> None:
    one, two = agent("ONE", run="one", timeout=70.0), agent("TWO", run="two")
    new = agent("NEW", run="new")
    learnt = [samples(*[40.0] * 5, of=each, backend="command") for each in (one, two)]
    known = Estimates([*learnt[0], *learnt[1]])
    a_task = task("t", workflow=workflow(phase("work", one, two, new)))
    assert known.timeouts(a_task, Settings()) == (("ONE", 70.0), ("TWO", 120.0))
    assert known.timeouts(a_task, Settings(timeout=90.0)) == (("ONE", 70.0), ("TWO", 90.0))
    limited = task("t", workflow=a_task.workflow, timeout=80.0)
    assert known.timeouts(limited, Settings()) == (("ONE", 70.0), ("TWO", 80.0))


def test_small_tasks_of_the_past_leave_a_prompt_time_for_a_large_one() -> None:
    """Three times what the workflow, or else the tier, allows for; commands are the same each time."""
    prompt, own = agent("ONE", prompt="x", tier="fast"), agent("TWO", prompt="x", estimate=400.0)
    known = Estimates([*samples(*[1.0] * 5, of=prompt), *samples(*[1.0] * 5, of=own)], "scripted")
    a_task = task("t", workflow=workflow(phase("work", prompt, own)))
    assert known.timeouts(a_task, Settings()) == (("ONE", 180.0), ("TWO", 1200.0))
    assert known.timeouts(a_task, Settings(timeout=600.0)) == (("ONE", 180.0), ("TWO", 600.0))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.floats(0.01, 1))
def test_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@given(st.lists(st.floats(0.001, 1e5), max_size=30), st.lists(st.floats(0.001, 1e5), max_size=30))
def test_timeout_never_lies_outside_floor_and_ceiling(good: list[float], bad: list[float]) -> None:
    known = estimates(*good, failed=tuple(bad))
    found = known.timeout("test", CODER, 3600)
    assert found is None if len(good) < 5 else 60 <= (found or 0) <= 3600


# --- paths


def test_path_runs_over_phases_and_includes_the_agent() -> None:
    a_workflow = workflow(
        phase("plan", agent("PLAN", estimate=5.0)),
        phase(
            "work", agent("API", needs=["PLAN"], estimate=20.0), agent("UI", needs=["PLAN"], estimate=30.0)
        ),
        phase(
            "check", agent("TEST", needs=["API"], estimate=40.0), agent("LOOK", needs=["UI"], estimate=1.0)
        ),
        phase("docs", agent("ALONE", estimate=2.0)),
    )
    known = Estimates()
    assert known.paths(a_workflow) == {
        "PLAN": 65.0,
        "API": 60.0,
        "UI": 31.0,
        "TEST": 40.0,
        "LOOK": 1.0,
        "ALONE": 2.0,
    }
    assert known.length(a_workflow) == 65.0
    assert known.length(workflow()) == 0.0


@given(st.data())
def test_path_is_the_longest_of_all(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8))
    agents = []
    for number in range(size):
        needs = data.draw(st.sets(st.integers(0, number - 1))) if number else set()
        names = [f"A{need}" for need in sorted(needs)]
        agents.append(agent(f"A{number}", needs=names, estimate=float(data.draw(st.integers(1, 9)))))
    a_workflow = workflow(phase("work", *data.draw(st.permutations(agents))))

    def longest(name: str, seconds: float) -> float:
        after = [longest(other.name, other.estimate or 0) for other in agents if name in other.needs]
        return seconds + max(after, default=0.0)

    assert Estimates().paths(a_workflow) == {a.name: longest(a.name, a.estimate or 0) for a in agents}


def test_ten_thousand_agents_in_five_hundred_tasks_are_weighed_in_time() -> None:
    """About 60 ms on two slow processors; the limit is for machines that do much else."""

    def batch(count: int) -> list[Task]:
        shape = large_workflow(20)
        return [task(f"t{n}", *([f"t{n - 1}"] if n % 5 else []), workflow=shape) for n in range(count)]

    known = Estimates(samples(*range(1, 50)), "scripted")
    took = []
    for count in (250, 500):
        tasks = batch(count)
        with timed() as timing:
            lengths = {each.id: known.length(each.workflow) for each in tasks}
            after = remaining_paths(tasks, lengths)
        took.append(timing.seconds)
    assert after[TaskId("t0")] == pytest.approx(4 * lengths[TaskId("t0")])
    assert took[1] < 5.0


def large_workflow(agents: int) -> Workflow:
    names = [f"A{number}" for number in range(agents)]
    return workflow(
        phase(
            "work", *(agent(name, needs=names[max(0, n - 3) : n], prompt="x") for n, name in enumerate(names))
        )
    )
