from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.model import Evidence, Outputs
from tests.support.build import agent
from workflow_manager.backends.port import AgentReport
from workflow_manager.evidence import any_file, missing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / ".tasks" / "CODER"
    made.mkdir(parents=True)
    return made


NOTHING, NO_EVIDENCE = Outputs(), Evidence()


def lacking(folder: Path, outputs: Outputs = NOTHING, evidence: Evidence = NO_EVIDENCE, **report: Any) -> str:
    return missing(
        agent(outputs=outputs, evidence=evidence), folder.parents[1], folder, AgentReport(True, **report)
    )


def test_agent_that_owes_nothing_lacks_nothing(folder: Path) -> None:
    assert lacking(folder) == ""


def test_file_that_is_not_there_is_named(folder: Path) -> None:
    owed = Outputs(files=("docs/plan.md", "src/**"))
    assert lacking(folder, owed) == "it left no file docs/plan.md"
    (folder.parents[1] / "docs").mkdir()
    (folder.parents[1] / "docs/plan.md").touch()
    assert lacking(folder, owed) == "it left no file src/**"
    assert lacking(folder, evidence=Evidence(files=("no",))) == "it left no file no"


def test_decisions_count_from_the_report_and_from_its_file(folder: Path) -> None:
    owed = Outputs(decisions=("stack", "layers"))
    assert lacking(folder, owed) == "it did not decide stack, layers: nothing in its decisions.json"
    (folder / "decisions.json").write_text(json.dumps({"stack": "small", "layers": []}))
    assert lacking(folder, owed) == "it did not decide layers: nothing in its decisions.json"
    assert (
        lacking(folder, owed, decisions={"layers": "api"})
        == "it did not decide layers: nothing in its decisions.json"
    )
    (folder / "decisions.json").write_text(json.dumps({"stack": "small"}))
    assert lacking(folder, owed, decisions={"layers": "api"}) == ""


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({}, "it gave no verdict: `verdict` in its output.json must be approve or request-changes"),
        (
            {"verdict": "fine"},
            "it gave no verdict: `verdict` in its output.json must be approve or request-changes",
        ),
        ({"verdict": "approve"}, ""),
        ({"verdict": "request-changes", "summary": "no tests"}, "its verdict is request-changes: no tests"),
    ],
)
def test_verdict_must_be_given_and_be_the_one_that_is_evidence(
    folder: Path, output: dict[str, str], problem: str
) -> None:
    (folder / "output.json").write_text(json.dumps(output))
    assert lacking(folder, evidence=Evidence(verdict="approve")) == problem


def test_either_verdict_will_do_where_only_one_is_owed(folder: Path) -> None:
    assert lacking(folder, Outputs(verdict=True), verdict="request-changes") == ""


def test_planned_commands_must_be_there(folder: Path) -> None:
    assert "planned no commands" in lacking(folder, Outputs(commands=True))
    assert lacking(folder, Outputs(commands=True), plan={"commands": ("make",)}) == ""


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"verdict": {"a": 1}}'])
def test_output_file_that_is_nonsense_is_no_evidence(folder: Path, text: str) -> None:
    (folder / "output.json").write_text(text)
    assert "no verdict" in lacking(folder, Outputs(verdict=True))


def test_files_are_found_by_name_by_folder_and_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "src/ui").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "src/ui/page.ts").touch()
    found = ["src/ui/page.ts", "src/ui", "src/**", "src/*/page.ts", "**/*.ts", "src/ui/p?ge.ts"]
    absent = ["src/ui/other.ts", "empty", "empty/**", "**/*.py", "nowhere/**"]
    assert [pattern for pattern in found + absent if any_file(tmp_path, pattern)] == found


def test_what_lies_in_the_task_folder_is_no_file_of_the_work(tmp_path: Path) -> None:
    (tmp_path / ".tasks").mkdir()
    (tmp_path / ".tasks/a.md").touch()
    assert not any_file(tmp_path, "**/*.md")
