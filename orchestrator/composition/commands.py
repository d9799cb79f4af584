"""What a plan's lists of commands would run at the same time, as plain data for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.model import Agent, Plan, Task
from workflow_manager.commands.batches import Command, in_batches


def command_lists(plan: Plan, worktrees: Path) -> list[dict[str, Any]]:
    """Each agent with a list of commands, its batches and why; one with planned commands has none yet.

    ``worktrees`` is the folder in which the tasks will work. Raises UserError for a list that is too long.
    """
    return [
        {"task": str(task.id), "agent": str(agent.name), **_shown(task, agent, worktrees)}
        for task in plan.tasks
        for agent in task.workflow.agents
        if agent.commands or agent.planned
    ]


def _shown(task: Task, agent: Agent, worktrees: Path) -> dict[str, Any]:
    if agent.planned:
        known = f"known when {agent.planned.agent} has planned them"
        return {"planned": {"agent": str(agent.planned.agent), "part": agent.planned.part}, "note": known}
    batches = in_batches(agent.commands, str(worktrees / task.id))
    return {
        "commands": [_command(command) for command in batches.commands],
        "batches": [[command.number for command in batch] for batch in batches.batches],
    }


def _command(command: Command) -> dict[str, Any]:
    return {
        "number": command.number,
        "command": command.text,
        "batch": command.batch or None,  # none: it only changes the shell of those after it
        "rest": bool(command.rest),  # it and all after it run in one shell
        "after": [{"number": need.command, "reason": need.reason} for need in command.needs],
    }
