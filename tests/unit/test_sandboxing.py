"""Who is shut into a sandbox, and which runs are refused before they start."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import UserError
from shared.model import Planned, Settings, Task
from shared.sandbox import probe
from tests.support import build
from workflow_manager import holding
from workflow_manager.holding import refuse_without_sandbox, unsafe_notes
from workflow_manager.sandboxing import needs_sandbox, sandboxed

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
    assert sandboxed(task(foreign=foreign), Settings(**settings), agent) is shut_in


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
