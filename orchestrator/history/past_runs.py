"""What is kept of a run for the time after it: the run itself, and each execution of an agent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.estimates import Key, Sample, key_of
from orchestrator.reporting.metrics import metrics
from orchestrator.view import AgentView, RunView
from shared.model import Agent, AgentName, Plan, Task, TaskStatus


@dataclass(frozen=True, slots=True)
class Execution:
    """One agent, from its start to an end of its own; what was stopped or lost is not kept."""

    key: Key
    task: str
    attempt: int
    ok: bool
    seconds: float  # from its start to its end
    work: float  # without the time of agents that it asked for
    slot: float  # seconds that it waited for slots
    tokens: int
    context: int  # tokens


@dataclass(frozen=True, slots=True)
class PastRun:
    run: str
    at: float  # seconds since the epoch, its beginning
    status: str
    workflows: tuple[str, ...]
    tasks: int
    merged: int
    seconds: float
    speedup: float
    efficiency: float
    waiting: Mapping[str, float]  # seconds by cause
    executions: tuple[Execution, ...]


def samples(runs: Iterable[PastRun]) -> Iterator[Sample]:
    """For estimates: every execution, oldest first."""
    for run in runs:
        for execution in run.executions:
            yield Sample(execution.key, execution.seconds, execution.ok)


def past_run(view: RunView, plan: Plan) -> PastRun:
    """What is kept of a run that has ended."""
    figures = metrics(view, view.ended or 0.0)
    workflows = dict.fromkeys(task.workflow.name for task in plan.tasks)
    return PastRun(
        run=view.id,
        at=view.started,
        status=view.status,
        workflows=tuple(workflows),
        tasks=len(view.tasks),
        merged=sum(task.status is TaskStatus.MERGED for task in view.tasks.values()),
        seconds=figures["total_time_seconds"],
        speedup=figures["speedup"],
        efficiency=figures["parallel_efficiency"],
        waiting=figures["waiting"],
        executions=tuple(_executions(view, plan)),
    )


def _executions(view: RunView, plan: Plan) -> Iterator[Execution]:
    for task in plan.tasks:
        agents = {agent.name: agent for agent in _agents(task)}
        contexts = view.tasks[task.id].contexts
        for entry in view.tasks[task.id].agents:
            if entry.own_end:
                context = contexts[entry.name].tokens if entry.name in contexts else 0
                yield _execution(entry, _key(task, entry, agents, plan.settings.backend), context)


def _agents(task: Task) -> Iterator[Agent]:
    yield from task.workflow.agents
    if task.workflow.resolve is not None:
        yield task.workflow.resolve


def _key(task: Task, entry: AgentView, agents: Mapping[AgentName, Agent], backend: str) -> Key:
    """Of an agent that the workflow does not know, such as one that another asked for, what the journal says."""
    agent = agents.get(AgentName(entry.name))
    if agent is not None:
        return key_of(task.workflow.name, agent, backend)
    return Key(task.workflow.name, entry.name, entry.tier, "")


def _execution(entry: AgentView, key: Key, context: int) -> Execution:
    return Execution(
        key=key,
        task=entry.task,
        attempt=entry.attempt,
        ok=entry.ok,
        seconds=round(entry.seconds, 3),
        work=round(entry.work, 3),
        slot=round(entry.slot_seconds, 3),
        tokens=entry.input_tokens + entry.output_tokens,
        context=context,
    )
