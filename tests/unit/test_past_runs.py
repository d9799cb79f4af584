from __future__ import annotations

from orchestrator.estimates import Estimates, Key
from orchestrator.history.past_runs import Execution, PastRun, past_run, samples
from shared.model import AgentName, Planned, Settings, Workflow
from tests.support.build import RUN, agent, phase, plan, task, workflow
from tests.support.story import Story

PLANNER = agent("PLANNER", prompt="plan", tier="deep")
CODER = agent("CODER", needs=["PLANNER"], planned=Planned(AgentName("PLANNER")), backend="command")


def dev(*agents: object) -> Workflow:
    return workflow(phase("work", PLANNER, CODER), name="dev")


def told() -> Story:
    story = Story("a", jobs=4).sized(4).start("a").context("a", "PLANNER", 700, 100)
    story.leased("a", 3.0, "PLANNER", wait=0.5, tier="deep", tokens=(90, 10))
    story.wants("a", "CODER").gets("a", "CODER").agent_begins("a").after(1).returns("a", "CODER")
    story.leased("a", 4.0, "CODER/c1", tier="fast")
    story.wants("a", "CODER").gets("a", "CODER").agent_ends("a", ok=False).returns("a", "CODER")
    return story.over("a").merge("a", 32).end("succeeded")


def test_run_is_kept_with_every_execution() -> None:
    a_plan = plan(task("a", workflow=dev()), backend="scripted")
    kept = past_run(told().view, a_plan)
    assert kept == PastRun(
        run=RUN,
        at=1_700_000_000.0,
        status="succeeded",
        workflows=("dev",),
        tasks=1,
        merged=1,
        seconds=8.5,
        speedup=0.941,
        efficiency=0.941,
        waiting={"start": 0.0, "needs": 3.5, "slot": 0.5, "gate": 0.0, "merge": 0.0, "rate_limit": 0.0},
        executions=(
            Execution(Key("dev", "PLANNER", "deep", "scripted"), "a", 1, True, 3.0, 3.0, 0.5, 100, 700),
            Execution(Key("dev", "CODER", "balanced", "command"), "a", 1, False, 5.0, 1.0, 0.0, 0, 0),
            Execution(Key("dev", "CODER/c1", "fast", ""), "a", 1, True, 4.0, 4.0, 0.0, 0, 0),
        ),
    )


def test_agents_that_did_not_end_by_themselves_are_not_kept() -> None:
    story = Story("a", "b").start("a").start("b").agent_begins("a", "PLANNER").agent_begins("b", "PLANNER")
    story.after(2).tell("manager.lost", task="a", reason="signal 9")
    story.agent_ends("b", "PLANNER", ok=False, summary="stopped: half of it").over("b", "interrupted")
    story.start("a", 2).agent_begins("a", "PLANNER").after(1).end("interrupted").tell("run.resumed", jobs=2)
    story.start("a", 3).agent("a", 1.0, "PLANNER", ok=False, summary="exit status 1").over("a", "failed")
    story.settle("a", "failed").end("failed")
    kept = past_run(story.view, plan(task("a", workflow=dev()), task("b", workflow=dev())))
    assert [(each.task, each.seconds, each.ok) for each in kept.executions] == [("a", 1.0, False)]


def test_agent_that_resolves_conflicts_is_kept_by_what_the_workflow_says_of_it() -> None:
    mender = agent("MENDER", prompt="mend", tier="fast")
    shape = Workflow("dev", dev().phases, resolve=mender)
    story = Story("a").start("a").agent("a", 1.0, "MENDER").end("failed")
    kept = past_run(story.view, plan(task("a", workflow=shape)))
    assert [each.key for each in kept.executions] == [Key("dev", "MENDER", "fast", "command")]


def test_estimates_learn_from_what_was_kept() -> None:
    a_plan = plan(task("a", workflow=dev()), backend="scripted")
    runs = [past_run(told().view, a_plan)] * 5
    known = Estimates(samples(runs), "scripted")
    assert known.seconds("dev", PLANNER) == 3.0
    assert known.timeouts(a_plan.tasks[0], Settings()) == (("PLANNER", 720.0),)
