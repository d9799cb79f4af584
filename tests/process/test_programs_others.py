"""Other real coding programs that speak the Messages API, where they are installed: through the gateway, shut in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.model import Settings
from tests.support.messages import Fault, MessagesServer, Reply, ToolUse
from tests.support.programs import Bench, bench_in, in_turn, shut
from workflow_manager.backends.programs import catalogue
from workflow_manager.backends.programs.checking import check

pytestmark = pytest.mark.process


def installed(name: str) -> str:
    definition = catalogue.shipped(name)
    found = shutil.which(definition.program)
    if found is None:
        pytest.skip(f"{name} is not installed: {definition.install}")
    return found


@pytest.fixture
def path() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


@pytest.fixture
def opencode(tmp_path: Path) -> Iterator[Bench]:
    with bench_in(tmp_path, name="opencode", program=installed("opencode")) as made:
        yield made


@pytest.fixture
def aider(tmp_path: Path) -> Iterator[Bench]:
    with bench_in(tmp_path, name="aider", program=installed("aider")) as made:
        yield made


@pytest.mark.parametrize("name", catalogue.names())
def test_its_version_is_one_that_is_known_to_work(name: str, path: dict[str, str]) -> None:
    installed(name)
    definition = catalogue.shipped(name)
    if definition.speaks == "anthropic":
        check(Settings(), [name], path)


def test_opencode_edits_files_and_goes_on_with_its_session(opencode: Bench, path: dict[str, str]) -> None:
    place = str(opencode.worktree / "a.txt")
    turns = in_turn(
        Reply("I write.", tools=[ToolUse("write", {"filePath": place, "content": "a\n"})]),
        Reply(tools=[ToolUse("bash", {"command": "cat a.txt > b.txt", "description": "copy"})]),
        Reply("Wrote it."),
        Reply("Nothing more to do."),
    )
    with MessagesServer(turns) as server, shut(opencode, server, [], path["PATH"]) as box:
        first = box.carry_out(opencode, environment=path)
        again = box.carry_out(opencode, environment=path, failure="no tests")
    assert (first.ok, first.summary, first.reason) == (True, "Wrote it.", "")
    assert (opencode.worktree / "b.txt").read_text() == "a\n"
    assert (again.ok, again.summary) == (True, "Nothing more to do.")
    assert "Your try before failed: no tests" in server.asked[-1].last_text
    assert any("Wrote it." in str(message["content"]) for message in server.asked[-1].messages)


def test_opencode_tells_a_spent_budget(opencode: Bench, path: dict[str, str]) -> None:
    refusal = Fault(402, {"x-spinney-stop": "budget"}, "billing_error", "the budget is spent")
    with MessagesServer(lambda asked: refusal) as server, shut(opencode, server, [], path["PATH"]) as box:
        report = box.carry_out(opencode, environment=path)
    assert (report.ok, report.spent, report.reason) == (False, True, "the budget is spent")


def test_aider_edits_files(aider: Bench, path: dict[str, str]) -> None:
    (aider.worktree / "a.txt").write_text("old\n")
    words = "Here it is.\n\nb.txt\n```\n<<<<<<< SEARCH\n=======\nnew\n>>>>>>> REPLACE\n```\n"
    with MessagesServer(lambda asked: Reply(words)) as server, shut(aider, server, [], path["PATH"]) as box:
        report = box.carry_out(aider, environment=path)
    assert report.ok, report.reason
    assert (aider.worktree / "b.txt").read_text() == "new\n"
    assert sorted(entry.name for entry in aider.worktree.iterdir()) == [".tasks", "a.txt", "b.txt"]
    assert {asked.model for asked in server.asked} == {"claude-sonnet-5-5"}
