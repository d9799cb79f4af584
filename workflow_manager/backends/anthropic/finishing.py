"""The tool that an agent ends with: its result, typed, and checked against what it must leave."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace
from typing import Literal

from pydantic import Field

from shared.model import Agent
from workflow_manager.backends.anthropic.conversation import ToolResult
from workflow_manager.backends.anthropic.tool import Checked, Input
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.evidence import missing

NAME = "finish"
_Lines = list[str]


class Finish(Input):
    summary: str = Field(
        min_length=1, max_length=2000, description="what you did or found, in a sentence or two"
    )
    artifacts: _Lines = Field(
        default_factory=list, max_length=500, description="paths of the files you made or changed"
    )
    decisions: dict[str, str] = Field(
        default_factory=dict, description="what others must know you settled, by key"
    )
    next_steps: _Lines = Field(default_factory=list, max_length=50)
    warnings: _Lines = Field(default_factory=list, max_length=50)


class FinishWithVerdict(Finish):
    verdict: Literal["approve", "request-changes"]


class FinishWithPlan(Finish):
    commands: _Lines = Field(min_length=1, max_length=1000, description="to be run, in order")
    checks: _Lines = Field(
        default_factory=list, max_length=1000, description="commands that tell whether it worked"
    )
    fallbacks: dict[str, str] = Field(
        default_factory=dict, description="a command to run where another one fails"
    )


class FinishWithChecks(Finish):
    checks: _Lines = Field(
        min_length=1, max_length=1000, description="commands that exit with 0 where it worked"
    )
    fallbacks: dict[str, str] = Field(
        default_factory=dict, description="a command to run where another one fails"
    )


class FinishWithBoth(FinishWithVerdict, FinishWithPlan):
    pass


def takes(agent: Agent, asked: Set[str] = frozenset()) -> type[Finish]:
    """What ``agent`` has to say at its end; ``asked`` are the parts of a plan that others take from it."""
    judges = agent.outputs.verdict or bool(agent.evidence.verdict)
    if agent.outputs.commands or "commands" in asked:
        return FinishWithBoth if judges else FinishWithPlan
    if "checks" in asked:
        return FinishWithChecks
    return FinishWithVerdict if judges else Finish


def report(given: Finish) -> AgentReport:
    return AgentReport(
        True,
        summary=" ".join(given.summary.split()),
        next_steps=tuple(given.next_steps),
        warnings=tuple(given.warnings),
        decisions=given.decisions,
        verdict=given.verdict if isinstance(given, FinishWithVerdict) else "",
        plan=_plan(given) if isinstance(given, FinishWithPlan | FinishWithChecks) else {},
        artifacts=tuple(given.artifacts),
    )


def _plan(given: FinishWithPlan | FinishWithChecks) -> dict[str, tuple[str, ...]]:
    fallbacks = tuple(f"{command} => {instead}" for command, instead in given.fallbacks.items())
    commands = tuple(given.commands) if isinstance(given, FinishWithPlan) else ()
    plan = {"commands": commands, "checks": tuple(given.checks), "fallbacks": fallbacks}
    return {part: entries for part, entries in plan.items() if entries}


def calls(asked: Iterable[Checked | ToolResult]) -> list[tuple[str, Finish]]:
    """The calls to finish among ``asked``, with their ids; one answer can hold several."""
    checked = (one for one in asked if isinstance(one, Checked))
    return [(one.use.id, one.given) for one in checked if isinstance(one.given, Finish)]


def why_not(call: AgentCall, made: AgentReport, results: Iterable[ToolResult]) -> str:
    """Why the agent has not finished, although it says so with ``made``; an empty string where it has.

    A verdict other than the one that is hoped for is honest work, not something to be put right.
    """
    if any(result.error for result in results):
        return "another call of the same turn failed"
    agent = call.agent
    asked = replace(agent, evidence=replace(agent.evidence, verdict=""))
    return missing(asked, call.worktree, call.output_folder, made)
