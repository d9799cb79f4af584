"""Between a planning agent and its backend. Light: what it needs is loaded only where a model is to plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from shared.model import Agent, Settings, Task
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.plans.asked import asked_for, planners

_WITHOUT_MODELS = ("command", "scripted")


def planned(call: AgentCall, run: Callable[[AgentCall], AgentReport]) -> AgentReport:
    """What ``run``, the agent's backend, makes of ``call``. Where a model is to plan commands, its plan is checked.

    A plan is served from the cache only for the very same text, question, model and commit, on the first try, and only
    after it was carried out to its end. One for a similar task is laid before the agent, which decides by itself.
    """
    asked = asked_for(call.agent, call.task.workflow)
    if not asked or not _by_model(call.agent, call.settings):
        return run(call)
    from workflow_manager.plans.serving import Serving

    return Serving(call, asked).report(run)


def carried_out(call: AgentCall, commands: Sequence[str], *, ok: bool) -> None:
    """The list that ``call.agent`` took from a planner has ended: well, so that its plan may be served, or not.

    Where one list fails, no plan of the workflow is trusted any more: a check tells as much of the commands before it.
    """
    source = call.agent.planned
    if source is None or call.memory is None:
        return
    for planner in planners(call.task.workflow):
        if _by_model(planner, call.settings) and (not ok or planner.name == source.agent):
            from workflow_manager.plans.serving import Serving

            own = replace(call, agent=planner, output_folder=call.output_folder.parent / planner.name)
            Serving(own, frozenset()).judge(ok, source.part, tuple(commands))


def distrust(memory: Path, task: Task) -> None:
    """What ``task`` came to did not hold after all, such as at its gate: the plans made for it are not served."""
    if any(agent.prompt for agent in planners(task.workflow)):
        from workflow_manager.plans.shelf import Shelf

        Shelf(memory).distrust(task)


def _by_model(agent: Agent, settings: Settings) -> bool:
    return bool(agent.prompt) and agent.executed_by(settings.backend) not in _WITHOUT_MODELS
