"""What an agent's process gets as its environment. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.model import Agent, Assignment

# Git's own variables would send an agent's git to the user's repository; ours are not the user's.
_DROPPED = {"PYTHONSAFEPATH", "SPINNEY_NO_BUBBLEWRAP", "VIRTUAL_ENV_PROMPT"}
_GIT_KEPT = {
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_SSH_COMMAND",
}


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's environment without what would mislead an agent."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _DROPPED and (not name.startswith("GIT_") or name in _GIT_KEPT)
    }


def for_task(assignment: Assignment) -> dict[str, str]:
    """For set-up, agents and evidence of a task."""
    task = assignment.task
    return {
        **dict(assignment.environment),
        "SPINNEY_RUN": assignment.run,
        "SPINNEY_TASK": task.id,
        "SPINNEY_TITLE": task.title,
        "SPINNEY_BRANCH": task.branch,
        "SPINNEY_BASE": assignment.base,
        "SPINNEY_WORKTREE": assignment.worktree,
        "SPINNEY_TASKS_DIR": f"{assignment.worktree}/.tasks",
        "SPINNEY_ATTEMPT": str(assignment.attempt),
        "SPINNEY_PORT_BASE": str(assignment.port_base),
        "SPINNEY_PORT_COUNT": str(assignment.settings.ports),
        # Housekeeping of an agent's git would run into the other tasks.
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "gc.auto",
        "GIT_CONFIG_VALUE_0": "0",
        "GIT_CONFIG_KEY_1": "maintenance.auto",
        "GIT_CONFIG_VALUE_1": "false",
    }


def for_agent(
    assignment: Assignment, phase: str, agent: Agent, prompt_file: str, directory: str
) -> dict[str, str]:
    return {
        **for_task(assignment),
        "SPINNEY_PHASE": phase,
        "SPINNEY_AGENT": agent.name,
        "SPINNEY_TIER": agent.tier,
        "SPINNEY_PROMPT": prompt_file,
        "SPINNEY_WORKTREE": directory,
        "PWD": directory,
    }
