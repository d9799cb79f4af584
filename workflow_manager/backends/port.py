"""The port between a WorkflowManager and whatever executes an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from shared.model import Agent, Containment, Settings, SubAgent, Task, Tokens
from shared.process import Cancel

Tool = Literal["read", "search", "context", "spawn", "finish", "write", "edit", "run"]
READING: tuple[Tool, ...] = ("read", "search", "context", "spawn", "finish")
WRITING: tuple[Tool, ...] = (*READING, "write", "edit", "run")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a call may still spend; 0 is no limit."""

    tokens: int = 0
    usd: float = 0.0


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
    prompt_file: Path  # what to do, with a pointer into .tasks/ of fewer than 100 tokens
    output_folder: Path  # .tasks/<AGENT>
    timeout: float  # seconds
    cancel: Cancel
    write: Callable[[bytes], None]  # to the agent's log and the live board
    beat: Callable[[], None]  # it lives, although it says nothing; output counts as that as well
    # Several agents at once, each with a slot of its own; this call's slot is free while it waits for them.
    spawn: Callable[[Sequence[SubAgent]], tuple[AgentReport, ...]]
    tools: tuple[Tool, ...] = WRITING
    budget: Budget = Budget()
    transcript: Path | None = None  # where a model loop keeps its messages, saved after each step


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What became of it. ``reason`` says why where ``ok`` is False; figures are measured or zero."""

    ok: bool
    summary: str = ""
    reason: str = ""
    next_steps: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    decisions: Mapping[str, str] = field(default_factory=dict)
    verdict: str = ""  # approve | request-changes
    plan: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # commands, checks, fallbacks
    messages: int = 0  # of a model loop
    tool_calls: Mapping[str, int] = field(default_factory=dict)  # by the tool's name
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    cancelled: bool = False


class Backend(Protocol):
    """Blocks until the agent has ended; ends soon after ``call.cancel`` is set; never raises for its failure."""

    def run(self, call: AgentCall) -> AgentReport: ...
