"""Single tools: what they make of their input, how they show files, how much they show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Evidence, Outputs
from shared.process import Cancel
from tests.support.build import agent
from tests.support.model_agent import EDITOR, Desk, desk_in
from workflow_manager.backends.anthropic import finishing, instructions
from workflow_manager.backends.anthropic.bounds import Gathered, bounded, numbered, readable
from workflow_manager.backends.anthropic.commands import Split, stands
from workflow_manager.backends.anthropic.conversation import ToolResult, ToolUse
from workflow_manager.backends.anthropic.looking import Search, search_command
from workflow_manager.backends.anthropic.toolbox import Toolbox
from workflow_manager.backends.port import READING, WRITING, AgentReport


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


def use(desk: Desk, name: str, **given: Any) -> tuple[str, bool]:
    """The text of one tool's result, and whether it is an error."""
    box = Toolbox(desk.call(), lambda: 30.0)
    (result,) = box.carry_out(box.checked([ToolUse("t1", name, given)]))
    return result.text, result.error


def edit(desk: Desk, command: str, path: str, **given: Any) -> tuple[str, bool]:
    return use(desk, EDITOR, command=command, path=path, **given)


# --- bounds


@given(st.text(max_size=200), st.integers(min_value=2, max_value=50))
def test_text_is_cut_in_its_middle_only(text: str, limit: int) -> None:
    shown = bounded(text, limit)
    assert shown == text if len(text) <= limit else "characters left out" in shown
    assert shown.startswith(text[: limit // 2])
    assert shown.endswith(text[-(limit // 2) :])


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_gathered_output_is_whole_or_says_how_much_is_missing(pieces: list[bytes]) -> None:
    gathered, whole = Gathered(64), b"".join(pieces)
    for piece in pieces:
        gathered.add(piece)
    if len(whole) <= 64:
        assert gathered.text == whole.decode(errors="replace")
    else:
        assert f"{len(whole) - 64:,} bytes left out" in gathered.text


@given(st.binary(max_size=60), st.binary(max_size=20), st.lists(st.integers(1, 7), min_size=1))
def test_mark_is_found_however_the_bytes_arrive(before: bytes, after: bytes, sizes: list[int]) -> None:
    mark, shown = b"<<mark>>", bytearray()
    split, stream, turn = Split(mark, shown.extend), before + mark + after, 0
    while stream:
        size = sizes[turn % len(sizes)]
        split.add(stream[:size])
        stream, turn = stream[size:], turn + 1
    split.close()
    place = (before + mark).find(mark)
    assert (bytes(shown), bytes(split.after or b"")) == (before[:place], (before + mark + after)[place + 8 :])


def test_half_characters_become_question_marks() -> None:
    assert readable("a\udcffb") == "a?b"


def test_lines_are_numbered() -> None:
    assert numbered("a\nb\n", 9) == "     9\ta\n    10\tb"


@given(st.lists(st.text("ab", max_size=30), min_size=1, max_size=40), st.integers(1, 500))
def test_of_many_lines_the_first_and_the_last_are_shown_and_which_are_not(
    lines: list[str], first: int
) -> None:
    shown = numbered("\n".join(lines) + "\n", first, limit=200)
    assert len(shown) < 400
    if "left out; view_range" in shown:
        head, tail = shown.split("[… lines ")
        gap_first, gap_last = (int(word) for word in tail.split(" left out")[0].split(" to "))
        assert head.count("\n") == gap_first - first
        assert tail.count("\n") == first + len(lines) - 1 - gap_last


@pytest.mark.parametrize(
    ("after", "stood"),
    [
        (b"/w\0A=1\0PATH=/usr/bin\0PWD=/w\0BASH_FUNC_x%%=() {}\0", ("/w", {"A": "1"})),
        (b"/w\0A=x\ny=z\0", ("/w", {"A": "x\ny=z"})),
        (b"", None),
        (b"relative\0A=1", None),
        (b"/w\0A=" + b"x" * 70_000, None),
    ],
)
def test_what_a_shell_says_at_its_end(after: bytes, stood: tuple[str, dict[str, str]] | None) -> None:
    assert stands(after, {"PATH": "/usr/bin"}) == stood


# --- the editor


def test_file_is_created_viewed_changed_and_added_to(desk: Desk) -> None:
    assert edit(desk, "create", "src/a.py", file_text="one\ntwo\n") == ("created src/a.py: 3 lines", False)
    assert edit(desk, "view", "src/a.py") == ("     1\tone\n     2\ttwo", False)
    assert edit(desk, "view", "src/a.py", view_range=[2, -1]) == ("     2\ttwo", False)
    text, error = edit(desk, "str_replace", "src/a.py", old_str="two", new_str="2")
    assert (text, error) == ("replaced in src/a.py:\n     1\tone\n     2\t2\n     3\t", False)
    assert not edit(desk, "insert", "src/a.py", insert_line=0, insert_text="zero\n")[1]
    assert not edit(desk, "insert", "src/a.py", insert_line=3, new_str="three")[1]
    assert desk.read("src/a.py") == "zero\none\n2\nthree\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"command": "create", "path": "a"}, "create needs file_text"),
        ({"command": "str_replace", "path": "a"}, "str_replace needs old_str"),
        ({"command": "insert", "path": "a", "insert_line": 1}, "insert needs insert_text"),
        ({"command": "undo_edit", "path": "a"}, "command: Input should be"),
        ({"command": "view"}, "path: Field required"),
        ({"command": "view", "path": 7}, "path: Input should be a valid string"),
    ],
)
def test_input_that_does_not_fit_is_told(desk: Desk, given: dict[str, Any], told: str) -> None:
    text, error = use(desk, EDITOR, **given)
    assert error
    assert told in text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"old_str": "nowhere", "new_str": "x"}, "old_str is not in a.txt"),
        ({"old_str": "same", "new_str": "x"}, "old_str is in a.txt 2 times"),
        ({"old_str": "", "new_str": "x"}, "old_str is not in a.txt"),
    ],
)
def test_replacement_must_be_of_one_place(desk: Desk, given: dict[str, str], told: str) -> None:
    (desk.worktree / "a.txt").write_text("same same\n")
    text, error = edit(desk, "str_replace", "a.txt", **given)
    assert error
    assert text.startswith(told)
    assert desk.read("a.txt") == "same same\n"


def test_line_ends_of_windows_are_kept(desk: Desk) -> None:
    path = desk.worktree / "a.txt"
    path.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    assert not edit(desk, "str_replace", "a.txt", old_str="one\ntwo", new_str="1\n2")[1]
    assert not edit(desk, "insert", "a.txt", insert_line=1, insert_text="between")[1]
    assert path.read_bytes() == b"1\r\nbetween\r\n2\r\nthree\r\n"


def test_mixed_line_ends_are_left_as_they_are(desk: Desk) -> None:
    path = desk.worktree / "a.txt"
    path.write_bytes(b"one\r\ntwo\n")
    assert not edit(desk, "str_replace", "a.txt", old_str="two", new_str="2")[1]
    assert path.read_bytes() == b"one\r\n2\n"


def test_files_that_are_no_utf_8_are_shown_but_not_edited(desk: Desk) -> None:
    (desk.worktree / "latin.txt").write_bytes(b"caf\xe9\n")
    assert edit(desk, "view", "latin.txt") == ("     1\tcaf�", False)
    assert edit(desk, "str_replace", "latin.txt", old_str="caf", new_str="x")[0].startswith(
        "latin.txt is not UTF-8"
    )
    assert (desk.worktree / "latin.txt").read_bytes() == b"caf\xe9\n"


def test_binary_and_huge_files_are_not_shown_whole(desk: Desk) -> None:
    (desk.worktree / "image").write_bytes(b"\x89PNG\0" * 10)
    (desk.worktree / "huge.txt").write_bytes(b"line\n" * 2_000_000)
    assert edit(desk, "view", "image") == ("image is a binary file of 50 bytes", True)
    text, error = edit(desk, "view", "huge.txt")
    assert not error
    assert len(text) < 31_000
    assert edit(desk, "str_replace", "huge.txt", old_str="l", new_str="x")[0].startswith(
        "huge.txt is too large"
    )


@pytest.mark.parametrize("lines", [[0, 1], [9, 12], [2, 1]])
def test_lines_that_are_not_there_are_an_error(desk: Desk, lines: list[int]) -> None:
    (desk.worktree / "a.txt").write_text("one\ntwo\n")
    assert edit(desk, "view", "a.txt", view_range=lines)[1]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/config", "link/x", ".tasks/PM/output.json"])
def test_hostile_writes_leave_nothing(desk: Desk, path: str) -> None:
    (desk.worktree / "link").symlink_to(desk.root)
    assert edit(desk, "create", path, file_text="x")[1]
    assert sorted(one.name for one in desk.root.iterdir()) == ["prompt.md", "worktree"]


# --- finding things


def test_folders_and_patterns_list_files(desk: Desk) -> None:
    for name in ("src/a.py", "src/deep/b.py", "docs/c.md", ".git/config"):
        (desk.worktree / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.worktree / name).touch()
    assert use(desk, "list_files", path="src") == ("src/a.py\nsrc/deep/\nsrc/deep/b.py", False)
    assert use(desk, "glob", pattern="**/*.py") == ("src/a.py\nsrc/deep/b.py", False)
    assert use(desk, "glob", pattern="*.rs") == ("nothing found", False)
    assert ".git" not in use(desk, "list_files")[0]
    assert use(desk, "list_files", path="src/a.py")[1]


def test_long_lists_are_cut(desk: Desk) -> None:
    for number in range(1100):
        (desk.worktree / f"f{number:04}").touch()
    text, _ = use(desk, "glob", pattern="f*")
    assert text.endswith("(only the first 1,000)")


def test_search_runs_the_better_program(desk: Desk) -> None:
    given = Search(pattern="-x", files="*.py")
    assert search_command(given, "./src", ripgrep=True)[-4:] == ["-e", "-x", "--", "./src"]
    assert search_command(given, "./src", ripgrep=False) == [
        "grep",
        "-rHnIE",
        "--exclude-dir=.git",
        "--include=*.py",
        "-e",
        "-x",
        "--",
        "./src",
    ]


def test_context_of_another_agent_is_read(desk: Desk) -> None:
    tasks = desk.worktree / ".tasks"
    (tasks / "PM").mkdir()
    (tasks / "PM" / "output.json").write_text('{"summary": "go"}')
    (tasks / "task.md").write_text("# Fix")
    assert use(desk, "read_context", agent="PM", file="output.json") == ('{"summary": "go"}', False)
    assert use(desk, "read_context", file="task.md") == ("# Fix", False)
    assert use(desk, "read_context", agent="PM", file="note.md") == (
        "PM left no note.md; agents with files: CODER, PM",
        True,
    )


@pytest.mark.parametrize(
    "given",
    [{"agent": "..", "file": "output.json"}, {"agent": "PM/../..", "file": "task.md"}, {"file": "../x"}],
)
def test_context_is_of_agents_only(desk: Desk, given: dict[str, str]) -> None:
    assert use(desk, "read_context", **given)[1]


def test_context_behind_a_link_is_not_read(desk: Desk) -> None:
    (desk.root / "output.json").write_text("{}")
    (desk.worktree / ".tasks" / "PM").symlink_to(desk.root)
    assert use(desk, "read_context", agent="PM", file="output.json")[1]


# --- the toolbox


def test_who_may_not_write_is_offered_nothing_that_does(desk: Desk) -> None:
    reading = [spec["name"] for spec in Toolbox(desk.call(tools=READING), lambda: 1.0).specs("claude-x")]
    writing = [spec["name"] for spec in Toolbox(desk.call(tools=WRITING), lambda: 1.0).specs("claude-x")]
    assert reading == ["read_file", "list_files", "glob", "search", "read_context", "ask_agents", "finish"]
    assert writing == ["bash", EDITOR, "list_files", "glob", "search", "read_context", "ask_agents", "finish"]


def test_models_of_another_maker_get_schemas_for_all_tools(desk: Desk) -> None:
    specs = Toolbox(desk.call(), lambda: 1.0).specs("local-model")
    assert all(spec["input_schema"]["type"] == "object" and spec["description"] for spec in specs)
    native = Toolbox(desk.call(), lambda: 1.0).specs("claude-sonnet-5-5")
    assert [spec["type"] for spec in native if "type" in spec] == ["bash_20250124", "text_editor_20250728"]


def test_tools_are_offered_byte_by_byte_the_same_to_every_agent(desk: Desk) -> None:
    one = Toolbox(desk.call(agent("A", writes=("x/**",))), lambda: 1.0).specs("claude-x")
    other = Toolbox(desk.call(agent("B")), lambda: 9.0).specs("claude-x")
    assert json.dumps(one) == json.dumps(other)


def test_results_come_in_the_order_of_the_calls(desk: Desk) -> None:
    (desk.worktree / "a").write_text("old")
    box = Toolbox(desk.call(), lambda: 30.0)
    uses = [
        ToolUse("1", EDITOR, {"command": "view", "path": "a"}),
        ToolUse("2", "glob", {"pattern": "*"}),
        ToolUse("3", EDITOR, {"command": "create", "path": "a", "file_text": "new"}),
        ToolUse("4", "nothing", {}),
        ToolUse("5", EDITOR, {"command": "view", "path": "a"}),
    ]
    results = list(box.carry_out(box.checked(uses)))
    assert [result.id for result in results] == ["1", "2", "3", "4", "5"]
    assert [results[0].text, results[4].text] == ["     1\told", "     1\tnew"]
    assert box.used == {EDITOR: 3, "glob": 1}


def test_no_call_is_carried_out_after_a_stop(desk: Desk, tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.set()
    box = Toolbox(desk.call(cancel=cancel), lambda: 30.0)
    create = ToolUse("1", EDITOR, {"command": "create", "path": "a", "file_text": "x"})
    assert list(box.carry_out(box.checked([create]))) == []
    cancel.close()


def test_only_changes_are_carried_out_again(desk: Desk) -> None:
    box = Toolbox(desk.call(), lambda: 30.0)
    box.again(
        [
            ToolUse("1", EDITOR, {"command": "create", "path": "a", "file_text": "x"}),
            ToolUse("2", "glob", {"pattern": "*"}),
            ToolUse("3", "nothing", {}),
            ToolUse("4", "finish", {"summary": "x"}),
        ]
    )
    assert box.used == {EDITOR: 1}


def test_agents_asked_for_need_names_of_their_own(desk: Desk) -> None:
    twice = [{"name": "a", "prompt": "x"}, {"name": "a", "prompt": "y"}]
    assert use(desk, "ask_agents", agents=twice) == ("two agents of one name", True)
    assert use(desk, "ask_agents", agents=[{"name": "A/b", "prompt": "x"}])[1]
    assert desk.spawned == []


def test_failure_of_all_agents_asked_for_is_an_error(desk: Desk) -> None:
    call = desk.call(spawn=lambda agents: tuple(AgentReport(False, reason="no") for _ in agents))
    box = Toolbox(call, lambda: 1.0)
    (result,) = box.carry_out(
        box.checked([ToolUse("1", "ask_agents", {"agents": [{"name": "a", "prompt": "x"}]})])
    )
    assert result == ToolResult("1", "a failed: no", error=True)


# --- finishing


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (agent("A"), finishing.Finish),
        (agent("A", outputs=Outputs(verdict=True)), finishing.FinishWithVerdict),
        (agent("A", evidence=Evidence(verdict="approve")), finishing.FinishWithVerdict),
        (agent("A", outputs=Outputs(commands=True)), finishing.FinishWithPlan),
        (agent("A", outputs=Outputs(commands=True, verdict=True)), finishing.FinishWithBoth),
    ],
)
def test_what_an_agent_has_to_say_at_its_end(one: Any, kind: type[finishing.Finish]) -> None:
    assert finishing.takes(one) is kind


def test_honest_refusal_of_a_reviewer_is_no_mistake_to_be_put_right(desk: Desk) -> None:
    one = agent("CODER", evidence=Evidence(verdict="approve"))
    report = AgentReport(True, summary="it breaks", verdict="request-changes")
    assert finishing.why_not(desk.call(one), report, []) == ""


def test_prompt_names_bounds_and_the_failure_before(desk: Desk) -> None:
    assert instructions.prompt(desk.call(), "Do it.\n") == "Do it."
    reader = desk.call(agent("A", writes=()), failure="it was\nwrong")
    assert instructions.prompt(reader, "Do it.") == (
        "Do it.\n\nYou may read everything and write nothing.\n\nYour try before this one failed: it was wrong"
    )
