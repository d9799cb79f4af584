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

from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.upstream import Upstream
from shared.callers import Caller, mint
from shared.clock import SystemClock
from shared.containment import find_bubblewrap
from shared.model import (
    Agent,
    AgentName,
    Containment,
    GatewayAccess,
    ModelSettings,
    Program,
    RunId,
    Sandbox,
    Settings,
    Spending,
    TaskId,
)
from shared.sandbox.making import led_to, looks_installed
from shared.sandbox.places import toolchains
from tests.support.build import agent, task
from tests.support.messages import Fault, MessagesServer, Reply, Script, ToolUse
from tests.support.model_agent import Desk, desk_in
from tests.support.running import has_bubblewrap
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


def in_turn(*turns: Reply | Fault) -> Script:
    """Whatever was said before: a program that goes on may say something in between. Titles are answered aside."""
    left = iter(turns)
    return lambda asked: next(left) if asked.tools else Reply("A title")


def bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command, "description": "as the script says"})


@contextmanager
def bench_in(root: Path, *, name: str = "claude-code", program: str = "") -> Iterator[Bench]:
    with desk_in(root) as desk:
        yield Bench(desk, name, program)


@dataclass(slots=True)
class Shut:
    """A sandbox around a bench, as in a run: the only way out is a gateway."""

    gateway: Gateway
    containment: Containment

    def carry_out(self, bench: Bench, **fields: Any) -> AgentReport:
        access = self.gateway.access(TaskId("fix"))
        caller = Caller(TaskId("fix"), "build", AgentName("CODER"))
        return bench.carry_out(
            bench.call(
                gateway=access, token=mint(access.secret, caller), containment=self.containment, **fields
            )
        )


@contextmanager
def shut(bench: Bench, server: MessagesServer, told: list[tuple[str, Any]], path: str = "") -> Iterator[Shut]:
    """The gateway leads to ``server`` and tells ``told``; the toolchains of ``path`` are there."""
    if not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    gateway = Gateway(
        run=RunId("run"),
        settings=ModelSettings(base_url=server.url),
        answers=Upstream(server.url, server.key),
        recorder=None,
        budget=Spending(),
        task_budgets={},
        spent=(),
        tell=lambda event, fields: told.append((event, fields)),
        clock=SystemClock(),
    )
    gateway.start()
    try:
        sandbox = Sandbox(
            str(bench.worktree),
            read=toolchains(
                path, "/nowhere", (str(bench.desk.root),), installed=looks_installed, links=led_to
            ),
            socket=gateway.access(TaskId("fix")).socket,
        )
        yield Shut(gateway, Containment(find_bubblewrap(), sandbox=sandbox))
    finally:
        gateway.close()
