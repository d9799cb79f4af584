"""Whole runs with the real Claude Code: the console script, git, a sandbox, the gateway, a scripted server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.messages import Asked, Fault, MessagesServer, Reply, ToolUse
from tests.support.programs import bash, claude_code, in_turn
from tests.support.running import Spinney, until

pytestmark = [pytest.mark.process, pytest.mark.git]

WORKFLOW = """\
name: fixing
phases:
  - name: build
    agents:
      - name: CODER
        backend: claude-code
        prompt: You fix what you are told to fix.
        {more}
"""
BATCH = """\
version: 1
workflow: fixing.yaml
programs:
  claude-code: {{command: ["{program}"]}}
tasks:
  - id: greet
    title: Greeting
    body: Spell it right.
"""


def prepared(spinney: Spinney, server: MessagesServer, more: str = "") -> str:
    """The path of a batch of one task for Claude Code."""
    spinney.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
    (spinney.repo.path / "fixing.yaml").write_text(WORKFLOW.format(more=more))
    batch = spinney.repo.path / "batch.yaml"
    batch.write_text(BATCH.format(program=claude_code()))
    return str(batch)


def worktree(spinney: Spinney) -> Path:
    return spinney.worktree_folder() / "greet"


def write(spinney: Spinney, path: str, text: str) -> ToolUse:
    return ToolUse("Write", {"file_path": str(worktree(spinney) / path), "content": text})


def test_what_claude_code_did_is_a_commit_with_its_cost_and_the_key_is_nowhere(held: Spinney) -> None:
    turns = in_turn(
        Reply(tools=[write(held, "greet.py", "print('hello')\n"), bash("python3 greet.py > out.txt; env")]),
        Reply("Spelt it right."),
    )
    with MessagesServer(turns) as server:
        done = held("run", prepared(held, server), "--json")
    assert done.statuses == {"greet": "merged"}, done.err
    assert {"greet.py", "out.txt"} <= set(held.repo.files(done.json["merged"]))
    assert done.tasks["greet"]["cost_usd"] == pytest.approx(server.billed_usd, abs=1e-5)
    assert done.tasks["greet"]["tokens"]["output"] == server.billed.output
    assert server.violations == []
    assert server.key not in server.asked[-1].tool_results[1][1]
    for folder, _, names in os.walk(held.repo.git_dir / "spinney"):
        for name in names:
            assert server.key.encode() not in Path(folder, name).read_bytes()


def test_a_write_outside_of_what_is_its_own_is_denied_and_reported(held: Spinney) -> None:
    turns = in_turn(
        Reply(tools=[write(held, "docs/a.md", "a\n"), write(held, "b.py", "b\n")]), Reply("Did what I could.")
    )
    with MessagesServer(turns) as server:
        done = held("run", prepared(held, server, 'writes: ["docs/**"]'), "--json")
    assert done.statuses == {"greet": "merged"}, done.err
    files = set(held.repo.files(done.json["merged"]))
    assert "docs/a.md" in files
    assert "b.py" not in files


def test_after_the_end_of_the_orchestrator_a_resumed_run_goes_on_with_the_session(held: Spinney) -> None:
    turns = in_turn(
        Reply(tools=[write(held, "one.txt", "one\n")]),
        Reply(tools=[bash("tail -f /dev/null")]),
        Reply(tools=[write(held, "one.txt", "one\n")]),
        Reply("All of it is there."),
    )
    with MessagesServer(turns) as server:
        run = held.start("run", prepared(held, server), "--json")
        until(lambda: len(server.asked) >= 2, "the second request", 60)
        run.send_signal(signal.SIGKILL)
        held.end(run)
        held.gone()
        done = held("resume", "--json")
    assert done.statuses == {"greet": "merged"}, done.err
    assert "one.txt" in held.repo.files(done.json["merged"])
    assert len(server.asked) == 4
    assert "look before you change anything" in str(server.asked[2].messages)
    assert server.asked[2].turns >= 2


def test_a_program_that_is_missing_is_told_before_anything_starts(held: Spinney) -> None:
    with MessagesServer(lambda asked: Reply()) as server:
        batch = Path(prepared(held, server))
        batch.write_text(batch.read_text().replace(claude_code(), "/nowhere/claude"))
        done = held("run", str(batch))
    assert done.code == 2
    assert "claude-code: there is no program '/nowhere/claude'" in done.err
    assert "npm install -g @anthropic-ai/claude-code@" in done.err
    assert not held.worktree_folder().exists()


def test_in_a_scratch_worktree_it_leaves_its_output_where_it_belongs(held: Spinney) -> None:
    def script(asked: Asked) -> Reply | Fault:
        if not asked.tools:
            return Reply("A title")
        if asked.turns:
            return Reply("Left it.")
        place = str(held.worktree_folder() / "greet@coder")
        output = ToolUse(
            "Write", {"file_path": f"{place}/.tasks/CODER/output.json", "content": '{"summary": "By file."}'}
        )
        return Reply(tools=[output, ToolUse("Write", {"file_path": f"{place}/a.txt", "content": "a\n"})])

    with MessagesServer(script) as server:
        done = held("run", prepared(held, server, "isolation: scratch"), "--json")
    assert done.statuses == {"greet": "merged"}, done.err
    assert "a.txt" in held.repo.files(done.json["merged"])
    message = held.repo.git("log", "-1", "--format=%B", done.tasks["greet"]["commits"][0]["oid"])
    assert "- CODER: By file." in message
