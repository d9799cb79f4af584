"""An agent's call without a manager: sub-agents run real commands one by one, and models answer what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.model import Agent, Containment, GatewayAccess, Settings, SubAgent
from shared.process import Cancel
from tests.support.build import agent, task
from workflow_manager.backends.port import AgentCall, AgentReport

GATEWAY = GatewayAccess("http://127.0.0.1:9", "/nowhere", "secret")
Answer = Callable[[SubAgent], AgentReport]


@dataclass(slots=True)
class Desk:
    """Where an agent works, and everything it asked for."""

    root: Path
    answer: Answer = lambda _: AgentReport(False, reason="nobody answers")
    asked: list[SubAgent] = field(default_factory=list)
    output: bytearray = field(default_factory=bytearray)
    cancel: Cancel = field(default_factory=Cancel)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})

    def call(self, one: Agent, **fields: Any) -> AgentCall:
        folder = self.root / ".tasks" / one.name.partition("/")[0]
        folder.mkdir(parents=True, exist_ok=True)
        defaults: dict[str, Any] = {
            "agent": one,
            "task": task("fix"),
            "settings": Settings(),
            "attempt": 1,
            "worktree": self.root,
            "environment": {"SPINNEY_WORKTREE": str(self.root), "SPINNEY_PORT_BASE": "20000"}
            | self.environment,
            "containment": Containment(),
            "prompt_file": self.root / "prompt.md",
            "output_folder": folder,
            "timeout": 30.0,
            "cancel": self.cancel,
            "write": self.output.extend,
            "beat": lambda: None,
            "spawn": self.spawn,
        }
        return AgentCall(**(defaults | fields))

    def spawn(self, agents: Sequence[SubAgent]) -> tuple[AgentReport, ...]:
        return tuple(self._one(sub) for sub in agents)

    def _one(self, sub: SubAgent) -> AgentReport:
        from workflow_manager.backends.command import CommandBackend

        self.asked.append(sub)
        if not sub.run:
            return self.answer(sub)
        return CommandBackend().run(self.call(agent(f"CODER/{sub.name}", run=sub.run)))

    @property
    def models_asked(self) -> int:
        return sum(not sub.run for sub in self.asked)

    @property
    def names(self) -> list[str]:
        return [sub.name for sub in self.asked]
