"""How long a scheduling decision takes: the two pure schedules and the pool, on a clock that is only counted."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from orchestrator.broker import Broker, Lease, Sizes
from orchestrator.estimates import Estimates
from orchestrator.plan import make_plan, remaining_paths
from orchestrator.schedule import BatchSchedule, Began, Integrate, Integrated, OpenTask, TaskOver
from shared.model import (
    Agent,
    AgentName,
    Need,
    Phase,
    Plan,
    Settings,
    Task,
    TaskId,
    TaskOutcome,
    TaskStatus,
    Workflow,
)
from shared.profiling import Timing, timed
from tests.benchmarks.measure import Figure
from workflow_manager.schedule import (
    Begin,
    Command,
    CommitPhase,
    Committed,
    Ended,
    Finish,
    Granted,
    StartAgent,
    TaskSchedule,
    WantSlot,
)

_AGENTS = 20  # a task
_SLOTS = 64


def _workflow(chance: Random) -> Workflow:
    """Five phases of four agents; each needs one or two of the phase before."""
    phases: list[Phase] = []
    for number in range(5):
        before = [agent.name for agent in phases[-1].agents] if phases else []
        agents = tuple(
            Agent(
                AgentName(f"A{number}_{place}"),
                needs=tuple(chance.sample(before, 2)) if before else (),
                writes=(f"part{number}_{place}/**",),
                estimate=chance.lognormvariate(0, 0.5),
            )
            for place in range(4)
        )
        phases.append(Phase(f"p{number}", agents))
    return Workflow("bench", tuple(phases))


def _plan(tasks: int) -> Plan:
    chance = Random(7)
    workflow = _workflow(chance)
    made = [
        Task(
            TaskId(f"t{n}"),
            f"Task {n}",
            workflow,
            needs=(Need(TaskId(f"t{n - 10}")),) if n >= 10 and n % 3 == 0 else (),
        )
        for n in range(tasks)
    ]
    return make_plan(made, Settings())


@dataclass(slots=True)
class Played:
    """A whole batch, played through: seconds of every decision."""

    plan: Plan
    seconds: list[float] = field(default_factory=list)
    _now: float = 0.0
    _ends: list[tuple[float, int, TaskId, AgentName]] = field(default_factory=list)

    def run(self) -> None:
        batch, broker = BatchSchedule(self.plan), Broker(Sizes(_SLOTS, _SLOTS, _SLOTS))
        estimates = Estimates()
        paths = {task.id: estimates.paths(task.workflow) for task in self.plan.tasks}
        after = remaining_paths(self.plan.tasks, {task: max(path.values()) for task, path in paths.items()})
        order = {task.id: place for place, task in enumerate(self.plan.tasks)}
        tasks: dict[TaskId, TaskSchedule] = {}
        count = 0

        def decide_batch(*events: object) -> None:
            with self._decision():
                commands = batch.step(events, 2 * _SLOTS)  # type: ignore[arg-type]
            for command in commands:
                if isinstance(command, OpenTask):
                    tasks[command.task.id] = TaskSchedule(command.task)
                    decide_task(command.task.id, Begin())
                elif isinstance(command, Integrate):
                    decide_batch(Integrated(command.task.id, TaskStatus.MERGED, ""))

        def decide_task(task: TaskId, event: object) -> None:
            with self._decision():
                commands: list[Command] = tasks[task].step(event)  # type: ignore[arg-type]
            for command in commands:
                self._carry_out(task, command, broker, paths, after, order, decide_task)
                if isinstance(command, Finish):
                    decide_batch(TaskOver(task, TaskOutcome.DONE, ""))

        decide_batch(Began())
        while True:
            with self._decision():
                granted = broker.grants()
            for lease in granted:
                decide_task(lease.task, Granted(lease.agent))
            if not self._ends:
                return
            self._now, _, task, agent = heapq.heappop(self._ends)
            broker.give_back(task, agent)
            count += 1
            decide_task(task, Ended(agent, True))

    def _carry_out(self, task, command, broker, paths, after, order, decide) -> None:  # type: ignore[no-untyped-def]
        if isinstance(command, WantSlot):
            name = command.agent.name
            with self._decision():
                broker.want(Lease(task, name, "model"), paths[task][name] + after[task], order[task])
        elif isinstance(command, StartAgent):
            end = self._now + (command.agent.estimate or 0.0)
            heapq.heappush(self._ends, (end, order[task], task, command.agent.name))
        elif isinstance(command, CommitPhase):
            decide(task, Committed(command.phase.name))

    def _decision(self) -> AbstractContextManager[Timing]:
        return timed("decision", record=lambda taken: self.seconds.append(taken.seconds))


def _sizes() -> Iterator[tuple[int, list[float]]]:
    for tasks in (125, 250, 500):
        played = Played(_plan(tasks))
        played.run()
        yield tasks, played.seconds


def deciding(_scratch: Path) -> Figure:
    """The mean decision of a batch of 10,000 agents in 500 tasks."""
    means: dict[int, float] = {}
    for tasks, seconds in _sizes():
        means[tasks] = statistics.fmean(seconds) * 1000
        worst = max(seconds) * 1000
        median = statistics.median(seconds) * 1000
    growth = means[500] / means[125]
    return Figure(
        "scheduling decision, 10,000 agents in 500 tasks",
        means[500],
        1.0,
        "ms",
        f"mean; median {median:.3f}, longest {worst:.1f} ms; {growth:.2f} × that of 2,500 agents",
    )
