"""The ``scripted`` backend: does exactly what its steps say. Deterministic, for trials, demos and tests.

An agent without steps leaves exactly what it declares, so a whole workflow can be tried without any model:
real files, real commits, real merges. ``{task}``, ``{title}``, ``{agent}`` and ``{attempt}`` in paths and texts
are replaced.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass, field
from pathlib import Path

from shared.model import Step
from workflow_manager.backends.declared import leave
from workflow_manager.backends.port import AgentCall, AgentReport

_BEAT = 1.0  # seconds between signs of life
_PLAN = ("commands", "checks", "fallbacks")
_STOPPED = AgentReport(False, reason="stopped", cancelled=True)


class ScriptedBackend:
    def run(self, call: AgentCall) -> AgentReport:
        try:
            if call.cancel.is_set:
                return _STOPPED
            return _Script(call).follow() if call.agent.script else leave(call)
        except (OSError, ValueError) as error:
            return AgentReport(False, reason=f"its script cannot be followed: {error}")


@dataclass(slots=True)
class _Script:
    """How far a script has come, and what there is to report by then."""

    call: AgentCall
    summary: str = ""
    verdict: str = ""
    decisions: dict[str, str] = field(default_factory=dict)
    plan: dict[str, tuple[str, ...]] = field(default_factory=dict)
    slept: float = 0.0  # seconds

    def follow(self) -> AgentReport:
        for step in self.call.agent.script:
            if self.call.cancel.is_set:
                return _STOPPED
            ended = self._do(step, self._fill(step.path), self._fill(step.text))
            if ended is not None:
                return ended
        if self.call.cancel.is_set:
            return _STOPPED
        return AgentReport(
            True,
            summary=self.summary or f"{self.call.agent.name} followed its script",
            decisions=self.decisions,
            verdict=self.verdict,
            plan=self.plan,
        )

    def _do(self, step: Step, path: str, text: str) -> AgentReport | None:
        """Carry out one step; returns the report with which the script ends there."""
        match step.action:
            case "write" | "append" | "delete":
                _change(self.call.worktree, step.action, path, text)
            case "say":
                self.call.write(text.encode() + b"\n")
            case "output":
                self.summary = text
            case "decide":
                self.decisions[path] = text
            case "verdict":
                self.verdict = text
            case "plan":
                self.plan[path] = _planned(path, text)
            case "sleep":
                return self._sleep(step.seconds)
            case "spawn":
                return self._spawn(step)
            case "fail":
                if self.call.attempt <= step.times:
                    return AgentReport(False, reason=text or "the script said so")
        return None

    def _sleep(self, seconds: float) -> AgentReport | None:
        """Wait, with a sign of life now and then, until ``seconds``, the agent's time or the run is over."""
        until = time.monotonic() + min(seconds, self.call.timeout - self.slept)
        while (left := until - time.monotonic()) > 0 and not self.call.cancel.is_set:
            self.call.beat()
            select.select([self.call.cancel], [], [], min(left, _BEAT))
        self.slept += seconds
        if self.slept > self.call.timeout and not self.call.cancel.is_set:
            return AgentReport(False, reason=f"timed out after {self.call.timeout:.0f} s")
        return None

    def _spawn(self, step: Step) -> AgentReport | None:
        reports = self.call.spawn(step.agents)
        if any(report.cancelled for report in reports):
            return _STOPPED
        pairs = zip(step.agents, reports, strict=True)
        failed = [f"{asked.name}: {report.reason}" for asked, report in pairs if not report.ok]
        return AgentReport(False, reason="; ".join(failed)) if failed else None

    def _fill(self, text: str) -> str:
        for name, value in (
            ("task", self.call.task.id),
            ("title", self.call.task.title),
            ("agent", self.call.agent.name),
            ("attempt", str(self.call.attempt)),
        ):
            text = text.replace("{" + name + "}", value)
        return text


def _planned(part: str, text: str) -> tuple[str, ...]:
    """A plan's entries, one a line; a fallback is ``command => fallback``. Raises ValueError for others."""
    if part not in _PLAN:
        raise ValueError(f"there is nothing to plan called {part!r}; known: {', '.join(_PLAN)}")
    entries = tuple(line.strip() for line in text.splitlines() if line.strip())
    if part == "fallbacks" and (wrong := next((entry for entry in entries if " => " not in entry), "")):
        raise ValueError(f"{wrong!r} is not `command => fallback`")
    return entries


def _change(worktree: Path, action: str, path: str, text: str) -> None:
    """Change one file. Raises ValueError for a path that leaves the worktree: a title can hold anything."""
    place = Path(worktree, path)
    landed = place.parent.resolve() / place.name if action == "delete" else place.resolve()
    if not landed.is_relative_to(worktree.resolve()):
        raise ValueError(f"{path} leaves the worktree")
    if action == "delete":
        place.unlink(missing_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a" if action == "append" else "w") as file:
        file.write(text)
