"""The command that does a task again is told where it really does, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.publishing import again
from shared.model import Issue, Task
from tests.support.build import oid, plan, task

HERE = "ada/engine"


def of_issue(number: int, *needs: str, repository: str = "Ada/Engine", **fields: Any) -> Task:
    return task(f"issue-{number}", *needs, issue=Issue(repository, number, "u"), **fields)


def said(last: Task, *others: Task, asked: tuple[str, ...] | None = (), repository: str = HERE) -> str:
    whole = replace(plan(*others, last), asked=asked)
    return again.command(last, whole, oid(1), repository)


def test_command_starts_anew_from_the_same_commit_with_what_was_asked_for() -> None:
    asked = again.options(
        "quick.yaml", {"backend": "anthropic", "gate": "make test", "jobs": 3, "into": None}
    )
    assert said(of_issue(12), asked=asked) == (
        f"spinney run '#12' --base {oid(1)[:10]} --workflow quick.yaml --backend anthropic --gate 'make test' --fresh"
    )


def test_what_it_needs_comes_along_and_nothing_else() -> None:
    tasks = (of_issue(1), of_issue(2, "issue-1"), of_issue(3), of_issue(4, "issue-2"))
    assert said(tasks[3], *tasks[:3]).startswith("spinney run '#1' '#2' '#4' --base ")


def test_issue_of_another_repository_is_named_whole() -> None:
    assert said(of_issue(9), repository="grace/compiler").startswith("spinney run 'Ada/Engine#9' ")


@pytest.mark.parametrize(
    ("last", "others"),
    [
        (task("a"), ()),
        (of_issue(2, "a"), (task("a"),)),
        (of_issue(2, answers=("check:1",)), ()),
    ],
    ids=["no issue", "needs a task file", "a round of fixes"],
)
def test_what_no_command_does_again_is_not_told(last: Task, others: tuple[Task, ...]) -> None:
    assert said(last, *others) == ""


def test_plan_of_which_the_command_is_not_known_tells_none() -> None:
    assert said(of_issue(1), asked=None) == ""


@pytest.mark.parametrize("workflow", ["/home/ada/mine.yaml", "../mine.yaml", "~/mine.yaml"])
def test_workflow_file_outside_the_repository_is_of_no_use_to_others(workflow: str) -> None:
    assert again.options(workflow, {}) is None


@pytest.mark.parametrize("gate", ["make\ntest", "x" * 2000])
def test_command_that_would_not_be_shown_as_it_is_is_not_told(gate: str) -> None:
    assert said(of_issue(1), asked=again.options("", {"gate": gate})) == ""
