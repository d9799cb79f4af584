from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Agent, AgentName, ChangeType, Outputs, Phase, TaskOutcome, When, Workflow
from tests.support.build import agent, phase, task, workflow
from workflow_manager.schedule import (
    Begin,
    CancelAgents,
    Command,
    CommitPhase,
    Committed,
    Conflicted,
    Ended,
    EnterPhase,
    Event,
    Finish,
    Granted,
    Look,
    Looked,
    Refused,
    SkipAgent,
    StartAgent,
    Stopped,
    TaskSchedule,
    WantSlot,
)
from workflow_manager.selection import Facts
from workflow_manager.sharing import needing_scratch


def granted(name: str) -> Granted:
    return Granted(AgentName(name))


def ended(name: str, ok: bool = True, reason: str = "") -> Ended:
    return Ended(AgentName(name), ok, reason)


def short(command: Command) -> str:
    match command:
        case EnterPhase(entered):
            return f"enter {entered.name}"
        case WantSlot(wanting):
            return f"want {wanting.name}"
        case StartAgent(_, started, attempt, scratch, resolves):
            for_whom = f" for {resolves.name}" if resolves else ""
            tries = f" try {attempt}" if attempt > 1 else ""
            return f"start {started.name}{tries}" + " apart" * (scratch and not resolves) + for_whom
        case Look(complete):
            return "look at the diff" if complete else "look"
        case SkipAgent(_, skipped, reason):
            return f"skip {skipped.name}: {reason}"
        case CommitPhase(committed):
            return f"commit {committed.name}"
        case CancelAgents():
            return "cancel"
        case Finish(outcome, reason):
            return f"{outcome}: {reason}" if reason else str(outcome)


class Play:
    """A task's schedule that answers in words."""

    def __init__(
        self,
        *phases: Phase,
        done: Iterable[str] = (),
        resolve: Agent | None = None,
        all_agents: bool = False,
        **fields: object,
    ) -> None:
        a_task = task("t", workflow=replace(workflow(*phases), resolve=resolve), **fields)
        self.schedule = TaskSchedule(a_task, frozenset(done), all_agents=all_agents)

    def after(self, *events: Event) -> list[str]:
        return [short(command) for event in events for command in self.schedule.step(event)]


# --- the way through


def test_phases_follow_one_another_with_a_commit_each() -> None:
    play = Play(phase("code", agent("CODER")), phase("test", agent("TESTER", needs=("CODER",))))
    assert play.after(Begin()) == ["enter code", "want CODER"]
    assert play.after(granted("CODER")) == ["start CODER"]
    assert play.after(ended("CODER")) == ["enter test", "want TESTER", "commit code"]
    assert play.after(Committed("code")) == []
    assert play.after(granted("TESTER"), ended("TESTER")) == ["start TESTER", "commit test"]
    assert play.after(Committed("test")) == ["done"]


def test_agents_of_a_phase_start_as_their_needs_allow() -> None:
    play = Play(
        phase(
            "p",
            agent("C", needs=("A", "B")),
            agent("A", writes=()),
            agent("B", writes=()),
            agent("D", needs=("C",)),
        )
    )
    assert play.after(Begin()) == ["enter p", "want A", "want B"]
    assert play.after(granted("A"), granted("B")) == ["start A", "start B"]
    assert play.after(ended("B")) == []
    assert play.after(ended("A")) == ["want C"]
    assert play.after(granted("C"), ended("C")) == ["start C", "want D"]
    assert play.after(granted("D"), ended("D")) == ["start D", "commit p"]


def test_agent_starts_while_an_earlier_phase_that_it_does_not_need_still_works() -> None:
    play = Play(
        phase("one", agent("A", writes=("a",)), agent("SLOW", writes=("b",))),
        phase("two", agent("B", needs=("A",), writes=("c",)), agent("C", needs=("SLOW",), writes=("d",))),
    )
    play.after(Begin(), granted("A"), granted("SLOW"))
    assert play.after(ended("A")) == ["enter two", "want B"]
    assert play.after(granted("B")) == ["start B"]
    assert play.after(ended("SLOW")) == ["want C", "commit one"]
    assert play.after(Committed("one"), ended("B"), granted("C"), ended("C")) == ["start C", "commit two"]


def test_phase_that_is_complete_first_is_committed_in_its_turn() -> None:
    play = Play(phase("one", agent("SLOW", writes=("a",))), phase("two", agent("FAST", writes=("b",))))
    play.after(Begin(), granted("SLOW"), granted("FAST"))
    assert play.after(ended("FAST")) == []
    assert play.after(ended("SLOW")) == ["commit one"]
    assert play.after(Committed("one")) == ["commit two"]


def test_phases_without_agents_are_passed_by() -> None:
    play = Play(phase("set-up"), phase("code", agent("A")), phase("pull-request"))
    assert play.after(Begin()) == ["enter code", "want A"]
    assert play.after(granted("A"), ended("A"), Committed("code"))[-1] == "done"


def test_workflow_without_any_agent_is_done_at_once() -> None:
    assert Play(phase("set-up")).after(Begin()) == ["done"]


def test_phases_that_an_earlier_attempt_committed_are_not_repeated() -> None:
    play = Play(phase("one", agent("A")), phase("two", agent("B", needs=("A",))), done=["one"])
    assert play.after(Begin()) == ["enter two", "want B"]
    assert Play(phase("one", agent("A")), done=["one"]).after(Begin()) == ["done"]


def test_slot_that_comes_twice_starts_the_agent_once() -> None:
    play = Play(phase("p", agent("A")))
    play.after(Begin())
    assert play.after(granted("A"), granted("A"), granted("NOBODY")) == ["start A"]


# --- failure


def test_failed_agent_is_tried_as_often_as_it_may_be() -> None:
    play = Play(phase("p", agent("A", retries=2)))
    play.after(Begin(), granted("A"))
    assert play.after(ended("A", False, "one")) == ["want A"]
    assert play.after(granted("A")) == ["start A try 2"]
    assert play.after(ended("A", False, "two"), granted("A")) == ["want A", "start A try 3"]
    assert play.after(ended("A", False, "three")) == ["failed: A: three (tried 3 times)"]


def test_agent_that_succeeds_at_last_counts_as_done() -> None:
    play = Play(phase("p", agent("A", retries=1)))
    play.after(Begin(), granted("A"), ended("A", False, "one"), granted("A"))
    assert play.after(ended("A")) == ["commit p"]


def test_dependents_wait_for_the_retry() -> None:
    play = Play(phase("p", agent("A", retries=1), agent("B", needs=("A",))))
    play.after(Begin(), granted("A"))
    assert play.after(ended("A", False)) == ["want A"]
    assert play.after(granted("A"), ended("A")) == ["start A try 2", "want B"]


def test_failure_winds_the_others_up_before_the_task_ends() -> None:
    play = Play(phase("p", agent("A", writes=()), agent("B", writes=()), agent("C", needs=("A",))))
    play.after(Begin(), granted("A"), granted("B"))
    assert play.after(ended("A", False, "exit status 1")) == ["cancel"]
    assert play.after(ended("B", False, "stopped")) == ["failed: A: exit status 1"]


def test_agent_that_waits_for_a_slot_does_not_start_after_a_failure() -> None:
    play = Play(phase("p", agent("A", writes=()), agent("B", writes=()), agent("C", writes=())))
    play.after(Begin(), granted("A"), granted("B"))
    assert play.after(ended("A", False, "no")) == ["cancel"]
    assert play.after(granted("C")) == []
    assert play.after(ended("B")) == ["failed: A: no"]


def test_first_failure_is_the_reason() -> None:
    play = Play(phase("p", agent("A", writes=()), agent("B", writes=(), retries=5)))
    play.after(Begin(), granted("A"), granted("B"), ended("A", False, "first"))
    assert play.after(ended("B", False, "second")) == ["failed: A: first"]


def test_phase_that_may_not_be_committed_fails_the_task() -> None:
    play = Play(phase("p", agent("A")), phase("q", agent("B", needs=("A",))))
    play.after(Begin(), granted("A"), ended("A"))
    assert play.after(Refused("p", ".gitattributes: it changes how git treats files")) == [
        "failed: phase p: .gitattributes: it changes how git treats files"
    ]


def test_refused_phase_stops_the_agents_of_later_ones() -> None:
    play = Play(phase("p", agent("A")), phase("q", agent("B", needs=("A",))))
    play.after(Begin(), granted("A"), ended("A"), granted("B"))
    assert play.after(Refused("p", "no")) == ["cancel"]
    assert play.after(ended("B", False)) == ["failed: phase p: no"]


# --- conflicts between agents


def conflicted(name: str) -> Conflicted:
    return Conflicted(AgentName(name), ("src/a.py",))


def test_conflict_without_a_resolver_is_a_failed_try() -> None:
    play = Play(phase("p", agent("A"), agent("B", retries=1)))
    play.after(Begin(), granted("A"), granted("B"), ended("A"))
    assert play.after(conflicted("B")) == ["want B"]
    assert play.after(granted("B")) == ["start B try 2 apart"]
    assert play.after(conflicted("B")) == [
        "failed: B: its changes conflict with another agent's in src/a.py (tried 2 times)"
    ]


def test_resolver_answers_a_conflict_and_dependents_wait_for_it() -> None:
    play = Play(phase("p", agent("A"), agent("B"), agent("C", needs=("B",))), resolve=agent("FIXER"))
    play.after(Begin(), granted("A"), granted("B"), ended("A"))
    assert play.after(conflicted("B")) == ["want FIXER"]
    assert play.schedule.resolving
    assert play.after(granted("FIXER")) == ["start FIXER for B"]
    assert play.after(ended("FIXER")) == ["want C"]
    assert not play.schedule.resolving


def test_resolver_that_fails_is_tried_again_before_the_agent_itself_is() -> None:
    play = Play(phase("p", agent("A"), agent("B", retries=1)), resolve=agent("FIXER", retries=1))
    play.after(Begin(), granted("A"), granted("B"), ended("A"), conflicted("B"), granted("FIXER"))
    assert play.after(ended("FIXER", False, "markers")) == ["want FIXER"]
    assert play.after(granted("FIXER"), ended("FIXER", False, "markers")) == [
        "start FIXER try 2 for B",
        "want B",
    ]
    assert play.after(granted("B"), ended("B")) == ["start B try 2 apart", "commit p"]


def test_no_two_executions_of_a_resolver_have_one_number() -> None:
    play = Play(phase("p", *(agent(name) for name in "ABC")), resolve=agent("FIXER", retries=1))
    play.after(Begin(), granted("A"), granted("B"), granted("C"), ended("A"), conflicted("B"))
    first = play.schedule.step(granted("FIXER"))
    play.after(ended("FIXER", False, "markers"))
    second = play.schedule.step(granted("FIXER"))
    play.after(ended("FIXER"), conflicted("C"))
    third = play.schedule.step(granted("FIXER"))
    starts = [command for command in (*first, *second, *third) if isinstance(command, StartAgent)]
    assert [(start.attempt, start.number) for start in starts] == [(1, 1), (2, 2), (1, 3)]


def test_conflict_after_the_end_was_decided_is_not_resolved() -> None:
    play = Play(phase("p", agent("A"), agent("B"), agent("C")), resolve=agent("FIXER"))
    play.after(Begin(), granted("A"), granted("B"), granted("C"), ended("A", False, "no"))
    assert play.after(ended("C", False)) == []
    assert play.after(conflicted("B")) == ["failed: A: no"]


def test_end_leaves_a_conflict_that_waits_for_a_slot_so_that_others_need_not_wait_for_it() -> None:
    play = Play(phase("p", agent("A"), agent("B"), agent("C")), resolve=agent("FIXER"))
    play.after(Begin(), granted("A"), granted("B"), granted("C"), ended("A"), conflicted("B"))
    assert play.after(Stopped()) == ["cancel"]
    assert not play.schedule.resolving
    assert play.after(granted("FIXER")) == []
    assert play.after(ended("C")) == ["interrupted: the run was stopped"]


# --- stopping


def test_stop_cancels_what_runs_and_ends_when_it_has_ended() -> None:
    play = Play(phase("p", agent("A", writes=(), retries=3), agent("B", writes=())))
    play.after(Begin(), granted("A"), granted("B"))
    assert play.after(Stopped()) == ["cancel"]
    assert play.after(Stopped()) == []
    assert play.after(ended("A", False, "stopped")) == []
    assert play.after(ended("B")) == ["interrupted: the run was stopped"]


def test_stop_ends_at_once_where_nothing_runs() -> None:
    play = Play(phase("p", agent("A")))
    play.after(Begin())
    assert play.after(Stopped()) == ["interrupted: the run was stopped"]
    assert play.after(granted("A")) == []


def test_stop_during_a_commit_ends_the_task_once() -> None:
    """The end waits for the commit, which is work that is done; the next phase must not begin."""
    play = Play(phase("p", agent("A")), phase("q", agent("B", needs=("A",))))
    play.after(Begin(), granted("A"), ended("A"))
    assert play.after(Stopped()) == ["cancel"]
    assert play.after(granted("B")) == []
    assert play.after(Committed("p")) == ["interrupted: the run was stopped"]


def test_stop_before_the_beginning_ends_the_task_once() -> None:
    play = Play(phase("p", agent("A")))
    assert play.after(Stopped()) == ["interrupted: the run was stopped"]
    assert play.after(Begin()) == []


# --- skipping by labels and paths


def when(*, labels: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> When:
    return When(labels, paths)


def test_skipped_agent_holds_nobody_up() -> None:
    play = Play(phase("p", agent("A", when=when(labels=("ui",))), agent("B", needs=("A",))))
    assert play.after(Begin()) == ["enter p", "skip A: the task has none of the labels ui", "want B"]


def test_phase_of_which_all_agents_are_skipped_is_still_committed() -> None:
    play = Play(phase("p", agent("A", when=when(labels=("ui",)))))
    assert play.after(Begin()) == ["enter p", "skip A: the task has none of the labels ui", "commit p"]
    assert play.after(Committed("p")) == ["done"]


# --- skipping by what the run shows


def facts(change: str, *layers: str) -> Looked:
    return Looked(Facts(ChangeType(change), "for a reason", frozenset(layers), "by a word"))


FULL_ONLY = When(changes=(ChangeType.FULL,))


def test_condition_on_the_change_is_looked_at_when_the_agent_would_start() -> None:
    play = Play(phase("p", agent("A"), agent("B", needs=("A",), writes=(), when=FULL_ONLY)))
    assert play.after(Begin()) == ["enter p", "want A"]
    assert play.after(granted("A"), ended("A")) == ["start A", "look at the diff"]
    assert play.after(facts("typo")) == [
        "skip B: not needed for a typo change (for a reason)",
        "commit p",
    ]


def test_before_the_work_is_done_the_diff_does_not_count() -> None:
    work = agent("WORK", needs=("TESTS",), outputs=Outputs(change=True))
    play = Play(phase("p", agent("TESTS", when=FULL_ONLY), work))
    assert play.after(Begin()) == ["look"]
    assert play.after(facts("full")) == ["enter p", "want TESTS"]


def test_what_an_agent_left_is_looked_at_anew() -> None:
    play = Play(phase("p", agent("A", when=FULL_ONLY), agent("B", needs=("A",), when=FULL_ONLY)))
    play.after(Begin(), facts("full"), granted("A"))
    assert play.after(ended("A")) == ["look"]
    assert play.after(facts("full")) == ["want B"]


def test_layers_that_are_not_needed_are_skipped_with_those_that_are() -> None:
    play = Play(
        phase("p", agent("WEB", when=When(layers=("web",))), agent("API", when=When(layers=("api",))))
    )
    assert play.after(Begin(), facts("full", "api")) == [
        "look",
        "enter p",
        "skip WEB: the layer web is not needed; needed: api (by a word)",
        "want API",
    ]


def test_all_agents_run_where_that_is_asked_for() -> None:
    play = Play(
        phase("p", agent("A", when=when(labels=("ui",))), agent("B", when=FULL_ONLY)), all_agents=True
    )
    assert play.after(Begin()) == ["enter p", "want A", "want B"]


# --- scratch worktrees


@pytest.mark.parametrize(
    ("agents", "apart"),
    [
        ([agent("A")], ""),
        ([agent("A"), agent("B")], "A B"),
        ([agent("A"), agent("B", writes=())], ""),
        ([agent("A", writes=("src/**",)), agent("B", writes=("docs/**",))], ""),
        ([agent("A", writes=("src/**",)), agent("B", writes=("src/a.py",))], "A B"),
        ([agent("A", writes=("src/**",)), agent("B")], "A B"),
        ([agent("A"), agent("B", needs=("A",))], ""),
        ([agent("C", needs=("B",)), agent("B", needs=("A",)), agent("A")], ""),
        ([agent("A"), agent("B", needs=("A",)), agent("C", needs=("A",))], "B C"),
        ([agent("A", isolation="scratch")], "A"),
        ([agent("A", isolation="shared"), agent("B")], "B"),
        ([agent("A", isolation="shared"), agent("B", isolation="shared")], ""),
        ([agent("A", writes=("x",)), agent("B", writes=("y",)), agent("C", writes=("x",))], "A C"),
    ],
)
def test_agents_that_could_write_the_same_at_the_same_time_work_apart(
    agents: list[Agent], apart: str
) -> None:
    assert needing_scratch(tuple(agents)) == set(apart.split())


def test_agents_that_work_apart_are_started_so() -> None:
    play = Play(phase("p", agent("A"), agent("B"), agent("C", writes=())))
    assert play.after(Begin(), granted("A"), granted("B"), granted("C"))[-3:] == [
        "start A apart",
        "start B apart",
        "start C",
    ]


def test_skipped_agents_do_not_make_others_work_apart() -> None:
    play = Play(phase("p", agent("A"), agent("B", when=when(labels=("ui",)))))
    assert play.after(Begin(), granted("A"))[-1] == "start A"


# --- every workflow, every end, every order


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    phases: list[Phase] = []
    names: list[str] = []
    for place in range(draw(st.integers(1, 3))):
        agents: list[Agent] = []
        for _ in range(draw(st.integers(0, 4))):
            needs = draw(st.sets(st.sampled_from(names))) if names else set()
            names.append(f"A{len(names)}")
            condition = draw(st.sampled_from([When(), When(), When(labels=("none",))]))
            agents.append(
                agent(
                    names[-1],
                    needs=sorted(needs),
                    retries=draw(st.integers(0, 2)),
                    escalate=draw(st.booleans()),
                    writes=(),
                    when=condition,
                )
            )
        phases.append(Phase(f"p{place}", tuple(draw(st.permutations(agents)))))
    return workflow(*phases)


def play_out(made: Workflow, failures: dict[str, int], seed: int, stop_at: int = -1) -> list[Command]:
    """Everything a schedule commands, with agents that end in an order that ``seed`` decides."""
    chance = random.Random(seed)
    schedule = TaskSchedule(task("t", workflow=made))
    said: list[Command] = []
    possible: list[Event] = [Begin()]
    running: set[str] = set()
    over: set[str] = set()
    steps = 0
    while possible:
        steps += 1
        event = Stopped() if steps == stop_at else possible.pop(chance.randrange(len(possible)))
        if isinstance(event, Ended):
            running.remove(event.agent)
            over |= {event.agent} if event.ok else set()
        for command in schedule.step(event):
            said.append(command)
            match command:
                case WantSlot(wanting):
                    possible.append(Granted(wanting.name))
                case SkipAgent(_, skipped):
                    over.add(skipped.name)
                case StartAgent(_, started, attempt):
                    assert started.name not in running
                    assert set(started.needs) <= over
                    running.add(started.name)
                    possible.append(Ended(started.name, attempt > failures.get(started.name, 0), "why"))
                case CommitPhase(committed):
                    assert not running & {one.name for one in committed.agents}
                    possible.append(Committed(committed.name))
                case Finish():
                    assert not running
                case _:
                    pass
    return said


@given(
    workflows(),
    st.dictionaries(st.sampled_from([f"A{n}" for n in range(6)]), st.integers(0, 4)),
    st.integers(0, 999),
)
def test_every_workflow_ends_once_and_fails_only_where_an_agent_used_up_its_tries(
    made: Workflow, failures: dict[str, int], seed: int
) -> None:
    said = play_out(made, failures, seed)
    ends = [command for command in said if isinstance(command, Finish)]
    assert len(ends) == 1
    assert said[-1] is ends[0]
    ran = {command.agent.name: command.attempt for command in said if isinstance(command, StartAgent)}
    tries = {a.name: a.retries + a.escalate + 1 for a in made.agents}
    exhausted = {name for name in tries if ran.get(name) == tries[name] <= failures.get(name, 0)}
    assert ends[0].outcome is (TaskOutcome.FAILED if exhausted else TaskOutcome.DONE)


@given(workflows(), st.integers(0, 999), st.integers(1, 30))
def test_stop_at_any_moment_ends_the_task_once(made: Workflow, seed: int, stop_at: int) -> None:
    said = play_out(made, {}, seed, stop_at)
    ends = [command for command in said if isinstance(command, Finish)]
    assert len(ends) == 1
    assert ends[0].outcome in (TaskOutcome.INTERRUPTED, TaskOutcome.DONE)
    assert not any(isinstance(command, StartAgent | EnterPhase) for command in said[said.index(ends[0]) :])
