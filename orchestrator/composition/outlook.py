"""Before a run: which agents of each task would run by what is known now, and how long that may take.

The run may find otherwise: an agent may decide the layers, and the diff may be of another kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.composition.ready import Ready
from orchestrator.estimates import Basis, Estimates
from orchestrator.history import FILE, History
from orchestrator.plan import remaining_paths
from shared.model import Agent, AgentName, Plan, Task, TaskId
from workflow_manager.selection import Facts, foreseen, unwanted


@dataclass(frozen=True, slots=True)
class TaskOutlook:
    agents: tuple[AgentName, ...]  # that would run, in the workflow's order
    skipped: Mapping[AgentName, str]  # why they would not
    why: tuple[str, ...]  # what all these reasons come to; empty where none is skipped
    seconds: float  # of the longest path of its agents
    work: float  # seconds of all of them


@dataclass(frozen=True, slots=True)
class Outlook:
    tasks: Mapping[TaskId, TaskOutlook]
    path: float  # seconds of the longest path through the tasks
    work: float  # seconds of all agents
    jobs: int  # slots
    basis: Mapping[Basis, int]  # agents by what their time is estimated by

    @property
    def known(self) -> bool:
        """Whether the time of any agent goes by more than its kind and tier."""
        return any(self.basis[basis] for basis in self.basis if basis != "guess")

    @property
    def seconds(self) -> float:
        """The least that the agents can take: gate, merging and set-up come on top."""
        return max(self.path, self.work / self.jobs)


def outlook(ready: Ready) -> Outlook:
    """By this repository's history, where it has any."""
    earlier = History.load(ready.place.state / FILE)
    return foresee(ready.plan, Estimates(earlier.samples(), ready.plan.settings.backend), ready.jobs)


def foresee(plan: Plan, estimates: Estimates, jobs: int) -> Outlook:
    """Pure."""
    tasks = {task.id: _task(task, estimates, all_agents=plan.settings.all_agents) for task in plan.tasks}
    own = {task_id: found.seconds for task_id, found in tasks.items()}
    after = remaining_paths(plan.tasks, own)
    return Outlook(
        tasks=tasks,
        path=max((own[task] + after[task] for task in own), default=0.0),
        work=sum(found.work for found in tasks.values()),
        jobs=jobs,
        basis=Counter(
            estimates.basis(task.workflow.name, agent)
            for task in plan.tasks
            for agent in _running(task, tasks[task.id].skipped)
        ),
    )


def _task(task: Task, estimates: Estimates, *, all_agents: bool) -> TaskOutlook:
    facts, skipped = foreseen(task)
    if all_agents:
        skipped = {}
    running = _running(task, skipped)
    return TaskOutlook(
        agents=tuple(agent.name for agent in running),
        skipped=skipped,
        why=tuple(dict.fromkeys(_reasons(task, facts, skipped))),
        seconds=estimates.length(task.workflow, skipped),
        work=sum(estimates.seconds(task.workflow.name, agent) for agent in running),
    )


def _running(task: Task, skipped: Mapping[AgentName, str]) -> list[Agent]:
    return [agent for agent in task.workflow.agents if agent.name not in skipped]


def _reasons(task: Task, facts: Facts, skipped: Mapping[AgentName, str]) -> Iterator[str]:
    """One for all agents that are skipped by the same fact."""
    for agent in task.workflow.agents:
        if agent.name not in skipped:
            continue
        if reason := unwanted(agent.when, task, None):
            yield reason
        elif agent.when.changes and facts.change not in agent.when.changes:
            yield f"a {facts.change} change ({facts.change_from})"
        else:
            yield _layers(task, facts)


def _layers(task: Task, facts: Facts) -> str:
    names = ", ".join(sorted(facts.layers)) or "none"
    deciding = [agent.name for agent in task.workflow.agents if "layers" in agent.outputs.decisions]
    unless = f"; {' or '.join(deciding)} may decide otherwise" if deciding else ""
    return f"layers {names} ({facts.layers_from}{unless})"
