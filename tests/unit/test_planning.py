"""A planning agent's call: served from the cache, begun from a similar task's plan, or made by the backend and checked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.model import Agent, AgentName, Planned, Task
from tests.support.build import agent, phase, task, workflow
from tests.support.calls import Desk
from workflow_manager.backends.anthropic import finishing
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.plans.asked import asked_for
from workflow_manager.plans.planning import carried_out, distrust, planned

ANALYST = agent("ANALYST", backend="anthropic", prompt="plan it", writes=())
CRITERIA = agent("CRITERIA", backend="anthropic", prompt="check it", writes=())
EXECUTOR = agent("EXECUTOR", needs=("ANALYST",), planned=Planned(AgentName("ANALYST")))
CHECKER = agent("CHECKER", needs=("EXECUTOR",), planned=Planned(AgentName("CRITERIA"), "checks"))
FLOW = workflow(phase("plan", ANALYST, CRITERIA), phase("do", EXECUTOR), phase("check", CHECKER))
BODY = (
    "Rename load_config to read_config in all modules, change every caller, the tests and the documentation."
)
TASK = task("t", title="Rename", body=BODY, workflow=FLOW)
PLANS: dict[str, dict[str, tuple[str, ...]]] = {
    "ANALYST": {"commands": ("make a", "make b")},
    "CRITERIA": {"checks": ("test -e a",)},
}


class Bench:
    """Runs of one repository: each a planner's call, and what became of its list."""

    def __init__(self, root: Path) -> None:
        self.memory = root / "memory"
        self.desk = Desk(root / "tree")
        (root / "tree").mkdir()
        self.asked: list[AgentCall] = []  # of the model

    def call(self, one: Agent, of: Task = TASK, base: str = "c0ffee", **fields: Any) -> AgentCall:
        environment = {"SPINNEY_BASE": base}
        return self.desk.call(
            one, **({"task": of, "memory": self.memory, "environment": environment} | fields)
        )

    def model(self, call: AgentCall) -> AgentReport:
        self.asked.append(call)
        return AgentReport(
            True, summary="made anew", plan=PLANS[call.agent.name], decisions={"approach": "plain"}
        )

    def plan(self, one: Agent = ANALYST, of: Task = TASK, **fields: Any) -> AgentReport:
        self.desk.root.joinpath("prompt.md").write_text("plan it\n")
        return planned(self.call(one, of, **fields), self.model)

    def carry_out(self, ok: bool = True, of: Task = TASK, one: Agent = EXECUTOR) -> None:
        commands = ("make a", "make b") if one is EXECUTOR else ("test -e a",)
        carried_out(self.call(one, of), commands, ok=ok)

    @property
    def prompt(self) -> str:
        return self.desk.root.joinpath("prompt.md").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_plan_that_worked_is_served_without_a_model_and_says_so(bench: Bench) -> None:
    made = bench.plan()
    bench.carry_out()
    served = bench.plan()
    assert len(bench.asked) == 1
    assert served.plan == made.plan
    assert served.decisions == made.decisions
    assert served.summary == "from the cache: made anew"
    assert served.tool_calls == {"plan-from-cache": 1}
    assert b"no model is asked" in bench.desk.output


def test_both_planners_are_served_once_their_lists_have_worked(bench: Bench) -> None:
    for one in (ANALYST, CRITERIA):
        bench.plan(one)
    bench.carry_out()
    bench.carry_out(one=CHECKER)
    for one in (ANALYST, CRITERIA):
        assert bench.plan(one).tool_calls == {"plan-from-cache": 1}


Change = Callable[[Bench], AgentReport]


@pytest.mark.parametrize(
    "again",
    [
        lambda bench: bench.plan(base="decaf"),
        lambda bench: bench.plan(attempt=2),
        lambda bench: bench.plan(replace(ANALYST, prompt="plan it well")),
        lambda bench: bench.plan(memory=None),
    ],
)
def test_other_commit_other_question_and_second_try_are_asked_for_anew(bench: Bench, again: Change) -> None:
    bench.plan()
    bench.carry_out()
    assert again(bench).summary == "made anew"
    assert len(bench.asked) == 2


def test_plan_that_was_never_carried_out_or_failed_is_not_served(bench: Bench) -> None:
    bench.plan()
    assert bench.plan().summary == "made anew"
    bench.carry_out(ok=False)
    assert bench.plan().summary == "made anew"


def test_check_that_fails_takes_back_the_trust_in_the_commands_before_it(bench: Bench) -> None:
    bench.plan()
    bench.plan(CRITERIA)
    bench.carry_out()
    bench.carry_out(ok=False, one=CHECKER)
    assert bench.plan().summary == "made anew"


def test_other_commands_than_those_kept_make_no_plan_trusted(bench: Bench) -> None:
    bench.plan()
    carried_out(bench.call(EXECUTOR), ("something else",), ok=True)
    assert bench.plan().summary == "made anew"


def test_task_that_its_gate_refused_is_planned_anew(bench: Bench) -> None:
    bench.plan()
    bench.carry_out()
    distrust(bench.memory, replace(TASK, body="other"))
    assert bench.plan().tool_calls == {"plan-from-cache": 1}
    distrust(bench.memory, TASK)
    assert bench.plan().summary == "made anew"


# --- similar tasks

OTHER = task("u", title="Rename", body=BODY.replace("config", "state"), workflow=FLOW)


def test_similar_task_s_plan_is_laid_before_the_agent_and_never_reused(bench: Bench) -> None:
    bench.plan()
    bench.carry_out()
    report = bench.plan(of=OTHER)
    assert len(bench.asked) == 2
    assert report.tool_calls == {"plan-offered": 1}
    offered = (bench.desk.root / ".tasks/ANALYST/similar.md").read_text()
    assert "1. `make a`\n2. `make b`\n" in offered
    assert "> Rename load_config to read_config" in offered
    assert bench.prompt == (
        "plan it\n\nA plan that worked for a similar task is in `.tasks/ANALYST/similar.md`: "
        "take from it what fits here, and nothing unread.\n"
    )


def test_same_task_on_another_commit_begins_from_its_earlier_plan(bench: Bench) -> None:
    bench.plan()
    bench.carry_out()
    assert bench.plan(base="decaf").tool_calls == {"plan-offered": 1}


def test_offer_of_an_earlier_try_does_not_stay(bench: Bench) -> None:
    bench.plan()
    stale = bench.desk.root / ".tasks/ANALYST/similar.md"
    stale.write_text("from before")
    bench.plan(of=OTHER)  # what was planned for the other one has not worked
    assert not stale.exists()
    assert bench.prompt == "plan it\n"


def test_offer_goes_into_a_folder_of_the_task_s_and_never_through_a_link(
    bench: Bench, tmp_path: Path
) -> None:
    bench.plan()
    bench.carry_out()
    outside, folder = tmp_path / "outside", bench.desk.root / ".tasks/ANALYST"
    outside.mkdir()
    (outside / "similar.md").write_text("mine")
    shutil.rmtree(folder)
    folder.symlink_to(outside)
    assert bench.plan(of=OTHER).tool_calls == {"plan-offered": 1}
    assert (outside / "similar.md").read_text() == "mine"
    assert "make a" in (folder / "similar.md").read_text()
    assert not folder.is_symlink()


# --- what comes back


def test_output_file_of_the_agent_wins_over_what_its_backend_reports(bench: Bench) -> None:
    call = bench.call(ANALYST)
    (call.output_folder / "output.json").write_text(json.dumps({"commands": []}))
    report = planned(call, bench.model)
    assert (report.ok, report.reason) == (False, "it planned no commands")


def test_plan_that_breaks_the_rules_fails_the_agent_which_may_be_tried_again(bench: Bench) -> None:
    def model(_: AgentCall) -> AgentReport:
        return AgentReport(True, plan={"commands": ("make", " ")})

    report = planned(bench.call(ANALYST), model)
    assert not report.ok
    assert not report.final
    assert report.reason.startswith("its plan is not valid: commands, entry 2: ")


def test_criteria_without_checks_fail(bench: Bench) -> None:
    report = planned(bench.call(CRITERIA), lambda _: AgentReport(True, summary="all is well"))
    assert report.reason == "it planned no checks"


def test_failure_of_the_model_is_handed_on(bench: Bench) -> None:
    failed = AgentReport(False, reason="refused", final=True)
    assert planned(bench.call(ANALYST), lambda _: failed) == failed


@pytest.mark.parametrize(
    "one",
    [
        replace(ANALYST, backend="scripted"),
        replace(ANALYST, backend="command"),
        agent("REVIEWER", backend="anthropic", prompt="look at it"),
    ],
)
def test_agents_that_plan_nothing_or_ask_no_model_are_left_alone(bench: Bench, one: Agent) -> None:
    report = AgentReport(True, plan={"commands": ()})
    assert planned(bench.call(one), lambda _: report) is report
    assert not bench.memory.exists()


def test_commands_that_nobody_planned_do_not_load_what_plans_need() -> None:
    code = (
        "import sys\nimport workflow_manager.backends.command_list, workflow_manager.plans.planning\n"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_model_is_asked_for_the_part_that_others_take_from_it() -> None:
    for one, kind in ((ANALYST, finishing.FinishWithPlan), (CRITERIA, finishing.FinishWithChecks)):
        assert finishing.takes(one, asked_for(one, FLOW)) is kind
    said = finishing.FinishWithChecks(summary="s", checks=["test -e a"], fallbacks={"make a": "make b"})
    assert finishing.report(said).plan == {"checks": ("test -e a",), "fallbacks": ("make a => make b",)}
