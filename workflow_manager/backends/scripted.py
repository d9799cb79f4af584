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
        summary = f"{call.agent.name} followed its script"
        for step in call.agent.script:
            if call.cancel.is_set:
                return AgentReport(False, reason="stopped", cancelled=True)
            text = _fill(step.text, call)
            if step.action == "fail" and call.attempt <= step.times:
                return AgentReport(False, reason=text or "the script said so")
            if step.action == "output":
                summary = text
            else:
                _do(step, text, call)
        if call.cancel.is_set:
            return AgentReport(False, reason="stopped", cancelled=True)
        return AgentReport(True, summary=summary)


def _do(step: Step, text: str, call: AgentCall) -> None:
    path = Path(call.worktree, _fill(step.path, call))
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
        case "sleep":
            select.select([call.cancel], [], [], step.seconds)
        case "fail" | "output":
            pass


def _fill(text: str, call: AgentCall) -> str:
    for name, value in (
        ("task", call.task.id),
        ("title", call.task.title),
        ("agent", call.agent.name),
        ("attempt", str(call.attempt)),
    ):
        text = text.replace("{" + name + "}", value)
    return text
