"""Coding programs, real and made up, at work in a worktree against a scripted server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from shared.model import Agent, GatewayAccess, Program, Settings
from tests.support.build import agent, task
from tests.support.messages import MessagesServer, ToolUse
from tests.support.model_agent import Desk, desk_in
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.backends.programs.backend import ProgramBackend

_INSTALLED = Path(sys.prefix, "claude-code", "node_modules", "@anthropic-ai")


def claude_code() -> str:
    """The real program; skips the test where it is not installed."""
    packaged = sorted(_INSTALLED.glob("claude-code-*/claude"))
    found = str(packaged[0]) if packaged else shutil.which("claude")
    if found is None:
        pytest.skip("Claude Code is not installed: `make claude-code` does that, 377 MB")
    return found


@dataclass(slots=True)
class Bench:
    """A desk at which a program works instead of our own loop."""

    desk: Desk
    name: str = "claude-code"
    program: str = ""  # its path; empty: as the definition has it

    @property
    def worktree(self) -> Path:
        return self.desk.worktree

    @property
    def home(self) -> Path:
        return self.desk.root / "run" / "CODER.home"

    @property
    def said(self) -> str:
        return self.desk.said.decode()

    def call(self, one: Agent | None = None, **fields: Any) -> AgentCall:
        settings = fields.pop("settings", Settings())
        if self.program:
            settings = replace(settings, programs=(Program(self.name, (self.program,)),))
        return self.desk.call(one or agent("CODER"), settings=settings, task=task("fix"), **fields)

    def run(self, server: MessagesServer, one: Agent | None = None, **fields: Any) -> AgentReport:
        """Straight at ``server``, without a gateway in between."""
        gateway = GatewayAccess(server.url, "", "")
        return self.carry_out(self.call(one, gateway=gateway, token=server.key, **fields))

    def carry_out(self, call: AgentCall) -> AgentReport:
        return ProgramBackend(self.name).run(call)

    # --- what Claude Code's tools are called

    def write(self, path: str, text: str) -> ToolUse:
        return ToolUse("Write", {"file_path": str(self.worktree / path), "content": text})

    def edit(self, path: str, old: str, new: str) -> ToolUse:
        return ToolUse("Edit", {"file_path": str(self.worktree / path), "old_string": old, "new_string": new})

    def read(self, path: str) -> ToolUse:
        return ToolUse("Read", {"file_path": str(self.worktree / path)})


def bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command, "description": "as the script says"})


@contextmanager
def bench_in(root: Path, *, name: str = "claude-code", program: str = "") -> Iterator[Bench]:
    with desk_in(root) as desk:
        yield Bench(desk, name, program)
