"""The ``scripted`` backend: does exactly what its steps say. Deterministic, for trials, demos and tests.

An agent without steps only records a summary, so a whole workflow can be tried without any model.
``{task}``, ``{title}``, ``{agent}`` and ``{attempt}`` in paths and texts are replaced.
"""

from __future__ import annotations

import select
from pathlib import Path

from shared.model import Step
from workflow_manager.backends.port import AgentCall, AgentReport


class ScriptedBackend:
    def run(self, call: AgentCall) -> AgentReport:
        try:
            return _follow(call)
        except (OSError, ValueError) as error:
            return AgentReport(False, reason=f"its script cannot be followed: {error}")


def _follow(call: AgentCall) -> AgentReport:
    left = call.timeout
    summary = f"{call.agent.name} followed its script"
    for step in call.agent.script:
        if call.cancel.is_set:
            return AgentReport(False, reason="stopped", cancelled=True)
        text = _fill(step.text, call)
        if step.action == "fail" and call.attempt <= step.times:
            return AgentReport(False, reason=text or "the script said so")
        if step.action == "output":
            summary = text
        elif step.action == "sleep":
            select.select([call.cancel], [], [], min(step.seconds, left))
            left -= step.seconds
            if left < 0 and not call.cancel.is_set:
                return AgentReport(False, reason=f"timed out after {call.timeout:.0f} s")
        else:
            _do(step, text, call)
    if call.cancel.is_set:
        return AgentReport(False, reason="stopped", cancelled=True)
    return AgentReport(True, summary=summary)


def _do(step: Step, text: str, call: AgentCall) -> None:
    path = Path(call.worktree, _fill(step.path, call))
    landed = path.parent.resolve() / path.name if step.action == "delete" else path.resolve()
    if not landed.is_relative_to(call.worktree.resolve()):
        raise ValueError(f"{step.path} leaves the worktree")  # a title can hold anything
    match step.action:
        case "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        case "append":
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(text)
        case "delete":
            path.unlink(missing_ok=True)
        case "say":
            call.write(text.encode() + b"\n")
        case "fail" | "output" | "sleep":
            pass  # their effect is on the report


def _fill(text: str, call: AgentCall) -> str:
    for name, value in (
        ("task", call.task.id),
        ("title", call.task.title),
        ("agent", call.agent.name),
        ("attempt", str(call.attempt)),
    ):
        text = text.replace("{" + name + "}", value)
    return text
