"""What a coding program may do, sees, and is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.interrupting import runs
from shared.model import Containment, Sandbox
from shared.sandbox import SANDBOX_GATEWAY_URL
from workflow_manager.backends.gateway_link import Standing
from workflow_manager.backends.port import READING, WRITING, Tool
from workflow_manager.backends.programs import holding, permissions, places, telling
from workflow_manager.backends.programs.permissions import Allowed
from workflow_manager.backends.programs.timing import Timing

OWN = (".tasks/CODER",)
OWN_RULES = ["Edit(./.tasks/CODER/**)", "Read(./.tasks/CODER/**)"]


def claude(
    tools: tuple[Tool, ...], writes: tuple[str, ...] | None, *, sandboxed: bool = False
) -> tuple[str, list[str]]:
    """The tools there are, and the rules."""
    arguments = permissions.claude(Allowed(tools, writes, OWN, sandboxed))
    told = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert told["--permission-mode"] == "dontAsk"
    return told["--tools"], json.loads(told["--settings"])["permissions"]["allow"]


@pytest.mark.parametrize(
    ("tools", "writes", "there", "rules"),
    [
        (WRITING, None, "Read,Glob,Grep,Write,Edit,Bash", [*OWN_RULES, "Edit(./**)", "Bash"]),
        (
            WRITING,
            ("src/**", "a.md"),
            "Read,Glob,Grep,Write,Edit,Bash",
            [*OWN_RULES, "Edit(./src/**)", "Edit(./a.md)", "Bash"],
        ),
        (READING, (), "Read,Glob,Grep,Write", OWN_RULES),
        (("read", "write"), None, "Read,Write", [*OWN_RULES, "Edit(./**)"]),
        (("finish",), (), "Write", OWN_RULES),
    ],
)
def test_what_claude_code_may_do_follows_from_tools_and_writes(
    tools: tuple[Tool, ...], writes: tuple[str, ...] | None, there: str, rules: list[str]
) -> None:
    assert claude(tools, writes) == (there, rules)


def test_in_a_sandbox_everything_that_is_there_may_be_read() -> None:
    assert claude(READING, (), sandboxed=True)[1] == [*OWN_RULES, "Read(//**)"]


def test_a_folder_of_its_own_elsewhere_is_named_from_the_root() -> None:
    arguments = permissions.claude(Allowed(READING, (), ("/w/.tasks/A",), False))
    assert "Edit(//w/.tasks/A/**)" in arguments[-1]


def test_a_pattern_with_brackets_or_spaces_stays_one_rule() -> None:
    assert claude(WRITING, ("a (b), c/**",))[1][2] == "Edit(./a (b), c/**)"


# --- places


@pytest.mark.parametrize(
    ("program", "needed"),
    [
        ("/opt/npm/lib/node_modules/codex/bin/codex.js", "/opt/npm/lib/node_modules"),
        ("/home/u/p/node_modules/a/node_modules/b/x", "/home/u/p/node_modules"),
        ("/home/u/.local/bin/claude", "/home/u/.local/bin/claude"),
        ("/home/u/bin/claude", "/home/u/bin/claude"),
    ],
)
def test_a_program_sees_its_installation_and_never_the_home(program: str, needed: str) -> None:
    assert places.needs(Path(program)) == (needed,)


def test_a_program_of_a_virtual_environment_sees_all_of_that(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()
    assert places.needs(tmp_path / "bin/aider") == (str(tmp_path),)


def test_a_program_is_found_on_the_agents_path_and_links_are_followed(tmp_path: Path) -> None:
    program = tmp_path / "real"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "link").symlink_to(program)
    assert places.located("link", f"/nowhere:{tmp_path}") == program
    assert places.located(str(tmp_path / "link"), "") == program
    assert places.located("link", "/nowhere") is None
    assert places.located("missing", str(tmp_path)) is None


# --- how it is held


def test_in_a_sandbox_it_gets_its_files_its_home_and_its_variables() -> None:
    sandbox = Sandbox("/w", read=("/usr",), write=("/w/.tasks",), environment=("A",), socket="/s")
    held = holding.held(
        Containment("bwrap", sandbox=sandbox), "/run/home", "/run/told", ["/opt/x"], ["KEY"]
    ).sandbox
    assert held is not None
    assert held.read == ("/usr", "/opt/x")
    assert held.write == ("/w/.tasks", "/run/home")
    assert held.show == (("/run/told", "/run/told"),)  # never to be written, for it is ours
    assert held.environment == ("A", "KEY")
    assert held.home == sandbox.home


def test_elsewhere_its_home_is_an_exception_from_what_is_protected() -> None:
    held = holding.held(
        Containment("bwrap", protect=("/git",), writable=("/w",)), "/git/home", "/git/told", [], []
    )
    assert held == Containment("bwrap", protect=("/git",), writable=("/w", "/git/home"))


def test_of_the_agents_environment_little_is_passed_on() -> None:
    agents = {
        "PATH": "/bin",
        "HOME": "/home/u",
        "LC_ALL": "C",
        "SPINNEY_TASK": "a",
        "GIT_CONFIG_COUNT": "1",
        "AWS_PROFILE": "x",
        "ANTHROPIC_API_KEY": "sk",
        "SSH_AUTH_SOCK": "/s",
        "MINE": "1",
    }
    assert holding.environment(agents, ("MINE", "ABSENT"), "/run/home") == {
        "PATH": "/bin",
        "HOME": "/run/home",
        "LC_ALL": "C",
        "SPINNEY_TASK": "a",
        "GIT_CONFIG_COUNT": "1",
        "MINE": "1",
    }


@pytest.mark.parametrize(
    ("containment", "url"),
    [
        (Containment(), "http://127.0.0.1:5"),
        (Containment("bwrap"), "http://127.0.0.1:5"),
        (Containment("bwrap", sandbox=Sandbox("/w")), "http://127.0.0.1:5"),
        (Containment("bwrap", sandbox=Sandbox("/w", socket="/s")), SANDBOX_GATEWAY_URL),
    ],
)
def test_the_gateway_is_elsewhere_in_a_sandbox(containment: Containment, url: str) -> None:
    assert holding.gateway_url(containment, "http://127.0.0.1:5") == url


# --- what it is told


def test_the_first_words_are_the_prompt_and_what_is_different_without_a_person() -> None:
    assert telling.beginning("Fix it.\n", ["CLAUDE.md", "AGENTS.md"]) == (
        "Fix it.\n\n"
        "Nobody answers questions or grants permissions: decide yourself, and say at the end what you could not do.\n"
        "How to work in this repository is said in `CLAUDE.md` and `AGENTS.md`: read that first.\n"
    )
    assert "CLAUDE" not in telling.beginning("Fix it.", [])


@pytest.mark.parametrize(
    ("failure", "begins"),
    [
        ("tests fail\nin a.py", "Your try before failed: tests fail in a.py\n"),
        ("", "You were interrupted.\n"),
    ],
)
def test_one_that_goes_on_is_told_why_and_to_look(failure: str, begins: str) -> None:
    told = telling.going_on("Fix it.", failure)
    assert told.startswith(begins)
    assert "look before you change anything" in told
    assert told.endswith("Fix it.\n")


# --- time


class Held:
    """A gateway that has held requests back for so long."""

    def __init__(self) -> None:
        self.standing_now: Standing | None = Standing(0, 0.0, "")

    def standing(self) -> Standing | None:
        return self.standing_now

    def cancel(self) -> None:
        """Nothing is open."""


def test_what_the_gateway_held_back_does_not_count_and_earlier_executions_do() -> None:
    now, link, beats = [100.0], Held(), []
    timing = Timing(60.0, link, lambda: beats.append(now[0]), lambda: now[0])
    assert timing.start() == 60.0
    now[0] = 140.0
    link.standing_now = Standing(1, 30.0, "rate limit")
    assert timing.extra() == 30.0  # held for 30 of 40 seconds
    assert beats == [140.0]
    link.standing_now = None
    assert timing.extra() == 30.0  # no answer tells nothing
    now[0] = 145.0
    assert timing.start() == 45.0  # of 60 it was at work for 15
    assert timing.extra() == 0.0
    now[0] = 400.0
    assert timing.start() == 1.0


# --- who is interrupted


@pytest.mark.parametrize(
    ("command", "does"),
    [
        (["/opt/claude", "-p"], True),
        (["claude"], True),
        (["node", "/x/claude"], True),
        (["bwrap", "--dev-bind", "/", "/", "--", "/opt/claude"], False),
        (["python", "-I", "-S", "forward.py", "--", "/opt/claude"], False),
        (["/usr/bin/python3", "-S", "/x/claude", "-p"], True),
        (["/bin/sh", "-c", "claude -p"], False),
        ([], False),
    ],
)
def test_a_program_is_known_by_its_name_or_its_script(command: list[str], does: bool) -> None:
    assert runs("claude", command) is does
