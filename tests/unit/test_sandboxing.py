"""Who is shut into a sandbox, and which runs are refused before they start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import UserError
from shared.model import Agent, Containment, Planned, Sandbox, Settings, Task
from shared.sandbox import LET_OUT, probe
from tests.support import build
from workflow_manager import holding
from workflow_manager.holding import explained, explained_for, refuse_without_sandbox, unsafe_notes
from workflow_manager.sandboxing import (
    anybody_is_shut_in,
    evidence_is_shut_in,
    gate_is_shut_in,
    needs_sandbox,
    sandboxed,
    set_up_is_shut_in,
)

USERS = build.agent("USERS", run="make")
MODEL = build.agent("MODEL", prompt="Plan it.", backend="anthropic")
PROGRAM = build.agent("PROGRAM", prompt="Do it.", backend="codex")
SCRIPTED = build.agent("SCRIPTED", prompt="Play it.", backend="scripted")
OWN_PROGRAM = build.agent("OWN", prompt="Do it.")  # executed by the user's `agent_command`
BY_MODEL = build.agent("BY_MODEL", planned=Planned(MODEL.name))
BY_SCRIPT = build.agent("BY_SCRIPT", planned=Planned(SCRIPTED.name))
SUB = build.agent("MODEL/helper", run="make", backend="command")
USERS_SUB = build.agent("USERS/helper", run="make", backend="command")
PLANNED_SUB = build.agent("BY_MODEL/c1", run="make", backend="command")
RECOVERY = build.agent("BY_MODEL/c1-1-first", run="make", backend="command")
SCRIPTS_SUB = build.agent("BY_SCRIPT/c1", run="make", backend="command")
MODELS_RECOVERY = build.agent("BY_SCRIPT/c1-1-first", run="make", backend="command", by_model=True)


def task(**fields: Any) -> Task:
    agents = (USERS, MODEL, PROGRAM, SCRIPTED, OWN_PROGRAM, BY_MODEL, BY_SCRIPT)
    return build.task("shop", workflow=build.workflow(build.phase("work", *agents)), **fields)


@pytest.mark.parametrize(
    ("agent", "settings", "foreign", "shut_in"),
    [
        (USERS, {}, False, False),
        (USERS, {"backend": "anthropic"}, False, False),
        (USERS, {}, True, True),
        (USERS, {"sandbox": "on"}, False, True),
        (MODEL, {}, False, True),
        (PROGRAM, {}, False, True),
        (OWN_PROGRAM, {}, False, False),
        (OWN_PROGRAM, {"backend": "claude-code"}, False, True),
        (SCRIPTED, {}, False, False),
        (SCRIPTED, {}, True, True),
        (BY_MODEL, {}, False, True),
        (BY_SCRIPT, {}, False, False),
        (SUB, {}, False, True),
        (USERS_SUB, {}, False, False),
        (PLANNED_SUB, {}, False, True),
        (RECOVERY, {}, False, True),
        (SCRIPTS_SUB, {}, False, False),
        (MODELS_RECOVERY, {}, False, True),
        (PLANNED_SUB, {"unsafe_no_sandbox": True}, False, False),
        (MODEL, {"sandbox": "off"}, False, True),  # only what is named unsafe lets it out
        (USERS, {"sandbox": "off"}, False, False),
        (MODEL, {"unsafe_no_sandbox": True}, False, False),
        (USERS, {"unsafe_no_sandbox": True, "sandbox": "on"}, True, False),
    ],
)
def test_who_is_shut_in(agent: Any, settings: dict[str, Any], foreign: bool, shut_in: bool) -> None:
    """Whatever they execute: that is the next table's."""
    by_itself = Settings(**({"sandbox_commands": "off"} | settings))
    assert sandboxed(task(foreign=foreign), by_itself, agent) is shut_in


BEFORE, AFTER = build.agent("BEFORE", run="make"), build.agent("AFTER", run="make", needs=["CODER"])
CODER = build.agent("CODER", prompt="Do it.", backend="anthropic", needs=["BEFORE"])
BESIDE, LATER = build.agent("BESIDE", commands=("make", "make")), build.agent("LATER", run="make")
THINKING = build.agent(
    "THINKING", prompt="Look at it."
)  # by the user's `agent_command`, which needs its network
CHILD = build.agent("LATER/c1", run="make", backend="command")
EARLY = build.agent("EARLY", run="make")
RESOLVER = build.agent("RESOLVER", prompt="Resolve it.", backend="anthropic")
MIXED = build.task(
    "shop",
    workflow=build.workflow(
        build.phase("first", EARLY),
        build.phase("work", BEFORE, CODER, AFTER, BESIDE),
        build.phase("end", LATER, THINKING),
    ),
)
RESOLVED = replace(MIXED, workflow=replace(build.workflow(build.phase("first", EARLY)), resolve=RESOLVER))
ALONE = build.task("alone", workflow=build.workflow(build.phase("work", EARLY)))


@pytest.mark.parametrize(
    ("a_task", "agent", "tainted", "settings", "shut_in"),
    [
        (MIXED, EARLY, False, {}, False),  # only the user's own work is there
        (MIXED, BEFORE, False, {}, False),
        (MIXED, AFTER, False, {}, True),
        (MIXED, BESIDE, False, {}, True),
        (MIXED, LATER, False, {}, True),
        (MIXED, CHILD, False, {}, True),
        (MIXED, THINKING, False, {}, False),
        (MIXED, EARLY, True, {}, True),
        (ALONE, EARLY, False, {}, False),
        (ALONE, EARLY, True, {}, True),
        (RESOLVED, EARLY, False, {}, True),
        (MIXED, LATER, True, {"sandbox_commands": "off"}, False),
        (MIXED, CODER, True, {"sandbox_commands": "off"}, True),
        (MIXED, LATER, False, {"sandbox_commands": "off", "sandbox": "on"}, True),
        (ALONE, EARLY, False, {"sandbox_commands": "on"}, True),
        (ALONE, THINKING, False, {"sandbox_commands": "on"}, False),
        (MIXED, LATER, True, {"sandbox_commands": "on", "unsafe_no_sandbox": True}, False),
    ],
)
def test_commands_of_the_user_that_execute_what_agents_wrote_are_shut_in(
    a_task: Task, agent: Agent, tainted: bool, settings: dict[str, Any], shut_in: bool
) -> None:
    assert sandboxed(a_task, Settings(**settings), agent, tainted=tainted) is shut_in


FOREIGN = replace(ALONE, foreign=True)


@pytest.mark.parametrize(
    ("a_task", "tainted", "worked", "settings", "set_up", "evidence"),
    [
        (MIXED, False, False, {}, False, True),
        (MIXED, False, True, {}, True, True),  # a further try, or a run that goes on
        (MIXED, True, False, {}, True, True),
        (ALONE, False, True, {}, False, False),  # nobody who is shut in has worked there
        (ALONE, True, False, {}, True, True),
        (ALONE, False, False, {"sandbox": "on"}, True, True),
        (ALONE, False, False, {"sandbox_commands": "on"}, True, True),
        (MIXED, True, True, {"sandbox_commands": "off"}, False, False),
        (MIXED, True, True, {"sandbox_commands": "off", "sandbox": "on"}, False, False),
        (FOREIGN, False, False, {"sandbox_commands": "off"}, False, True),  # strangers may have written it
        (
            FOREIGN,
            True,
            True,
            {"unsafe_no_sandbox": True, "sandbox_commands": "on", "sandbox": "on"},
            False,
            False,
        ),
    ],
)
def test_set_up_and_evidence_are_shut_in_where_they_execute_what_agents_wrote(
    a_task: Task, tainted: bool, worked: bool, settings: dict[str, Any], set_up: bool, evidence: bool
) -> None:
    made = Settings(**settings)
    assert set_up_is_shut_in(a_task, made, tainted=tainted, worked=worked) is set_up
    assert evidence_is_shut_in(a_task, made, tainted=tainted) is evidence


@pytest.mark.parametrize(
    ("a_task", "settings", "gate", "tainted"),
    [
        (MIXED, {}, True, True),
        (ALONE, {}, False, False),
        (ALONE, {"sandbox": "on"}, True, True),
        (MIXED, {"sandbox_commands": "off"}, False, True),
        (ALONE, {"sandbox_commands": "on"}, True, True),
        (MIXED, {"unsafe_no_sandbox": True, "sandbox_commands": "on"}, False, False),
    ],
)
def test_gate_is_shut_in_and_bases_are_tainted_by_whoever_is(
    a_task: Task, settings: dict[str, Any], gate: bool, tainted: bool
) -> None:
    plan = build.plan(a_task, **settings)
    assert gate_is_shut_in(plan) is gate
    assert anybody_is_shut_in(plan) is tainted


def test_command_that_fails_in_its_sandbox_says_what_lets_it_out() -> None:
    shut = Containment("/usr/bin/bwrap", sandbox=Sandbox("/w", home="/home/ada"))
    given = build.assignment(MIXED)
    assert explained("exit status 1", shut) == f"exit status 1{LET_OUT}"
    assert explained("exit status 1", Containment()) == "exit status 1"
    assert explained("", shut) == ""
    assert explained_for(given, LATER, "exit status 1", shut) == f"exit status 1{LET_OUT}"
    assert explained_for(given, CODER, "gave up", shut) == "gave up"  # nothing lets it out
    assert explained_for(given, CHILD, "exit status 1", shut) == "exit status 1"  # its parent says it
    everybody = replace(given, settings=Settings(sandbox="on"))
    assert explained_for(everybody, LATER, "exit status 1", shut) == "exit status 1"


def test_the_reason_names_whose_words_a_command_is() -> None:
    assert (
        needs_sandbox(task(), Settings(), BY_MODEL)
        == "its commands are the words of MODEL, which a model drives"
    )
    assert (
        needs_sandbox(task(), Settings(), SUB) == "its commands are the words of MODEL, which a model drives"
    )
    assert needs_sandbox(task(foreign=True), Settings(), USERS) == "strangers may have written its task"


def only(agent: Any, **fields: Any) -> Task:
    return build.task("shop", workflow=build.workflow(build.phase("work", agent)), **fields)


REFUSED: list[tuple[Task, dict[str, Any], dict[str, str], str]] = [
    (
        only(MODEL),
        {"sandbox": "off"},
        {},
        "shop: MODEL needs a sandbox, because a model drives it, and `sandbox: off`",
    ),
    (
        only(USERS, foreign=True),
        {"sandbox": "off"},
        {},
        "strangers may have written its task, and `sandbox: off`",
    ),
    (only(MODEL), {}, {"SPINNEY_NO_BUBBLEWRAP": "1"}, "there can be none: bubblewrap is switched off by"),
    (
        only(USERS),
        {"sandbox": "on"},
        {"SPINNEY_NO_BUBBLEWRAP": "1"},
        "`sandbox: on` asks for sandboxes, and there",
    ),
    (
        only(USERS),
        {"sandbox_commands": "on"},
        {"SPINNEY_NO_BUBBLEWRAP": "1"},
        "`sandbox_commands: on` asks for sandboxes, and there",
    ),
    (only(MODEL), {"pass_environment": ("NPM_TOKEN",)}, {}, "pass_environment names NPM_TOKEN"),
    (
        only(MODEL),
        {"sandbox_read": ("~/.ssh",)},
        {"HOME": "/home/ada"},
        "sandbox_read names ~/.ssh, but secrets are",
    ),
    (only(MODEL), {"sandbox_read": ("/",)}, {"HOME": "/home/ada"}, "sandbox_read names /"),
    (
        only(USERS, foreign=True),
        {"unsafe_no_sandbox": True},
        {"CI": "true"},
        "is refused in CI for text of strangers",
    ),
]


@pytest.mark.parametrize(
    ("a_task", "settings", "environ", "message"), REFUSED, ids=[case[3] for case in REFUSED]
)
def test_a_run_that_would_let_agents_out_is_refused(
    a_task: Task, settings: dict[str, Any], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as refused:
        refuse_without_sandbox(build.plan(a_task, **settings), "", environ)
    assert message in refused.value.message
    assert refused.value.hints
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("a_task", "settings", "environ"),
    [
        (only(USERS), {}, {"SPINNEY_NO_BUBBLEWRAP": "1"}),
        (only(SCRIPTED), {"sandbox": "off"}, {}),
        (only(USERS), {"sandbox_read": ("~/.ssh",)}, {}),  # nobody is shut in: it is of no account
        (only(MODEL), {"unsafe_no_sandbox": True}, {"CI": "true"}),
        (only(USERS, foreign=True), {"unsafe_no_sandbox": True}, {"CI": "false"}),
    ],
)
def test_other_runs_are_not(a_task: Task, settings: dict[str, Any], environ: dict[str, str]) -> None:
    refuse_without_sandbox(build.plan(a_task, **settings), "", environ)


@pytest.mark.parametrize(
    ("findings", "message", "hint"),
    [
        (probe.Findings("bubblewrap is not installed", ("install it: apt-get",)), "not installed", "apt-get"),
        (
            probe.Findings("there are no sandboxes on Darwin", ("run Spinney on Linux",)),
            "on Darwin",
            "on Linux",
        ),
    ],
)
def test_where_there_is_no_sandbox_the_reason_and_the_remedy_are_told(
    monkeypatch: pytest.MonkeyPatch, findings: probe.Findings, message: str, hint: str
) -> None:
    monkeypatch.setattr(holding, "look", lambda program: findings)
    with pytest.raises(UserError) as refused:
        refuse_without_sandbox(build.plan(only(MODEL)), "/usr/bin/bwrap", {})
    assert message in refused.value.message
    assert hint in refused.value.hints[0]
    assert "--unsafe-no-sandbox" in refused.value.hints[-1]


def test_going_without_is_said_loudly_and_only_where_it_matters() -> None:
    (note,) = unsafe_notes(build.plan(only(MODEL), unsafe_no_sandbox=True))
    assert note.startswith("UNSAFE: no sandbox for shop: ")
    assert unsafe_notes(build.plan(only(USERS), unsafe_no_sandbox=True)) == ()
    assert unsafe_notes(build.plan(only(MODEL))) == ()


@pytest.mark.parametrize(
    ("program", "platform", "problem"),
    [
        ("", "linux", "bubblewrap is not installed"),
        ("/usr/bin/bwrap", "darwin", "there are no sandboxes on "),
        ("/usr/bin/false", "linux", "bubblewrap cannot make a sandbox here: exit status 1"),
        ("/nonexistent/bwrap", "linux", "bubblewrap cannot make a sandbox here: "),
    ],
)
def test_what_is_wrong_with_this_machine_is_understood(
    monkeypatch: pytest.MonkeyPatch, program: str, platform: str, problem: str
) -> None:
    monkeypatch.setattr(probe.sys, "platform", platform)
    found = probe.look(program)
    assert found.problem.startswith(problem)
    assert found.hints


def test_a_bubblewrap_that_knows_too_little_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_attempt", lambda program: "bwrap: Unknown option --disable-userns")
    assert probe.look("/usr/bin/bwrap").problem == "bubblewrap is too old: Spinney needs 0.8 or newer"
