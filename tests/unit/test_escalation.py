"""One more try with the next tier's model, once, after the last one failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.model import Agent, AgentName, Tier
from tests.support.build import agent, phase, task, workflow
from workflow_manager.schedule import (
    Begin,
    Command,
    Conflicted,
    Ended,
    Event,
    Finish,
    Granted,
    StartAgent,
    Stopped,
    TaskSchedule,
    WantSlot,
)
from workflow_manager.workflows import read, to_yaml

CODER, FIXER = AgentName("CODER"), AgentName("FIXER")


def schedule(coder: Agent, resolve: Agent | None = None) -> TaskSchedule:
    flow = workflow(phase("work", coder))
    made = TaskSchedule(task("t", workflow=replace(flow, resolve=resolve)))
    made.step(Begin())
    return made


def told(commands: list[Command]) -> list[str]:
    """What is asked for and started, with its tier, and how it all ends."""
    shown = []
    for command in commands:
        match command:
            case WantSlot(wanted):
                shown.append(f"want {wanted.tier}")
            case StartAgent(_, started, attempt):
                shown.append(f"try {attempt} {started.tier}")
            case Finish(_, reason):
                shown.append(reason)
            case _:
                pass
    return shown


def failed(name: AgentName, *, final: bool = False) -> Ended:
    return Ended(name, False, "no evidence", final)


def play(made: TaskSchedule, *events: Event) -> list[str]:
    return told([command for event in events for command in made.step(event)])


def test_last_failed_try_is_followed_by_one_a_tier_higher() -> None:
    made = schedule(agent("CODER", retries=1, escalate=True))
    assert play(made, Granted(CODER), failed(CODER)) == ["try 1 balanced", "want balanced"]
    assert play(made, Granted(CODER), failed(CODER)) == ["try 2 balanced", "want deep"]
    assert play(made, Granted(CODER), failed(CODER)) == [
        "try 3 deep",
        "CODER: no evidence (tried 3 times)",
    ]


@pytest.mark.parametrize(("tier", "next_one"), [("fast", "balanced"), ("balanced", "deep")])
def test_it_goes_up_one_tier_and_only_once(tier: Tier, next_one: Tier) -> None:
    made = schedule(agent("CODER", tier=tier, escalate=True))
    assert play(made, Granted(CODER), failed(CODER)) == [f"try 1 {tier}", f"want {next_one}"]
    assert play(made, Granted(CODER), failed(CODER))[-1] == "CODER: no evidence (tried 2 times)"


@pytest.mark.parametrize(
    ("coder", "final"),
    [
        (agent("CODER", tier="deep", escalate=True), False),  # nothing is above
        (agent("CODER", escalate=True), True),  # a better model would fail the same way
        (agent("CODER"), False),
    ],
)
def test_no_try_is_added_where_it_cannot_help_or_was_not_asked_for(coder: Agent, final: bool) -> None:
    made = schedule(coder)
    assert play(made, Granted(CODER), failed(CODER, final=final))[1:] == ["CODER: no evidence"]


def test_a_try_that_ends_well_leads_to_no_other_tier() -> None:
    made = schedule(agent("CODER", escalate=True))
    assert play(made, Granted(CODER), Ended(CODER, True)) == ["try 1 balanced"]


def test_run_that_is_stopped_tries_nothing_again() -> None:
    made = schedule(agent("CODER", escalate=True))
    assert play(made, Granted(CODER), Stopped(), failed(CODER)) == ["try 1 balanced", "the run was stopped"]


def test_resolver_goes_up_a_tier_too_and_starts_each_conflict_at_its_own() -> None:
    made = schedule(agent("CODER", retries=1), agent("FIXER", tier="fast", escalate=True))
    conflict = Conflicted(CODER, ("a.txt",))
    assert play(made, Granted(CODER), conflict) == ["try 1 balanced", "want fast"]
    assert play(made, Granted(FIXER), failed(FIXER)) == ["try 1 fast", "want balanced"]
    assert play(made, Granted(FIXER), failed(FIXER)) == ["try 2 balanced", "want balanced"]  # CODER again
    assert play(made, Granted(CODER), conflict) == ["try 2 balanced", "want fast"]


def test_workflow_says_so_and_is_printed_so() -> None:
    text = "version: 1\nname: w\nphases:\n  - name: p\n    agents:\n      - {name: CODER, prompt: do it, escalate: true}\n"
    flow = read(text.encode(), "w.yaml", "w.yaml")
    assert flow.agents[0].escalate
    assert read(to_yaml(flow).encode(), "w.yaml", "w.yaml") == flow
