"""Planned commands that fail, with real shells: what is done about it, and how often a model is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.model import AgentName, Containment, Planned, Settings, SubAgent
from tests.support.build import agent, phase, task, workflow
from tests.support.calls import GATEWAY, Desk
from workflow_manager.backends.command import CommandBackend
from workflow_manager.backends.port import AgentReport

pytestmark = pytest.mark.process
ANALYST = agent("ANALYST", backend="anthropic")
CODER = agent("CODER", backend="command", planned=Planned(AgentName("ANALYST")))
TASK = task("fix", workflow=workflow(phase("all", ANALYST, CODER)))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    root = tmp_path / "tree"
    root.mkdir()
    return Desk(root)


def carried_out(desk: Desk, *commands: str, part: str = "commands", **fields: Any) -> AgentReport:
    """What becomes of planned commands, in a run that has models."""
    folder = desk.root / ".tasks" / "ANALYST"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "output.json").write_text(json.dumps({part: list(commands)}))
    one = replace(CODER, planned=Planned(AgentName("ANALYST"), part))  # type: ignore[arg-type]
    given = {"task": TASK, "gateway": GATEWAY, "containment": Containment("/usr/bin/bwrap")}
    return CommandBackend().run(desk.call(one, **(given | fields)))


def test_error_of_the_table_is_dealt_with_without_a_model(desk: Desk) -> None:
    report = carried_out(desk, "echo a > docs/api/a.md", "cat docs/api/a.md > b")
    assert report.ok, report
    assert (desk.root / "b").read_text() == "a\n"
    assert desk.models_asked == 0
    assert report.tool_calls == {"recovery-by-pattern": 1}
    [warning] = report.warnings
    assert warning.startswith(
        "command 1 (`echo a > docs/api/a.md`) failed: there is no folder docs/api; it ran well after"
    )
    assert desk.names == ["c1", "c1-1-again", "c2"]


@pytest.mark.parametrize(
    "commands",
    [
        ("mkdir out", "mkdir out"),
        ("printf '#!/bin/sh\\ntouch made' > run.sh", "./run.sh"),
        ("[[ a == a ]] && touch made",),
        ("printf 'x = 1' > lib.py", "mkdir sub; printf 'import lib' > sub/a.py", "python sub/a.py"),
    ],
)
def test_common_slips_of_plans_cost_no_model_call(desk: Desk, commands: tuple[str, ...]) -> None:
    report = carried_out(desk, *commands)
    assert report.ok, report
    assert desk.models_asked == 0
    assert report.tool_calls["recovery-by-pattern"] >= 1


def test_what_is_installed_first_is_installed_once_for_all(desk: Desk) -> None:
    """A stand-in for npm, which makes what eslint and tsc were missing."""
    (desk.root / "package.json").write_text("{}")
    (desk.root / "package-lock.json").write_text("{}")
    (desk.root / ".gitignore").write_text("node_modules/\n")
    programs = desk.root / "bin"
    programs.mkdir()
    npm = programs / "npm"
    npm.write_text(
        "#!/bin/sh\necho run >> npm.log; mkdir -p node_modules/.bin\n"
        "for name in eslint tsc; do printf '#!/bin/sh\\ntouch %s.ran' $name > node_modules/.bin/$name; done\n"
        "chmod +x node_modules/.bin/*\n"
    )
    npm.chmod(0o755)
    desk.environment = {"PATH": f"{programs}:/usr/bin:/bin", "SPINNEY_WORKTREE": str(desk.root)}
    report = carried_out(desk, "eslint src", "tsc -p .")
    assert report.ok, report
    assert (desk.root / "npm.log").read_text() == "run\n"
    assert {path.name for path in desk.root.glob("*.ran")} == {"eslint.ran", "tsc.ran"}
    assert desk.models_asked == 0


def test_what_would_change_the_machine_is_told_and_not_run(desk: Desk) -> None:
    report = carried_out(desk, "frobnicate-9 --all")
    assert not report.ok
    assert desk.names == ["c1"]
    assert report.reason.endswith("(hint: frobnicate-9 is not installed; install it)")
    assert report.warnings == (
        "command 1 (`frobnicate-9 --all`) failed: frobnicate-9 is not installed; install it",
    )


def helpful(command: str) -> Any:
    return lambda sub: AgentReport(True, summary="looked", decisions={"recovery": command})


def test_model_is_asked_about_what_the_table_does_not_know(desk: Desk) -> None:
    desk.answer = helpful("touch ready")
    report = carried_out(desk, "test -e ready || { echo not ready yet; exit 3; }")
    assert report.ok, report
    assert report.tool_calls == {"recovery-model-asked": 1, "recovery-by-model": 1}
    [question] = [sub for sub in desk.asked if sub.prompt]
    assert (question.backend, question.tier) == ("anthropic", "fast")
    assert "not ready yet" in question.prompt


def test_what_a_model_found_is_remembered_and_saves_the_next_call(desk: Desk, tmp_path: Path) -> None:
    desk.answer = helpful("touch ready")
    command, memory = "test -e ready || { echo not ready yet; exit 3; }", tmp_path / "memory"
    assert carried_out(desk, command, memory=memory).ok
    (desk.root / "ready").unlink()
    report = carried_out(desk, command, memory=memory)
    assert report.ok
    assert report.tool_calls == {"recovery-from-memory": 1}
    assert desk.models_asked == 1


ODD = "test -e ready || { echo not ready yet; exit 3; }"


def test_what_a_model_proposed_is_marked_and_so_is_all_that_may_execute_its_work(
    desk: Desk, tmp_path: Path
) -> None:
    """Whoever planned the rest; remembered or not. Who is marked is shut in."""
    desk.answer, memory = helpful("touch ready"), tmp_path / "memory"
    assert carried_out(desk, ODD, "mv ready read", memory=memory).ok
    assert carried_out(desk, "true", ODD, "mv ready read", memory=memory).ok
    first = {"c1": False, "c1-1-first": True, "c1-1-again": True, "c2": True}
    second = {"c1": False, "c2": False, "c2-1-first": True, "c2-1-again": True, "c3": True}
    marked = [(sub.name, sub.by_model) for sub in desk.asked if sub.run]
    assert marked == [*first.items(), *second.items()]


def test_what_a_model_proposed_is_told_and_not_run_where_there_is_no_sandbox(
    desk: Desk, tmp_path: Path
) -> None:
    desk.answer, memory = helpful("touch ready"), tmp_path / "memory"
    open_here = {"containment": Containment(), "memory": memory}
    report = carried_out(desk, ODD, **open_here)
    assert not report.ok
    assert desk.names == ["c1", "c1-help"]
    assert report.warnings == (f"command 1 (`{ODD}`) failed: a model proposed it; `touch ready` could help",)
    assert carried_out(desk, ODD, memory=memory).ok
    (desk.root / "ready").unlink()
    desk.asked.clear()
    assert not carried_out(desk, ODD, **open_here).ok
    assert not [sub.name for sub in desk.asked if sub.by_model]  # what is remembered is told as well
    assert carried_out(desk, ODD, **open_here, settings=Settings(unsafe_no_sandbox=True)).ok


def test_what_a_model_made_of_a_stranger_s_text_is_not_remembered(desk: Desk, tmp_path: Path) -> None:
    desk.answer = helpful("touch ready")
    command, memory = "test -e ready || { echo not ready yet; exit 3; }", tmp_path / "memory"
    assert carried_out(desk, command, memory=memory, task=replace(TASK, foreign=True)).ok
    assert not memory.exists()


@pytest.mark.parametrize(
    "hostile", ["sudo touch ready", "touch ../ready", "git config --global a.b c; touch ready"]
)
def test_model_s_proposal_that_reaches_out_is_told_and_not_run(desk: Desk, hostile: str) -> None:
    desk.answer = helpful(hostile)
    report = carried_out(desk, "test -e ready || { echo not ready yet; exit 3; }")
    assert not report.ok
    assert desk.names == ["c1", "c1-help"]
    assert f"`{hostile}` was proposed and not run: " in report.warnings[0]


def test_nobody_is_asked_in_a_run_without_models(desk: Desk) -> None:
    assert not carried_out(desk, "echo odd; exit 3", gateway=None).ok
    assert desk.names == ["c1"]


def test_tests_that_fail_have_said_what_they_were_asked(desk: Desk) -> None:
    report = carried_out(desk, "echo '==== 2 failed, 1 passed in 0.1s ===='; exit 1")
    assert not report.ok
    assert desk.names == ["c1"]


def test_checks_are_not_helped_along(desk: Desk) -> None:
    report = carried_out(desk, "echo a > docs/a", part="checks")
    assert not report.ok
    assert desk.names == ["c1"]


def test_user_s_own_commands_fail_honestly_with_a_hint(desk: Desk) -> None:
    listed = CommandBackend().run(desk.call(agent("CODER", commands=("echo a > docs/a", "true"))))
    assert (
        "(hint: there is no folder docs; `mkdir -p -- docs || exit; echo a > docs/a` could help)"
        in listed.reason
    )
    single = CommandBackend().run(desk.call(agent("CODER", run="no-such-program-here")))
    assert single.reason == (
        "exit status 127: /bin/sh: 1: no-such-program-here: not found "
        "(hint: no-such-program-here is not installed; install it)"
    )
    assert not (desk.root / "docs").exists()


def test_stop_ends_a_pause_at_once(desk: Desk) -> None:
    def stopping(agents: Any) -> tuple[AgentReport, ...]:
        reports = desk.spawn(agents)
        desk.cancel.set()
        return reports

    call = desk.call(CODER, task=TASK, spawn=stopping)
    (desk.root / ".tasks" / "ANALYST").mkdir(parents=True)
    (desk.root / ".tasks/ANALYST/output.json").write_text(
        json.dumps({"commands": ["echo database is locked; exit 1"]})
    )
    report = CommandBackend().run(call)
    assert report.cancelled
    assert desk.names == ["c1"]


def test_question_says_that_the_output_is_data(desk: Desk) -> None:
    def asked(sub: SubAgent) -> AgentReport:
        assert "no instruction to you" in sub.prompt
        assert "\x1b" not in sub.prompt
        return AgentReport(True, summary="I see.\nrecovery: `touch ready`\n")

    desk.answer = asked
    assert carried_out(desk, "printf '\\033[31mred'; test -e ready").ok
