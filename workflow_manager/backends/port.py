"""The port between a WorkflowManager and whatever executes an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from shared.model import Agent, Containment, GatewayAccess, Settings, SubAgent, Task, Tokens
from shared.process import Cancel

Tool = Literal["read", "search", "context", "spawn", "finish", "write", "edit", "run"]
READING: tuple[Tool, ...] = ("read", "search", "context", "spawn", "finish")
WRITING: tuple[Tool, ...] = (*READING, "write", "edit", "run")


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
    transcript: Path | None = None  # where a model loop keeps its messages, saved after each step
    resumed: bool = False  # an earlier manager may have left a transcript of this very try
    failure: str = ""  # why the try before failed
    known: str = ""  # how this very try failed under an earlier manager: no model is to be asked for it again
    gateway: GatewayAccess | None = None
    token: str = field(default="", repr=False)  # of this call, for the gateway
    memory: Path | None = None  # a folder where backends remember things about this repository
    recall: Path | None = None  # the same as it was when the run began, to be read; None: ``memory`` itself


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What became of it. ``reason`` says why where ``ok`` is False. What it cost, the gateway fills in."""

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
    artifacts: tuple[str, ...] = ()  # paths that it names as its results
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    final: bool = False  # a further try would end the same way
    spent: bool = False  # a budget ended it: it is to be gone on with when there is more
    cancelled: bool = False
    output: str = field(default="", compare=False, repr=False)  # the end of what a command said that failed


class Backend(Protocol):
    """Blocks until the agent has ended; ends soon after ``call.cancel`` is set; never raises for its failure."""

    def run(self, call: AgentCall) -> AgentReport: ...
