from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from shared.model import Tokens
from tests.support.build import agent, phase, task, workflow
from workflow_manager.backends.port import AgentReport
from workflow_manager.task_files import TaskFiles
from workflow_manager.untrusted import SMALL, identity, read_json, read_small

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
    files.flush()
    found: dict[str, Any] = json.loads((files.folder / "manifest.json").read_text())
    return found


def test_manifest_has_the_agreed_shape(files: TaskFiles) -> None:
    files.started("CODER", START + 1)
    files.ended(CODER, GOOD, START + 2.5)
    files.started("TESTER", START + 3)
    assert manifest(files) == {
        "session_id": "run-1/t",
        "workflow": "SMALL_FEATURE",
        "project_idea": "Fix the login",
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


def test_manifest_has_a_line_an_agent(files: TaskFiles) -> None:
    lines = (files.folder / "manifest.json").read_text().splitlines()
    assert lines[6:8] == [
        '    "CODER": {"status": "pending"},',
        '    "TESTER": {"status": "pending", "dependencies": ["CODER"]}',
    ]


def test_task_is_a_file_of_its_own(files: TaskFiles) -> None:
    assert (files.folder / "task.md").read_text() == "# Fix the login\n\nIt hangs.\n"
    assert not (files.folder / "items.json").exists()


def test_task_without_a_text_is_its_title(tmp_path: Path) -> None:
    TaskFiles(tmp_path, "s", task("t", title="Fix it"), WORKFLOW, START)
    assert (tmp_path / ".tasks/task.md").read_text() == "# Fix it\n"


def test_list_in_a_task_is_there_as_data(tmp_path: Path) -> None:
    TaskFiles(tmp_path, "s", task("t", body="Do:\n\n- [x] This\n- [ ] That\n"), WORKFLOW, START)
    items = json.loads((tmp_path / ".tasks/items.json").read_text())
    assert [(item["number"], item["text"], item["done"]) for item in items] == [
        ("1", "This", True),
        ("2", "That", False),
    ]


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
    files.ended(CODER, AgentReport(False, reason="exit status 1"), START)
    assert files.failure("CODER") == "exit status 1"
    files.started("CODER", START + 1)
    assert manifest(files)["in_progress"] == ["CODER"]
    files.ended(CODER, GOOD, START + 2)
    assert files.failure("CODER") == ""


def test_what_a_try_left_does_not_count_for_the_next(files: TaskFiles) -> None:
    folder = files.agent_folder("CODER")
    files.started("CODER", START)
    (folder / "output.json").write_text('{"summary": "half", "verdict": "approve"}')
    (folder / "decisions.json").write_text('{"cache": "some"}')
    files.ended(CODER, AgentReport(False, reason="exit status 1"), START)
    assert (files.verdict("CODER"), files.decisions("CODER")) == ("approve", {"cache": ("some",)})
    files.started("CODER", START)
    assert (files.verdict("CODER"), files.decisions("CODER"), files.own_summary("CODER")) == ("", {}, "")
    files.ended(CODER, GOOD, START)
    assert files.own_summary("CODER") == "did it"
    assert files.decisions("CODER") == {"cache": ("none",)}
    assert json.loads((folder / "earlier.output.json").read_text())["summary"] == "half"


def test_agent_that_the_workflow_does_not_name_is_shown_once_it_starts(files: TaskFiles) -> None:
    resolver = agent("RESOLVER", prompt="Resolve it.")
    assert files.status("RESOLVER") == "pending"
    assert "RESOLVER" not in manifest(files)["tasks"]
    files.started("RESOLVER", START)
    files.ended(resolver, GOOD, START)
    assert (files.status("RESOLVER"), manifest(files)["completed"]) == ("completed", ["RESOLVER"])


def test_agents_that_an_agent_asked_for_are_shown_below_it(files: TaskFiles) -> None:
    files.started("CODER", START)
    files.started("CODER/c1", START + 1)
    files.started("CODER/c2", START + 1)
    files.ended(agent("CODER/c1"), GOOD, START + 2)
    assert manifest(files)["tasks"]["CODER"] == {
        "status": "in_progress",
        "started_at": "2023-11-14T22:13:20.000Z",
        "sub_agents": {
            "c1": {
                "status": "completed",
                "started_at": "2023-11-14T22:13:21.000Z",
                "completed_at": "2023-11-14T22:13:22.000Z",
                "tokens_used": 120,
            },
            "c2": {"status": "in_progress", "started_at": "2023-11-14T22:13:21.000Z"},
        },
    }
    assert manifest(files)["completed"] == []
    assert list((files.folder / "CODER").iterdir()) == []
    assert files.own_summary("CODER/c1") == ""
    assert files.agent_folder("CODER/c1") == files.folder / "CODER"


# --- what agents decide


def test_verdict_and_plan_of_a_report_are_in_the_output(files: TaskFiles) -> None:
    plan = {
        "commands": ("make", "make test"),
        "checks": ("make lint",),
        "fallbacks": ("make test => pytest",),
    }
    files.ended(CODER, AgentReport(True, "planned", verdict="approve", plan=plan), START)
    assert json.loads((files.folder / "CODER/output.json").read_text()) == {
        "summary": "planned",
        "next_steps": [],
        "warnings": [],
        "verdict": "approve",
        "commands": ["make", "make test"],
        "checks": ["make lint"],
        "fallbacks": {"make test": "pytest"},
    }
    assert files.verdict("CODER") == "approve"


@pytest.mark.parametrize("verdict", ['"maybe"', "true", '["approve"]', "null", "{}"])
def test_only_two_words_are_a_verdict(files: TaskFiles, verdict: str) -> None:
    (files.agent_folder("CODER") / "output.json").write_text(f'{{"verdict": {verdict}}}')
    assert files.verdict("CODER") == ""


def test_decision_is_a_text_or_several(files: TaskFiles) -> None:
    (files.agent_folder("CODER") / "decisions.json").write_text(
        '{"stack": "python", "parts": ["a", "b", ["c"]], "size": 3, "empty": " ", "none": null, "deep": {"a": 1}}'
    )
    assert files.decisions("CODER") == {"stack": ("python",), "parts": ("a", "b"), "size": ("3",)}


def test_decisions_are_read_again_when_they_change(files: TaskFiles) -> None:
    path = files.agent_folder("CODER") / "decisions.json"
    path.write_text('{"stack": "python"}')
    assert files.decisions("CODER") == {"stack": ("python",)}
    path.write_text('{"stack": "go"}')
    assert files.decisions("CODER") == {"stack": ("go",)}
    path.unlink()
    assert files.decisions("CODER") == {}


def test_nobody_decided_on_layers(files: TaskFiles) -> None:
    files.ended(CODER, GOOD, START)
    assert files.layers() is None


@pytest.mark.parametrize("layers", ['"ui-web, data,"', '["ui-web", "data"]', '["ui-web,data"]'])
def test_layers_are_a_list_or_separated_by_commas(files: TaskFiles, layers: str) -> None:
    (files.agent_folder("CODER") / "decisions.json").write_text(f'{{"layers": {layers}}}')
    assert files.layers() is None  # it still works on them
    files.ended(CODER, GOOD, START)
    assert files.layers() == ("ui-web", "data")


def test_layers_of_several_agents_add_up(files: TaskFiles) -> None:
    files.ended(CODER, AgentReport(True, decisions={"layers": "ui, core"}), START)
    files.ended(TESTER, AgentReport(True, decisions={"layers": "core, data"}), START)
    assert files.layers() == ("ui", "core", "data")


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
        assert identity(tmp_path / f"{name}.json") is None


def test_file_behind_a_linked_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real/CODER").mkdir(parents=True)
    (tmp_path / "real/CODER/output.json").write_text("{}")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/CODER").symlink_to(tmp_path / "real/CODER")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    assert read_json(tmp_path / "real/CODER/output.json") == {}
    assert read_json(tmp_path / "here/CODER/output.json") is None
    assert read_json(tmp_path / "linked/CODER/output.json") is None


def test_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 10)
    (tmp_path / "large").write_bytes(b"x" * (SMALL + 1))
    assert read_small(tmp_path / "small", 10) == b"x" * 10
    assert read_small(tmp_path / "small", 9) is None
    assert read_small(tmp_path / "large") is None


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


@pytest.mark.parametrize("name", ["output.json", "decisions.json", "artifacts.json", "context.md"])
def test_folder_in_a_files_place_is_replaced(files: TaskFiles, name: str) -> None:
    (files.agent_folder("CODER") / name / "deep").mkdir(parents=True)
    files.ended(CODER, GOOD, START)
    files.artifacts("CODER", ["a"])
    assert (files.folder / "CODER" / name).is_file()


def test_folder_that_an_agent_closed_is_opened(files: TaskFiles) -> None:
    files.agent_folder("CODER").chmod(0o500)
    files.ended(CODER, GOOD, START)
    assert (files.folder / "CODER").stat().st_mode & 0o700 == 0o700
    assert files.own_summary("CODER") == "did it"


def test_folder_that_is_swapped_for_a_link_while_we_write_never_leads_out(
    files: TaskFiles, tmp_path: Path
) -> None:
    """Somebody swaps it as fast as it can, by the call that leaves no moment without either."""
    spot, link, outside = files.agent_folder("CODER"), files.folder / "link", tmp_path / "outside"
    outside.mkdir()
    (outside / "output.json").write_text("mine")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                link.symlink_to(outside)
            exchange(spot, link)
            exchange(spot, link)
            if not link.is_symlink():
                shutil.rmtree(link, ignore_errors=True)

    thread = threading.Thread(target=swap)
    thread.start()
    for number in range(50):
        files.started("CODER", START)
        files.ended(CODER, GOOD, START)
        files.keep("CODER/kept.md", str(number))
    over.set()
    thread.join()
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"output.json": "mine"}
    assert manifest(files)["completed"] == ["CODER"]


def exchange(one: Path, other: Path) -> None:
    """Swap the names of two things at once (Linux); elsewhere there is a moment between."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "renameat2"):
        libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)
        return
    with contextlib.suppress(OSError):
        aside = one.with_name("aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)


# --- files of our own


def test_kept_file_is_written_once_and_again_where_somebody_changed_it(files: TaskFiles) -> None:
    path = files.folder / "compressed/abc.md"
    files.keep("compressed/abc.md", "short")
    before = identity(path)
    files.keep("compressed/abc.md", "short")
    assert identity(path) == before
    path.write_text("something else")
    files.keep("compressed/abc.md", "short")
    assert path.read_text() == "short"
    path.unlink()
    files.keep("compressed/abc.md", "short")
    assert path.read_text() == "short"
    files.keep("compressed/abc.md", "other")
    assert path.read_text() == "other"


def test_manifest_is_on_disk_when_an_agent_starts_and_is_not_replaced_for_nothing(files: TaskFiles) -> None:
    path = files.folder / "manifest.json"
    before = path.stat().st_ino
    files.skipped("CODER", "nothing to do")
    assert path.stat().st_ino == before
    files.started("TESTER", 1.0)
    found = json.loads(path.read_text())
    assert (found["tasks"]["CODER"]["status"], found["in_progress"]) == ("skipped", ["TESTER"])
    written = path.stat().st_ino
    files.flush()
    assert path.stat().st_ino == written
