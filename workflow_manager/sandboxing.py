"""Which agents are shut into a sandbox. Pure.

By default those that a model drives, those whose task strangers may have written, and commands that a model
made up. Commands that the user wrote are not, unless ``sandbox: on`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.model import Agent, Plan, Settings, Task

_NO_MODEL = ("command", "scripted")


def model_driven(agent: Agent, settings: Settings) -> bool:
    return agent.executed_by(settings.backend) not in _NO_MODEL


def needs_sandbox(task: Task, settings: Settings, agent: Agent) -> str:
    """Why ``agent`` is not to be trusted with what the user may do; empty where it is."""
    if model_driven(agent, settings):
        return "a model drives it"
    if task.foreign:
        return "strangers may have written its task"
    if agent.by_model:
        return "its commands are the words of a model"
    author = _author(task, agent)
    while author is not None:
        if model_driven(author, settings):
            return f"its commands are the words of {author.name}, which a model drives"
        author = _author(task, author)
    return ""


def sandboxed(task: Task, settings: Settings, agent: Agent) -> bool:
    """Whether ``agent`` is shut in. With ``sandbox: off`` those that need it are, too: only
    ``unsafe_no_sandbox`` lets them out, and a run that asks for less is refused before it starts."""
    if settings.unsafe_no_sandbox:
        return False
    return settings.sandbox == "on" or bool(needs_sandbox(task, settings, agent))


def gate_is_shut_in(plan: Plan) -> bool:
    """Whether the gate runs in a sandbox: by itself where an agent of ``plan`` does, whose work it executes."""
    settings = plan.settings
    if settings.gate_sandbox != "auto" or settings.unsafe_no_sandbox:
        return settings.gate_sandbox == "on" and not settings.unsafe_no_sandbox
    return any(sandboxed(task, settings, agent) for task in plan.tasks for agent in everyone(task))


def _author(task: Task, agent: Agent) -> Agent | None:
    """Whose words the commands of ``agent`` are, where that is another agent, whose own may be another's again."""
    name = agent.planned.agent if agent.planned else agent.name.partition("/")[0]
    return next((other for other in everyone(task) if other.name == name and name != agent.name), None)


def everyone(task: Task) -> Iterator[Agent]:
    """The agents of ``task`` and the one that resolves its conflicts."""
    yield from task.workflow.agents
    if task.workflow.resolve is not None:
        yield task.workflow.resolve
