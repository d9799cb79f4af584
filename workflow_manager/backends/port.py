"""The port between a WorkflowManager and whatever executes an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shared.model import Agent, Containment, Settings, Task, Tokens
from shared.process import Cancel


@dataclass(frozen=True, slots=True)
class AgentCall:
    """Everything one execution of an agent gets."""

    agent: Agent
    task: Task
    settings: Settings
    attempt: int
    worktree: Path
    environment: Mapping[str, str]
    containment: Containment
    prompt_file: Path  # what to do, with pointers into .tasks/; fewer than 100 tokens besides the role's text
    output_folder: Path  # .tasks/<AGENT>
    timeout: float  # seconds
    cancel: Cancel
    write: Callable[[bytes], None]  # to the agent's log and the live board


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What became of it. ``reason`` says why where ``ok`` is False; figures are measured or zero."""

    ok: bool
    summary: str = ""
    reason: str = ""
    next_steps: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    decisions: Mapping[str, str] = field(default_factory=dict)
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    cancelled: bool = False


class Backend(Protocol):
    """Blocks until the agent has ended; ends soon after ``call.cancel`` is set; never raises for its failure."""

    def run(self, call: AgentCall) -> AgentReport: ...
