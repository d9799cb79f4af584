"""Which agents are shut into a sandbox. Pure.

By default those that a model drives, those whose task strangers may have written, and commands that a model
made up. Commands that the user wrote are where they execute what those wrote: the gate, evidence, ``run`` agents
behind them, set-up on their commits. ``sandbox_commands`` says otherwise for all of these.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.model import Agent, AgentName, Plan, Settings, Task
from workflow_manager.sharing import ancestors

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


def sandboxed(task: Task, settings: Settings, agent: Agent, *, tainted: bool = False) -> bool:
    """Whether ``agent`` is shut in. With ``sandbox: off`` those that need it are, too: only
    ``unsafe_no_sandbox`` lets them out, and a run that asks for less is refused before it starts.

    ``tainted`` says of the base of ``task`` what it does in an assignment.
    """
    if settings.unsafe_no_sandbox:
        return False
    if settings.sandbox == "on" or needs_sandbox(task, settings, agent):
        return True
    return is_command(agent, settings) and _where_asked(
        settings, stands_on_work(task, settings, agent, tainted)
    )


def only_for_what_it_executes(task: Task, settings: Settings, agent: Agent) -> bool:
    """Whether ``agent``, who is shut in, would not be with ``sandbox_commands: off``."""
    return settings.sandbox != "on" and not needs_sandbox(task, settings, agent)


def is_command(agent: Agent, settings: Settings) -> bool:
    """Whether ``agent`` is a command in so many words. Not ``agent_command``: it thinks, and so needs its network."""
    told = bool(agent.run or agent.commands or agent.planned)
    return told and agent.executed_by(settings.backend) == "command"


def stands_on_work(task: Task, settings: Settings, agent: Agent, tainted: bool) -> bool:
    """Whether what lies in the worktree of ``agent`` may come from agents who are shut in.

    All that do not wait for it can have worked there before: in earlier phases, in its own, or as a resolver.
    """
    if tainted:
        return True
    name = AgentName(agent.name.partition("/")[0])
    waits_for = ancestors(task.workflow.agents)
    others = [other for other in _until(task, name) if name not in waits_for.get(other.name, ())]
    return any(needs_sandbox(task, settings, other) for other in others if other.name != name)


def _until(task: Task, name: AgentName) -> Iterator[Agent]:
    """The agents of all phases up to that of the agent called ``name``, and who resolves conflicts."""
    for phase in task.workflow.phases:
        yield from phase.agents
        if any(agent.name == name for agent in phase.agents):
            break
    if task.workflow.resolve is not None:
        yield task.workflow.resolve


def set_up_is_shut_in(task: Task, settings: Settings, *, tainted: bool, worked: bool) -> bool:
    """Whether set-up, which the user wrote and which mostly needs the network, is shut in.

    Only where the worktree does not stand on what the user wrote: ``worked`` says whether agents of the task have
    been there.
    """
    stands = tainted or (worked and _any_needs(task, settings))
    return _asked(settings) or _where_asked(settings, stands)


def evidence_is_shut_in(task: Task, settings: Settings, *, tainted: bool) -> bool:
    """Whether the evidence of ``task`` is, which executes what all its agents wrote; strangers' always."""
    foreign = task.foreign and not settings.unsafe_no_sandbox
    return foreign or _asked(settings) or _where_asked(settings, tainted or _any_needs(task, settings))


def gate_is_shut_in(plan: Plan) -> bool:
    """Whether the gate runs in a sandbox: by itself where an agent of ``plan`` does, whose work it executes."""
    return _where_asked(plan.settings, anybody_is_shut_in(plan))


def anybody_is_shut_in(plan: Plan) -> bool:
    return any(sandboxed(task, plan.settings, agent) for task in plan.tasks for agent in everyone(task))


def _any_needs(task: Task, settings: Settings) -> bool:
    return any(needs_sandbox(task, settings, agent) for agent in everyone(task))


def _asked(settings: Settings) -> bool:
    """Whether ``sandbox: on`` shuts all in; what is said of commands goes before it."""
    return settings.sandbox == "on" and settings.sandbox_commands == "auto" and not settings.unsafe_no_sandbox


def _where_asked(settings: Settings, by_itself: bool) -> bool:
    """What ``sandbox_commands`` says of a command that is shut in ``by_itself`` or not."""
    if settings.unsafe_no_sandbox:
        return False
    return by_itself if settings.sandbox_commands == "auto" else settings.sandbox_commands == "on"


def _author(task: Task, agent: Agent) -> Agent | None:
    """Whose words the commands of ``agent`` are, where that is another agent, whose own may be another's again."""
    name = agent.planned.agent if agent.planned else agent.name.partition("/")[0]
    return next((other for other in everyone(task) if other.name == name and name != agent.name), None)


def everyone(task: Task) -> Iterator[Agent]:
    """The agents of ``task`` and the one that resolves its conflicts."""
    yield from task.workflow.agents
    if task.workflow.resolve is not None:
        yield task.workflow.resolve
