"""Whole workflows with scripted agents: durations scaled down, every figure a ratio to a bound of the same run."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from orchestrator.broker import Broker, Lease, Sizes
from orchestrator.estimates import Estimates
from shared import journal
from shared.model import Agent, AgentName, Phase, Step, Task, TaskId, Workflow
from shared.tokens import estimate
from tests.benchmarks.measure import SPINNEY, Figure, copy, environment, template, timed
from workflow_manager import workflows
from workflow_manager.context.note import pointer
from workflow_manager.schedule import (
    Begin,
    CommitPhase,
    Committed,
    Ended,
    Event,
    Granted,
    StartAgent,
    TaskSchedule,
    WantSlot,
)

# Of the longest path: real ones take minutes, and starting a program takes as long as ever.
_PATH_SECONDS = 20.0
_MINUTES, _SPREAD = 2.0, 0.5  # of an agent's time in seed 000, and how model calls vary: log-normal
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Made:
    """A workflow whose agents sleep as long as ``seconds`` says."""

    workflow: Workflow
    seconds: Mapping[AgentName, float]

    @property
    def path(self) -> float:
        """Seconds of its longest path."""
        ends: dict[AgentName, float] = {}
        for agent in self.workflow.agents:
            ends[agent.name] = self.seconds[agent.name] + max((ends[n] for n in agent.needs), default=0.0)
        return max(ends.values())

    @property
    def work(self) -> float:
        return sum(self.seconds.values())


def _full_app(seed: int, path_seconds: float = _PATH_SECONDS) -> _Made:
    """The preset with all of its agents, each of which takes about two minutes, scaled down."""
    preset, chance = workflows.find("full-app", Path()), Random(seed)
    drawn = {
        a.name: (a.estimate or 1.0) if a.run else _MINUTES * 60 * chance.lognormvariate(0, _SPREAD)
        for a in preset.agents
    }
    scale = path_seconds / _Made(preset, drawn).path
    seconds = {name: drawn[name] * scale for name in drawn}
    phases = tuple(
        Phase(phase.name, tuple(_sleeping(agent, seconds[agent.name]) for agent in phase.agents))
        for phase in preset.phases
    )
    return _Made(replace(preset, phases=phases, budget=0, name=f"full-app-{seed}"), seconds)


def _sleeping(agent: Agent, seconds: float) -> Agent:
    """Works for ``seconds``, then leaves a file where it may write."""
    place = (agent.writes or ("work",))[0].removesuffix("/**")
    steps = (
        Step("sleep", seconds=seconds),
        Step("write", f"{place}/{agent.name.lower()}-{{task}}.md", "by {agent} for {title}\n"),
    )
    return replace(
        agent, backend="scripted", run="", prompt="", script=steps, estimate=seconds, outputs=replace(agent.outputs, files=(), decisions=(), verdict=False), evidence=replace(agent.evidence, verdict="")
    )  # fmt: skip


def _run(scratch: Path, made: list[_Made], slots: int) -> tuple[float, list[journal.Record]]:
    """Wall seconds of a batch with a task for each, and its journal."""
    repository = copy(scratch / "template-200", scratch / "run")
    lines = ["version: 1", "backend: scripted", "pull_requests: none", "tasks:"]
    for number, one in enumerate(made):
        (repository / f"w{number}.yaml").write_text(workflows.to_yaml(one.workflow))
        lines.append(f"  - {{id: t{number}, title: Task {number}, workflow: w{number}.yaml}}")
    batch = scratch / "batch.yaml"
    batch.write_text("\n".join(lines) + "\n")
    argv = [SPINNEY, "run", str(batch), "-q", "--jobs", str(slots), "--all-agents"]
    seconds = timed(argv, repository, environment(scratch))
    (folder,) = (repository / ".git/spinney/runs").iterdir()
    return seconds, journal.read(folder / "journal.jsonl")


def _measured(scratch: Path, tasks: int, slots: int) -> tuple[float, str]:
    """The median ratio of wall time to the lower bound, with its parts."""
    template(scratch, 200)
    ratios, details = [], []
    for round_ in range(_ROUNDS):
        made = [_full_app(round_ * 100 + number) for number in range(tasks)]
        bound = max(max(one.path for one in made), sum(one.work for one in made) / slots)
        made = [_scaled(one, _PATH_SECONDS / bound) for one in made] if bound > 2 * _PATH_SECONDS else made
        bound = max(max(one.path for one in made), sum(one.work for one in made) / slots)
        seconds, _ = _run(scratch, made, slots)
        free, barriers = simulated(made, slots), _with_barriers(made, slots)
        ratios.append(seconds / bound)
        details.append((seconds, bound, free / bound, barriers / bound))
    seconds, bound, free, barriers = (statistics.median(column) for column in zip(*details, strict=True))
    beside = f"simulated without overhead {free:.2f} ×, with phase barriers {barriers:.2f} ×"
    return statistics.median(ratios), f"{seconds:.1f} s against {bound:.1f} s; {beside}"


def _scaled(made: _Made, by: float) -> _Made:
    seconds = {name: value * by for name, value in made.seconds.items()}
    phases = tuple(
        Phase(phase.name, tuple(_sleeping(agent, seconds[agent.name]) for agent in phase.agents))
        for phase in made.workflow.phases
    )
    return _Made(replace(made.workflow, phases=phases), seconds)


def simulated(made: list[_Made], slots: int) -> float:
    """Seconds that our own schedules and pool need where starting, committing and telling cost nothing."""
    broker, estimates = Broker(Sizes(slots, slots, slots)), Estimates()
    schedules = {
        TaskId(f"t{n}"): TaskSchedule(Task(TaskId(f"t{n}"), "", one.workflow), all_agents=True)
        for n, one in enumerate(made)
    }
    paths = [estimates.paths(one.workflow) for one in made]
    ends: list[tuple[float, TaskId, AgentName]] = []
    now = 0.0

    def step(task: TaskId, event: Event) -> None:
        place = int(task[1:])
        for command in schedules[task].step(event):
            if isinstance(command, WantSlot):
                name = command.agent.name
                broker.want(Lease(task, name, "model"), paths[place][name], place)
            elif isinstance(command, StartAgent):
                heapq.heappush(
                    ends, (now + made[place].seconds[command.agent.name], task, command.agent.name)
                )
            elif isinstance(command, CommitPhase):
                step(task, Committed(command.phase.name))

    for task in schedules:
        step(task, Begin())
    while True:
        for lease in broker.grants():
            step(lease.task, Granted(lease.agent))
        if not ends:
            return now
        now, task, agent = heapq.heappop(ends)
        broker.give_back(task, agent)
        step(task, Ended(agent, True))


def _with_barriers(made: list[_Made], slots: int) -> float:
    """Seconds of seed 000's schedule: each task's agents in levels, a level begins when the one before has ended.

    Simulated, with slots that cost nothing; agents of all tasks wait in one queue, the longest first.
    """
    levels = [_levels(one) for one in made]
    waiting: list[tuple[float, int]] = []
    left = [0] * len(made)
    free, now = slots, 0.0
    ends: list[tuple[float, int]] = []

    def release(task: int) -> None:
        if levels[task]:
            level = levels[task].pop(0)
            left[task] = len(level)
            for seconds in level:
                heapq.heappush(waiting, (-seconds, task))

    for task in range(len(made)):
        release(task)
    while waiting or ends:
        while waiting and free:
            seconds, task = heapq.heappop(waiting)
            heapq.heappush(ends, (now - seconds, task))
            free -= 1
        now, task = heapq.heappop(ends)
        free += 1
        left[task] -= 1
        if not left[task]:
            release(task)
    return now


def _levels(made: _Made) -> list[list[float]]:
    depth: dict[AgentName, int] = {}
    found: list[list[float]] = []
    for agent in made.workflow.agents:
        depth[agent.name] = 1 + max((depth[need] for need in agent.needs), default=-1)
        while len(found) <= depth[agent.name]:
            found.append([])
        found[depth[agent.name]].append(made.seconds[agent.name])
    return found


def unlimited(scratch: Path) -> Figure:
    ratio, detail = _measured(scratch, 1, 64)
    return Figure(
        "`full-app`, all agents, unlimited slots, against its longest path", ratio, 1.05, detail=detail
    )


def eight_slots(scratch: Path) -> Figure:
    ratio, detail = _measured(scratch, 1, 8)
    return Figure("`full-app`, all agents, 8 slots, against the lower bound", ratio, 1.15, detail=detail)


def eight_tasks(scratch: Path) -> Figure:
    ratio, detail = _measured(scratch, 8, 32)
    return Figure("eight `full-app` at once, 32 slots, against the lower bound", ratio, 1.20, detail=detail)


def overhead(scratch: Path) -> Figure:
    """From an agent's slot being wanted to the next one's, less what the backend took: a chain of 30 agents."""
    template(scratch, 200)
    seconds = {AgentName(f"A{number:02}"): 0.1 for number in range(30)}
    agents = [
        _sleeping(Agent(name, needs=(AgentName(f"A{n - 1:02}"),) if n else (), writes=(f"p{n}/**",)), 0.1)
        for n, name in enumerate(seconds)
    ]
    made = _Made(Workflow("chain", (Phase("all", tuple(agents)),)), seconds)
    _, records = _run(scratch, [made], 4)
    started = [r["started"] for r in records if r["event"] == "agent.ended"]
    took = [r["seconds"] for r in records if r["event"] == "agent.ended"]
    gaps = [b - a - spent for a, b, spent in zip(started, started[1:], took, strict=False)]
    return Figure(
        "engine overhead per agent call, beyond the backend's own time",
        statistics.median(gaps) * 1000,
        30,
        "ms",
        f"{len(gaps)} calls, the longest {max(gaps) * 1000:.0f} ms",
    )


def pointer_tokens(_scratch: Path) -> Figure:
    """The largest pointer of any agent of any preset."""
    found = {
        f"{name}/{agent.name}": estimate(pointer(agent))
        for name in workflows.preset_names()
        for agent in workflows.find(name, Path()).agents
    }
    largest = max(found, key=found.__getitem__)
    return Figure(
        "context pointer of every agent of every preset",
        found[largest],
        99,
        "tokens",
        f"{len(found)} agents; {largest} has the longest, the median is {statistics.median(found.values()):.0f}",
    )


# Tokens of what each agent reports: as much as an agent that was told to be brief says of a feature.
_REPORTS = {
    "RESEARCHER_LOCAL": 250, "RESEARCHER_WEB": 200, "PLANNER": 300, "TEST_MASTER": 200, "IMPLEMENTER": 200,
    "REVIEWER": 120, "SECURITY_AUDITOR": 120, "DOC_MASTER": 80,
}  # fmt: skip


def feature_context(scratch: Path) -> Figure:
    """Tokens of context that all agents of `autodev` are given for one feature."""
    template(scratch, 200)
    preset = workflows.find("autodev", Path())
    phases = tuple(
        Phase(phase.name, tuple(_reporting(agent) for agent in phase.agents)) for phase in preset.phases
    )
    _, records = _run(scratch, [_Made(replace(preset, phases=phases), {})], 4)
    given = {r["agent"]: r["tokens"] for r in records if r["event"] == "context.given" and not r["refused"]}
    assert len(given) == len(preset.agents), given
    return Figure(
        "context of all eight agents of `autodev` for a feature",
        sum(given.values()),
        8000,
        "tokens",
        ", ".join(f"{name} {tokens}" for name, tokens in given.items()),
    )


def _reporting(agent: Agent) -> Agent:
    """Leaves what it must, and a report of ordinary length."""
    sentence = "The login form checks the address in `auth/forms.py` and its tests are in `tests/auth`. "
    report = (sentence * 40)[: _REPORTS[agent.name] * 4]
    steps = [
        Step("write", f"{agent.name.lower()}.md", "x\n") if agent.writes is None else Step("say", text="x"),
        Step("output", text=report),
        Step("verdict", text="approve"),
    ]
    if agent.writes:
        steps.append(Step("write", "docs/new.md", "x\n"))
    steps += [Step("decide", key, "the smallest change that works") for key in agent.outputs.decisions]
    return replace(agent, script=tuple(steps))


ALL: dict[str, Callable[[Path], Figure]] = {
    "unlimited": unlimited,
    "eight-slots": eight_slots,
    "eight-tasks": eight_tasks,
    "overhead": overhead,
    "pointer": pointer_tokens,
    "feature-context": feature_context,
}
