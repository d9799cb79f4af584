"""A manager that died is gone on with by the next one: the same conversation, the same files, nothing paid twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.build import agent
from tests.support.messages import Asked, Fault, Reply, ToolUse
from tests.support.model_agent import Desk, bash, create, desk_in, edit, finish

pytestmark = pytest.mark.process

STEPS = (
    Reply("First.", [create("a.txt", "one\n")], thinking="So."),
    Reply(tools=[bash("mkdir -p sub && cd sub && export WHO=me && echo $((40 + 2)) > n.txt")]),
    Reply(tools=[edit("str_replace", "a.txt", old_str="one", new_str="two"), bash("echo $WHO > who.txt")]),
    finish("all there"),
)
FILES = {"a.txt": "two\n", "sub/n.txt": "42\n", "sub/who.txt": "me\n"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


def files(desk: Desk) -> dict[str, str]:
    found = (path for path in desk.worktree.rglob("*") if path.is_file())
    return {str(path.relative_to(desk.worktree)): path.read_text() for path in found}


def reset(desk: Desk) -> None:
    """The worktree as the last phase commit has it."""
    shutil.rmtree(desk.worktree)
    (desk.worktree / ".tasks" / "CODER").mkdir(parents=True)


def cut(desk: Desk, lines: int) -> None:
    """The transcript as it was when the manager died."""
    kept = desk.transcript.read_text().splitlines(keepends=True)[:lines]
    desk.transcript.write_text("".join(kept))


def body(asked: Asked) -> object:
    return asked.body["messages"]


@pytest.mark.parametrize("lines", range(2, 9))
def test_agent_goes_on_after_every_message_without_paying_again(desk: Desk, lines: int) -> None:
    whole = desk.run(*STEPS)
    undisturbed = desk.asked
    cut(desk, lines)
    reset(desk)
    answered = sum(
        json.loads(line)["message"]["role"] == "assistant"
        for line in desk.transcript.read_text().splitlines()[1:]
    )
    report = desk.run(*STEPS[answered:], resumed=True)
    assert (report.ok, report.summary) == (True, "all there")
    assert files(desk) == FILES
    assert report.tool_calls == whole.tool_calls
    assert [body(asked) for asked in desk.asked] == [body(asked) for asked in undisturbed[answered:]]
    assert report.tokens.total == whole.tokens.total  # what the cache gave depends on the server
    assert desk.server is not None
    assert desk.server.violations == []


def test_finished_agent_reports_again_without_asking(desk: Desk) -> None:
    desk.run(*STEPS)
    reset(desk)
    assert desk.run(resumed=True).summary == "all there"
    assert desk.asked == []
    assert files(desk) == FILES


def test_torn_last_line_counts_as_never_written(desk: Desk) -> None:
    desk.run(*STEPS)
    cut(desk, 4)
    with desk.transcript.open("a") as file:
        file.write('{"message": {"role": "assis')
    reset(desk)
    assert desk.run(*STEPS[1:], resumed=True).ok
    assert all(isinstance(line, dict) for line in desk.lines)
    assert len(desk.lines) == 9


@pytest.mark.parametrize(
    "other",
    [
        {"attempt": 2},
        {"one": agent("CODER", tier="deep")},
        {"one": agent("CODER", writes=("**",))},
        {"resumed": False},
    ],
    ids=["another try", "another model", "another prompt", "not resumed"],
)
def test_transcript_of_another_conversation_is_not_gone_on_with(desk: Desk, other: dict[str, object]) -> None:
    desk.run(*STEPS[:2], Fault(400))
    reset(desk)
    assert desk.run(*STEPS, **{"resumed": True, **other}).ok
    assert len(desk.asked[0].messages) == 1


@pytest.mark.parametrize(("then", "requests"), [("<<< theirs\n", 1), ("<<< ours\n", 2)])
def test_resolution_of_another_conflict_is_not_gone_on_with(desk: Desk, then: str, requests: int) -> None:
    told = {"PATH": "/usr/bin:/bin", "SPINNEY_CONFLICTS": "a.txt"}
    (desk.worktree / "a.txt").write_text("<<< theirs\n")
    desk.run(STEPS[0], Fault(400), environment=told)
    reset(desk)
    (desk.worktree / "a.txt").write_text(then)
    steps = [STEPS[0], finish("resolved")][-requests:]
    assert desk.run(*steps, environment=told, resumed=True).ok
    assert len(desk.asked) == requests


def test_try_is_gone_on_with_where_nobody_knows_why_the_one_before_failed(desk: Desk) -> None:
    desk.run(*STEPS[:2], Fault(400), attempt=2, failure="it was wrong")
    reset(desk)
    assert desk.run(*STEPS[2:], attempt=2, resumed=True).ok
    assert "it was wrong" in desk.asked[0].opening


def test_try_that_is_known_to_have_failed_leaves_what_it_left_and_asks_nobody(desk: Desk) -> None:
    desk.run(*STEPS)
    reset(desk)
    report = desk.run(resumed=True, known="no evidence")
    assert (report.ok, report.reason) == (False, "no evidence")
    assert files(desk) == FILES
    assert desk.asked == []


def test_try_that_is_known_to_have_failed_asks_nobody_where_its_conversation_is_gone(desk: Desk) -> None:
    assert desk.run(resumed=True, known="no evidence").reason == "no evidence"
    assert desk.asked == []


@pytest.mark.parametrize("damage", ["", "no json\n", '{"format": 99}\n', "[1, 2]\n"])
def test_damaged_transcript_is_begun_anew(desk: Desk, damage: str) -> None:
    desk.transcript.parent.mkdir()
    desk.transcript.write_text(damage)
    assert desk.run(*STEPS, resumed=True).ok
    assert files(desk) == FILES


def test_damage_within_begins_anew(desk: Desk) -> None:
    desk.run(*STEPS)
    lines = desk.transcript.read_text().splitlines()
    lines[3] = '{"message": 7}'
    desk.transcript.write_text("\n".join(lines) + "\n")
    reset(desk)
    assert desk.run(*STEPS, resumed=True).ok
    assert len(desk.asked) == 4


def test_summarised_past_is_carried_out_again_too(desk: Desk) -> None:
    full = Reply("", stop_reason="model_context_window_exceeded")
    desk.run(STEPS[0], full, Reply("a.txt says one."), Fault(400))
    reset(desk)
    report = desk.run(Reply(tools=[create("b.txt", "b")]), finish(), resumed=True)
    assert report.ok
    assert files(desk) == {"a.txt": "one\n", "b.txt": "b"}
    assert "a.txt says one." in desk.asked[0].last_text


def test_sub_agents_are_asked_again_since_their_files_are_gone_too(desk: Desk) -> None:
    wanted = {"agents": [{"name": "docs", "prompt": "Write them"}]}
    desk.run(Reply(tools=[ToolUse("ask_agents", wanted)]), Fault(400))
    reset(desk)
    desk.run(finish(), resumed=True)
    assert [len(asked) for asked in desk.spawned] == [1, 1]
