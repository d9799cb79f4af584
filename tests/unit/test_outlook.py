from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.composition.outlook import foresee
from orchestrator.estimates import Estimates, Sample, key_of
from shared.model import ChangeType, Layer, Outputs, Task, TaskId, When, Workflow
from tests.support.build import agent, phase, plan, task, workflow

FULL = When(changes=(ChangeType.FULL,))
CODER = agent(prompt="code", estimate=100.0)
TESTER = agent("TESTER", prompt="test", needs=("CODER",), estimate=50.0, when=FULL)
REVIEWER = agent("REVIEWER", prompt="review", needs=("TESTER",), tier="fast", when=When(labels=("risky",)))
TEAM = workflow(phase("work", CODER), phase("check", TESTER, REVIEWER))


def of(one: Task, **settings: bool) -> list[object]:
    found = foresee(plan(one, **settings), Estimates(), 8).tasks[one.id]
    return [found.agents, found.why, found.seconds, found.work]


def test_agents_are_told_by_change_and_labels_each_reason_once() -> None:
    labels = "the task has none of the labels risky"
    typo = "a typo change (labelled typo)"
    assert of(task("t", workflow=TEAM, labels=("risky",))) == [("CODER", "TESTER", "REVIEWER"), (), 210, 210]
    assert of(task("t", workflow=TEAM)) == [("CODER", "TESTER"), (labels,), 150, 150]
    assert of(task("t", workflow=TEAM, labels=("typo",))) == [("CODER",), (typo, labels), 100, 100]
    assert of(task("t", workflow=TEAM, labels=("typo",)), all_agents=True)[0] == (
        "CODER",
        "TESTER",
        "REVIEWER",
    )


def test_who_may_decide_the_layers_in_the_run_is_named() -> None:
    idea = agent("PM", prompt="plan", outputs=Outputs(decisions=("layers",)))
    layered = [
        agent(f"DEV_{name}", prompt="build", when=When(layers=(name.lower(),))) for name in ("WEB", "CLI")
    ]
    layers = (Layer("web", ("browser",), default=True), Layer("cli", ("terminal",)))
    team = replace(workflow(phase("work", idea, *layered)), layers=layers)
    assert of(task("t", workflow=team, title="A tool for the terminal"))[:2] == [
        ("PM", "DEV_CLI"),
        ("layers cli (the task's words; PM may decide otherwise)",),
    ]


def test_time_is_that_of_the_longest_path_unless_slots_are_few() -> None:
    batch = plan(
        task("a", workflow=TEAM, labels=("typo",)), task("b", "a", workflow=TEAM), task("c", workflow=TEAM)
    )
    wide, narrow = foresee(batch, Estimates(), 8), foresee(batch, Estimates(), 1)
    assert (wide.seconds, wide.work, narrow.seconds) == (250.0, 400.0, 400.0)


def test_what_the_time_goes_by_is_counted() -> None:
    earlier = [Sample(key_of("test", CODER, "command"), 7.0, True)] * 3
    batch = plan(task("a", workflow=TEAM, labels=("risky",)))
    assert foresee(batch, Estimates(earlier), 8).basis == {"history": 1, "workflow": 1, "guess": 1}
    assert foresee(batch, Estimates(earlier), 8).seconds == 7 + 50 + 60


def test_time_that_is_only_guessed_is_not_known() -> None:
    assert not foresee(plan(task("a")), Estimates(), 8).known
    assert foresee(plan(task("a", workflow=TEAM)), Estimates(), 8).known


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(1, 9))
def test_fewer_agents_never_take_longer(needed: list[bool], jobs: int) -> None:
    chain = [
        agent(
            f"A{n}",
            prompt="x",
            needs=(f"A{n - 1}",) if n % 3 else (),
            estimate=10.0 * n + 1,
            when=FULL if skip else When(),
        )
        for n, skip in enumerate(needed)
    ]
    one: Workflow = workflow(phase("work", *chain))
    some, every = (
        foresee(plan(task("t", workflow=one, change=ChangeType.TYPO), all_agents=full), Estimates(), jobs)
        for full in (False, True)
    )
    assert some.seconds <= every.seconds
    assert every.tasks[TaskId("t")].skipped == {}
    assert len(some.tasks[TaskId("t")].agents) == needed.count(False)
