from __future__ import annotations

import pytest

from shared.model import AgentName
from tests.support.build import agent, phase, workflow
from workflow_manager.phase_log import PhaseLog, unpaid

RESEARCH, CODE = phase("research", agent("A"), agent("B")), phase("code", agent("C"), agent("D"))
A, B, C, D = (AgentName(name) for name in "ABCD")


def log() -> PhaseLog:
    return PhaseLog(workflow(RESEARCH, CODE))


def test_lines_come_in_the_order_of_the_workflow_and_a_resolver_last() -> None:
    told = log()
    for name in ("FIXER", "D", "C"):
        told.ended("code", AgentName(name), f"by {name}")
    assert told.summaries(CODE) == (("C", "by C"), ("D", "by D"), ("FIXER", "by FIXER"))


def test_skip_in_a_phase_without_a_commit_is_told_by_the_next_commit() -> None:
    told = log()
    told.skipped("research", B, "not needed for a typo")
    told.skipped("code", D, "no such label")
    assert told.skips(RESEARCH) == (("B", "not needed for a typo"),)
    told.told(RESEARCH, committed=False)
    assert told.skips(CODE) == (("B", "not needed for a typo"), ("D", "no such label"))


def test_skip_that_a_commit_has_told_is_not_told_again() -> None:
    told = log()
    told.skipped("research", B, "not needed")
    told.told(RESEARCH, committed=True)
    assert told.skips(CODE) == ()


def test_agent_that_is_tried_again_ran_once_and_says_what_it_said_last() -> None:
    told = log()
    for summary in ("half", "whole"):
        told.started("code", C)
        told.ended("code", C, summary)
    assert told.ran("code") == (C,)
    assert told.summaries(CODE) == (("C", "whole"),)


def test_cost_of_a_phase_without_a_commit_is_told_by_the_next_commit() -> None:
    told = log()
    assert told.to_pay(RESEARCH) == ("research",)
    told.told(RESEARCH, committed=False)
    assert told.to_pay(CODE) == ("research", "code")
    told.told(CODE, committed=True)
    assert told.to_pay(RESEARCH) == ("research",)


THREE = workflow(phase("one", agent("A")), phase("two", agent("B")), phase("three", agent("C")))


@pytest.mark.parametrize(
    ("committed", "unchanged", "waiting"),
    [
        ((), (), ()),
        ((), ("one",), ("one",)),
        ((), ("one", "two"), ("one", "two")),
        (("one",), ("two",), ("two",)),
        (("two",), ("one",), ()),  # the second one's commit has told the cost of the first
        (("one", "two"), (), ()),
    ],
)
def test_cost_that_an_earlier_manager_has_told_in_no_commit_is_still_to_be_told(
    committed: tuple[str, ...], unchanged: tuple[str, ...], waiting: tuple[str, ...]
) -> None:
    assert unpaid(THREE, committed, unchanged) == waiting
    assert PhaseLog(THREE, waiting).to_pay(THREE.phases[2]) == (*waiting, "three")
