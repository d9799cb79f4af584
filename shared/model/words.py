"""Names, kinds and states: the smallest words of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NewType

TaskId = NewType("TaskId", str)
RunId = NewType("RunId", str)
Oid = NewType("Oid", str)  # 40 hexadecimal digits of a git object
AgentName = NewType("AgentName", str)
Tier = Literal["fast", "balanced", "deep"]
SlotKind = Literal["model", "cpu", "gate"]
ContextForm = Literal["full", "compressed"]
ContextPart = Literal["output", "decisions", "artifacts"]
Isolation = Literal["auto", "shared", "scratch"]
PullRequestPolicy = Literal["per-task", "stacked", "batch", "none"]
OutsideWrites = Literal["fail", "warn"]
Allowance = Literal[
    "workflows", "agent-config", "spinney", "git-attributes", "symlinks", "large-files", "secrets"
]
BackendName = Literal[
    "command", "scripted", "anthropic", "claude-code", "codex", "gemini", "aider", "opencode"
]
Sandboxing = Literal["auto", "on", "off"]
TIERS: tuple[Tier, ...] = ("fast", "balanced", "deep")  # from the cheapest


class TaskStatus(StrEnum):
    """How a task stands. The last six are final and are what ``--json`` reports."""

    WAITING = "waiting"  # for its needs, or for a place among the open tasks
    RUNNING = "running"
    FINISHED = "finished"  # its commits are on its branch; not yet integrated
    MERGED = "merged"
    UNMERGED = "unmerged"  # finished, but kept out of the merged result; the reason says why
    NO_CHANGE = "no-change"
    FAILED = "failed"
    CONFLICT = "conflict"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        return self not in _OPEN_STATUSES

    @property
    def good(self) -> bool:
        """Whether the task ended as the user asked."""
        return self in (TaskStatus.MERGED, TaskStatus.NO_CHANGE)


_OPEN_STATUSES = frozenset({TaskStatus.WAITING, TaskStatus.RUNNING, TaskStatus.FINISHED})


@dataclass(frozen=True, slots=True)
class Identity:
    """Author and committer, as git writes them."""

    name: str
    email: str


class ChangeType(StrEnum):
    """What kind of change a task is, by its declaration or by its diff; decides which agents it needs."""

    DOCUMENTATION = "documentation"
    TYPO = "typo"  # fewer than three changed lines
    CONFIGURATION = "configuration"
    TESTS = "tests"
    FULL = "full"
