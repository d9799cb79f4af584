from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.model import Agent, Tokens
from tests.support.build import agent, phase, task, workflow
from workflow_manager.backends.port import AgentReport
from workflow_manager.task_files import TaskFiles, pointer, prompt, read_json

START = 1_700_000_000.0
CODER, TESTER = agent("CODER", prompt="Write it."), agent("TESTER", needs=("CODER",), prompt="Test it.")
WORKFLOW = workflow(phase("code", CODER), phase("test", TESTER), name="small-feature")
TASK = task("t", title="Fix the login", body="It hangs.", workflow=WORKFLOW)
GOOD = AgentReport(
    True,
    "did it",
    next_steps=("deploy",),
    warnings=("slow",),
    decisions={"cache": "none"},
    tokens=Tokens(100, 20),
)


@pytest.fixture
def files(tmp_path: Path) -> TaskFiles:
    return TaskFiles(tmp_path, "run-1/t", TASK, WORKFLOW, START)


def manifest(files: TaskFiles) -> dict[str, Any]:
    return json.loads((files.folder / "manifest.json").read_text())


def test_manifest_has_the_agreed_shape(files: TaskFiles) -> None:
    files.started("CODER", START + 1)
    files.ended(CODER, GOOD, START + 2.5)
    files.started("TESTER", START + 3)
    assert manifest(files) == {
        "session_id": "run-1/t",
        "workflow": "SMALL_FEATURE",
        "project_idea": "Fix the login\n\nIt hangs.",
        "created_at": "2023-11-14T22:13:20.000Z",
        "tasks": {
            "CODER": {
                "status": "completed",
                "started_at": "2023-11-14T22:13:21.000Z",
                "completed_at": "2023-11-14T22:13:22.500Z",
                "tokens_used": 120,
                "output_path": ".tasks/CODER/output.json",
            },
            "TESTER": {
                "status": "in_progress",
                "dependencies": ["CODER"],
                "started_at": "2023-11-14T22:13:23.000Z",
            },
        },
        "completed": ["CODER"],
        "in_progress": ["TESTER"],
        "pending": [],
    }


def test_manifest_is_there_before_any_agent_starts(files: TaskFiles) -> None:
    assert manifest(files)["pending"] == ["CODER", "TESTER"]
    assert manifest(files)["tasks"]["TESTER"] == {"status": "pending", "dependencies": ["CODER"]}


def test_task_without_a_text_is_its_title(tmp_path: Path) -> None:
    made = TaskFiles(tmp_path, "s", task("t", title="Fix it"), WORKFLOW, START)
    assert manifest(made)["project_idea"] == "Fix it"


def test_folder_hides_itself_from_git(files: TaskFiles) -> None:
    assert (files.folder / ".gitignore").read_text() == "*\n"


def test_report_becomes_the_agents_files(files: TaskFiles) -> None:
    files.ended(CODER, GOOD, START)
    folder = files.folder / "CODER"
    assert json.loads((folder / "output.json").read_text()) == {
        "summary": "did it",
        "next_steps": ["deploy"],
        "warnings": ["slow"],
    }
    assert (folder / "context.md").read_text() == (
        "# CODER\n\ndid it\n\n## Next steps\n\n- deploy\n\n## Warnings\n\n- slow\n"
    )
    assert json.loads((folder / "decisions.json").read_text()) == {"cache": "none"}


def test_what_the_agent_wrote_itself_wins(files: TaskFiles) -> None:
    folder = files.agent_folder("CODER")
    (folder / "output.json").write_text('{"summary": "mine", "extra": 1}')
    (folder / "context.md").write_text("my context")
    (folder / "decisions.json").write_text("{}")
    (folder / "artifacts.json").write_text('["mine.py"]')
    files.ended(CODER, GOOD, START)
    files.artifacts("CODER", ["theirs.py"])
    assert json.loads((folder / "output.json").read_text()) == {
        "summary": "mine",
        "next_steps": ["deploy"],
        "warnings": ["slow"],
        "extra": 1,
    }
    assert (folder / "context.md").read_text() == "my context"
    assert (folder / "decisions.json").read_text() == "{}"
    assert (folder / "artifacts.json").read_text() == '["mine.py"]'
    assert files.own_summary("CODER") == "mine"


def test_changed_paths_are_listed(files: TaskFiles) -> None:
    files.artifacts("CODER", ["src/a.py", "src/ü.py"])
    assert json.loads((files.folder / "CODER" / "artifacts.json").read_text()) == ["src/a.py", "src/ü.py"]


def test_failed_agent_is_neither_completed_nor_pending(files: TaskFiles) -> None:
    files.started("CODER", START)
    files.ended(CODER, AgentReport(False, reason="exit status 1"), START)
    shown = manifest(files)
    assert shown["tasks"]["CODER"]["status"] == "failed"
    assert (shown["completed"], shown["in_progress"], shown["pending"]) == ([], [], ["TESTER"])


def test_skipped_agent_says_why(files: TaskFiles) -> None:
    files.skipped("TESTER", "no label")
    assert manifest(files)["tasks"]["TESTER"] == {
        "status": "skipped",
        "dependencies": ["CODER"],
        "reason": "no label",
    }


def test_agent_of_an_earlier_attempt_counts_as_completed(files: TaskFiles) -> None:
    files.done_before("CODER")
    assert manifest(files)["completed"] == ["CODER"]


def test_retried_agent_is_in_progress_again(files: TaskFiles) -> None:
    files.started("CODER", START)
    files.ended(CODER, AgentReport(False), START)
    files.started("CODER", START + 1)
    assert manifest(files)["in_progress"] == ["CODER"]


# --- agents that write what they should not

HOSTILE: dict[str, bytes] = {
    "no JSON": b"not json",
    "a list": b"[1]",
    "not UTF-8": b'{"summary": "\xff"}',
    "deep": b'{"summary": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "large": b'{"summary": "' + b"x" * (2 << 20) + b'"}',
    "long number": b'{"summary": ' + b"9" * 10_000 + b"}",
    "half a character": rb'{"summary": "\ud800"}',
    "wrong types": b'{"summary": {"a": 1}, "next_steps": 5, "warnings": "w"}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_broken_output_of_an_agent_breaks_nothing(files: TaskFiles, kind: str) -> None:
    (files.agent_folder("CODER") / "output.json").write_bytes(HOSTILE[kind])
    files.own_summary("CODER").encode()
    files.ended(CODER, GOOD, START)
    assert manifest(files)["completed"] == ["CODER"]
    assert isinstance(json.loads((files.folder / "CODER" / "output.json").read_text()), dict)


def test_link_pipe_and_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text('{"secret": 1}')
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    assert read_json(tmp_path / "real.json") == {"secret": 1}
    for name in ("link", "pipe", "folder", "missing"):
        assert read_json(tmp_path / f"{name}.json") is None


def test_folder_that_an_agent_removed_is_made_again(files: TaskFiles) -> None:
    files.started("CODER", START)
    shutil.rmtree(files.folder)
    files.ended(CODER, GOOD, START)
    files.artifacts("CODER", ["a"])
    assert manifest(files)["completed"] == ["CODER"]
    assert (files.folder / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("name", [".", "CODER"])
def test_link_in_a_folders_place_is_not_followed(files: TaskFiles, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    files.agent_folder("CODER")
    target = Path(os.path.normpath(files.folder / name))
    shutil.rmtree(target)
    target.symlink_to(outside)
    files.ended(CODER, GOOD, START)
    files.artifacts("CODER", ["a"])
    assert list(outside.iterdir()) == []
    assert manifest(files)["completed"] == ["CODER"]


@pytest.mark.parametrize("name", [".", "CODER"])
def test_file_in_a_folders_place_is_replaced(files: TaskFiles, name: str) -> None:
    target = Path(os.path.normpath(files.folder / name))
    shutil.rmtree(target, ignore_errors=True)
    target.write_text("in the way")
    files.ended(CODER, GOOD, START)
    assert manifest(files)["completed"] == ["CODER"]


# --- what agents are told


def test_pointer_says_where_and_not_what() -> None:
    assert pointer(TESTER) == (
        "<task>\n"
        "  <agent>TESTER</agent>\n"
        "  <manifest>.tasks/manifest.json</manifest>\n"
        "  <read_from>CODER</read_from>\n"
        "  <write_to>.tasks/TESTER/output.json</write_to>\n"
        "</task>\n"
    )


@pytest.mark.parametrize("one", [CODER, agent("A" * 40, needs=("RESEARCHER", "PLANNER", "IMPLEMENTER"))])
def test_pointer_is_shorter_than_a_hundred_tokens(one: Agent) -> None:
    assert len(pointer(one)) / 4 < 100


def test_prompt_is_role_task_and_pointer() -> None:
    assert prompt(TASK, CODER) == (f"Write it.\n\n# Task: Fix the login\n\nIt hangs.\n\n{pointer(CODER)}")
