"""Asking for sub-agents, each of which works in the same worktree and reports back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.model import SubAgent, Tier
from workflow_manager.backends.anthropic.bounds import bounded
from workflow_manager.backends.anthropic.tool import Input, Tool, ToolError
from workflow_manager.backends.port import AgentCall, AgentReport

_MOST = 8  # at once


class Wanted(Input):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    prompt: str = Field(min_length=1, max_length=20_000, description="everything it needs to know")
    tier: Tier = Field("balanced", description="fast for simple work, deep for hard work")


class AskAgents(Input):
    agents: list[Wanted] = Field(min_length=1, max_length=_MOST, description="names must differ")


def asker(call: AgentCall) -> Tool:
    def ask(given: AskAgents) -> str:
        names = [one.name for one in given.agents]
        if len(set(names)) < len(names):
            raise ToolError("two agents of one name")
        reports = call.spawn([SubAgent(one.name, prompt=one.prompt, tier=one.tier) for one in given.agents])
        told = "\n\n".join(_told(name, report) for name, report in zip(names, reports, strict=True))
        if any(report.ok for report in reports):
            return bounded(told)
        raise ToolError(bounded(told))

    description = (
        "Have other agents work at once in your worktree, on parts that do not touch each other's files."
    )
    return Tool("ask_agents", description, AskAgents, ask, changes=lambda given: True)


def _told(name: str, report: AgentReport) -> str:
    if not report.ok:
        return f"{name} failed: {report.reason}"
    lines = [f"{name}: {report.summary}", *(f"- next: {step}" for step in report.next_steps)]
    return "\n".join([*lines, *(f"- warning: {warning}" for warning in report.warnings)])
