"""The command that does a task of an issue again, where there is one. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from orchestrator.publishing.markdown import code
from shared.model import Oid, Plan, Task

_LONGEST = 1000  # characters
_DECIDE = ("backend", "profile", "sandbox", "gate", "pull_requests")  # what is done, and how it is checked


def options(workflow: str, overrides: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Those that were given on the command line and decide what a run does; None where they mean nothing elsewhere."""
    if workflow.startswith(("/", "~", "../")):
        return None
    words = ["--workflow", workflow] if workflow else []
    for name in _DECIDE:
        if given := overrides.get(name):
            words += [f"--{name.replace('_', '-')}", str(given)]
    return (*words, *(["--all-agents"] if overrides.get("all_agents") else []))


def command(task: Task, plan: Plan, base: Oid, repository: str) -> str:
    """From the same commit, with what the task needs; empty where that cannot be said in a command.

    That is so where a task is from no issue, in a round of fixes, and for plans of which the command is not known.
    """
    tasks = [one for one in plan.tasks if one.id in _with_needs(task, plan)]
    if plan.asked is None or any(one.issue is None or one.answers for one in tasks):
        return ""
    issues = [_reference(one, repository) for one in tasks]
    text = shlex.join(["spinney", "run", *issues, "--base", base[:10], *plan.asked, "--fresh"])
    return text if len(text) <= _LONGEST and text in code(text) else ""


def _with_needs(task: Task, plan: Plan) -> set[str]:
    found, rest = set[str](), [task]
    while rest:
        one = rest.pop()
        if one.id not in found:
            found.add(one.id)
            rest += [plan.task(need.task) for need in one.needs]
    return found


def _reference(task: Task, repository: str) -> str:
    assert task.issue is not None
    same = task.issue.repository.lower() == repository.lower()
    return f"{'' if same else task.issue.repository}#{task.issue.number}"
