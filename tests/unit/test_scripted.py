"""What only the ``scripted`` backend does; what it shares with others is in tests/conformance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.model import Containment, Settings, Step
from shared.process import Cancel
from tests.support.build import agent, task
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.backends.scripted import ScriptedBackend

Follow = Callable[..., AgentReport]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    cancel = Cancel()
    worktree = tmp_path / "worktree"
    worktree.mkdir()

    def call(*steps: Step, title: str = "Title", attempt: int = 1) -> AgentReport:
        return ScriptedBackend().run(
            AgentCall(
                agent=agent("CODER", script=steps),
                task=task("fix", title=title),
                settings=Settings(),
                attempt=attempt,
                worktree=worktree,
                environment={},
                containment=Containment(),
                prompt_file=tmp_path / "prompt.md",
                output_folder=tmp_path,
                timeout=60.0,
                cancel=cancel,
                write=lambda data: None,
            )
        )

    yield call
    cancel.close()


def test_steps_are_followed_in_order(follow: Follow, tmp_path: Path) -> None:
    assert follow(
        Step("write", "a/b.txt", "one\n"),
        Step("append", "a/b.txt", "two\n"),
        Step("append", "new.txt", "three\n"),
        Step("write", "gone.txt", "x"),
        Step("delete", "gone.txt"),
        Step("delete", "never-there.txt"),
        Step("output", text="all done"),
    ) == AgentReport(True, summary="all done")
    worktree = tmp_path / "worktree"
    assert (worktree / "a" / "b.txt").read_text() == "one\ntwo\n"
    assert (worktree / "new.txt").read_text() == "three\n"
    assert not (worktree / "gone.txt").exists()


def test_names_in_paths_and_texts_are_replaced(follow: Follow, tmp_path: Path) -> None:
    follow(Step("write", "{task}-{attempt}.txt", "{agent}: {title}"), title="Do it", attempt=2)
    assert (tmp_path / "worktree" / "fix-2.txt").read_text() == "CODER: Do it"


def test_agent_without_steps_only_says_that_it_was_there(follow: Follow) -> None:
    assert follow() == AgentReport(True, summary="CODER followed its script")


def test_failure_comes_as_often_as_it_was_asked_for(follow: Follow) -> None:
    step = Step("fail", text="not yet", times=2)
    assert [follow(step, attempt=attempt).ok for attempt in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize("title", ["../outside", "/tmp/outside", "a/../../outside"])
def test_title_cannot_lead_a_step_out_of_the_worktree(follow: Follow, tmp_path: Path, title: str) -> None:
    report = follow(Step("write", "{title}.txt", "x"), title=title)
    assert report == AgentReport(
        False, reason="its script cannot be followed: {title}.txt leaves the worktree"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["worktree"]


def test_link_cannot_lead_a_step_out_of_the_worktree(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "worktree" / "link").symlink_to(tmp_path)
    assert not follow(Step("write", "link/outside.txt", "x")).ok
    assert not (tmp_path / "outside.txt").exists()
