"""Commands of a model: what they leave to the next one, how they are held, and what is shown of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.containment import find_bubblewrap
from shared.model import Containment
from tests.support.model_agent import Desk, desk_in
from tests.support.running import has_bubblewrap
from workflow_manager.backends.anthropic.commands import Bash, Shell
from workflow_manager.backends.anthropic.looking import Search, searcher
from workflow_manager.backends.anthropic.places import Places
from workflow_manager.backends.anthropic.tool import ToolError

pytestmark = pytest.mark.process


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


@pytest.fixture(params=["free", "bubblewrap"])
def shell(desk: Desk, request: pytest.FixtureRequest) -> Shell:
    held = request.param == "bubblewrap"
    if held and not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    containment = Containment(find_bubblewrap()) if held else Containment()
    return Shell(desk.call(containment=containment), lambda: 30.0)


def run(shell: Shell, command: str) -> str:
    return shell.run(Bash(command=command))


def test_folder_and_exported_variables_are_left_to_the_next_command(shell: Shell) -> None:
    run(shell, "mkdir -p 'a b'; cd 'a b'; export LINES_OF=$'two\nlines' HIDDEN=; PRIVATE=1")
    assert run(shell, 'basename "$PWD"; echo "$LINES_OF"; echo "${HIDDEN-unset}${PRIVATE-none}"') == (
        "a b\ntwo\nlines\nnone\n"
    )
    shell.run(Bash(restart=True))
    assert run(shell, 'basename "$PWD"; echo "${LINES_OF-none}"') == "worktree\nnone\n"


def test_they_are_left_also_by_a_command_that_fails(shell: Shell) -> None:
    with pytest.raises(ToolError, match=r"^oops\n\n\[exit status 3\]$"):
        run(shell, "mkdir sub; cd sub; export A=1; echo oops; exit 3")
    assert run(shell, 'basename "$PWD"; echo $A') == "sub\n1\n"


def test_folder_that_is_gone_is_left_for_the_top(shell: Shell) -> None:
    run(shell, "mkdir gone; cd gone; rmdir ../gone")
    assert run(shell, 'basename "$PWD"') == "worktree\n"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("true", "(no output)"),
        ("printf x", "x"),
        ("echo out; echo err >&2", "out\nerr\n"),
        ("cat", "(no output)"),
        ("cat <<'E'\n{braces} $dollar 'quotes'\nE", "{braces} $dollar 'quotes'\n"),
        ("printf '\\377\\0end'", "�\0end"),
        ("sleep 60 & echo started", "started\n"),
    ],
)
def test_output_is_what_the_command_says(shell: Shell, command: str, shown: str) -> None:
    assert run(shell, command) == shown


def test_syntax_error_is_told(shell: Shell) -> None:
    with pytest.raises(ToolError, match="syntax error"):
        run(shell, "if then fi")


def test_much_output_is_shown_in_part_and_the_end_is_still_understood(shell: Shell) -> None:
    shown = run(shell, "cd /; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")
    assert len(shown) < 31_000
    assert "bytes left out" in shown
    assert shown.endswith("x\nend\n")
    assert run(shell, "pwd") == "/\n"


def test_command_that_takes_too_long_is_stopped(desk: Desk) -> None:
    with pytest.raises(ToolError, match=r"begun\n\n\[stopped after 1 s\]"):
        run(Shell(desk.call(), lambda: 0.1), "echo begun; sleep 60")


def test_mark_is_neither_shown_nor_logged(desk: Desk) -> None:
    run(Shell(desk.call(), lambda: 30.0), "echo hello")
    assert bytes(desk.said) == b"hello\n"


def test_many_variables_are_not_carried_on(shell: Shell) -> None:
    run(shell, "export BIG=$(head -c 90000 /dev/zero | tr '\\0' x)")
    assert run(shell, 'echo "${#BIG}"') == "0\n"


def test_command_too_long_for_the_system_is_an_error(shell: Shell) -> None:
    with pytest.raises(ToolError, match=r"too long|exit status 127"):
        run(shell, f"echo {'x' * 200_000}")


def test_search_finds_lines_and_says_where_there_are_none(desk: Desk) -> None:
    (desk.worktree / "a.py").write_text("def one():\n    return 1\n")
    (desk.worktree / "long.txt").write_text(f"one{'x' * 10_000}\n")
    (desk.worktree / "binary").write_bytes(b"one\0")
    tool = searcher(Places(desk.worktree, desk.worktree / ".tasks", "CODER"), desk.call())
    found = tool.run(Search(pattern="^def|^one"))
    assert sorted(line[:20] for line in found.splitlines()) == ["./a.py:1:def one():", "./long.txt:1:onexxxx"]
    assert len(found) < 1000
    assert tool.run(Search(pattern="nowhere")) == "nothing found"
    with pytest.raises(ToolError, match="exit status 2"):
        tool.run(Search(pattern="("))
    assert tool.run(Search(pattern="-v", path="a.py")) == "nothing found"
