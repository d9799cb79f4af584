"""When a model is asked about a failed command, what it is told, and what of its answer is done."""

from __future__ import annotations

import pytest

from tests.support.build import agent, phase, task, workflow
from workflow_manager.backends.port import AgentReport
from workflow_manager.recovery import asking
from workflow_manager.recovery.proposals import Diagnosis, Failure, Kind, Proposal

HOPELESS = {Kind.TESTS, Kind.DISK, Kind.MERGE_CONFLICT, Kind.TIMEOUT, Kind.MEMORY}


@pytest.mark.parametrize("kind", Kind)
def test_what_the_table_answers_costs_no_call_and_what_no_command_helps_never_does(kind: Kind) -> None:
    assert asking.worth_asking(Diagnosis(kind), tried=0) == (kind is Kind.UNKNOWN)
    assert asking.worth_asking(Diagnosis(kind), tried=1) == (kind not in HOPELESS)


def test_question_says_what_was_run_how_it_ended_and_what_did_not_help() -> None:
    failure = Failure("make x", "exit status 2", "a\x1b[31m line\n" * 1000)
    diagnosis = Diagnosis(
        Kind.MISSING_MODULE, "s", (Proposal("no x", before="npm ci"), Proposal("no y", "install y"))
    )
    sub = asking.question("c1-help", failure, diagnosis, "anthropic")
    assert (sub.name, sub.backend, sub.tier, sub.run) == ("c1-help", "anthropic", "fast", "")
    assert "make x" in sub.prompt
    assert "How it ended: exit status 2." in sub.prompt
    assert "- no x: `npm ci`" in sub.prompt
    assert "install y" not in sub.prompt
    assert "\x1b" not in sub.prompt
    assert len(sub.prompt) < 10_000


@pytest.mark.parametrize(
    ("report", "command"),
    [
        (AgentReport(True, decisions={"recovery": " touch a \n"}), "touch a"),
        (AgentReport(True, "I looked.\n  Recovery: `touch a`\n"), "touch a"),
        (AgentReport(True, "nothing helps", decisions={"recovery": ""}), None),
        (AgentReport(True, "no line of that kind: recovery is hard"), None),
        (AgentReport(False, decisions={"recovery": "touch a"}), None),
        (AgentReport(True, decisions={"recovery": "x" * 2001}), None),
        (AgentReport(True, decisions={"recovery": "touch a\0b"}), None),
    ],
)
def test_answer_is_the_command_that_was_named(report: AgentReport, command: str | None) -> None:
    proposal = asking.answered(report, "/tree")
    assert (proposal.before if proposal else None) == command
    assert proposal is None or proposal.runnable


def test_answer_that_reaches_out_is_only_told() -> None:
    proposal = asking.answered(AgentReport(True, decisions={"recovery": "sudo apt install x"}), "/tree")
    assert proposal is not None
    assert not proposal.runnable
    assert proposal.advice == "`sudo apt install x` was proposed and not run: `sudo` changes the machine"


def test_backend_of_the_planner_is_asked() -> None:
    planner = agent("ANALYST", backend="claude-code")
    of = task("t", workflow=workflow(phase("p", planner, agent("OTHER"))))
    assert asking.backend_for(of, "ANALYST", "anthropic") == "claude-code"
    assert asking.backend_for(of, "OTHER", "anthropic") == "anthropic"
