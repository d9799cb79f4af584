"""Agents that another agent asks for while it works: leased like others, shown as ``PARENT/name``.

The parent's own slot is free while it waits, so that a run with a single slot does not stand still.
"""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.clock import Clock
from shared.messages import AgentStarted, FromManager, SlotReturned, SlotWanted
from shared.model import Agent, AgentName, Settings, SubAgent
from workflow_manager.agents import AgentDone, Agents, Seat, SpawnAsked
from workflow_manager.backends.port import AgentReport
from workflow_manager.schedule import StartAgent
from workflow_manager.task_files import TaskFiles

_STOPPED = AgentReport(False, reason="stopped", cancelled=True)


@dataclass(slots=True)
class _Group:
    """What one agent has asked for at once."""

    parent: StartAgent
    seat: Seat
    reply: queue.SimpleQueue[tuple[AgentReport, ...]]
    starts: dict[AgentName, StartAgent]  # in the order in which they were asked for
    wanted: set[AgentName]
    reports: dict[AgentName, AgentReport] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return len(self.reports) == len(self.starts)

    def answer(self) -> None:
        self.reply.put(tuple(self.reports[name] for name in self.starts))


class SubAgents:
    """Groups by their parents; used by the manager's main thread."""

    def __init__(
        self,
        agents: Agents,
        tasks: TaskFiles,
        settings: Settings,
        send: Callable[[FromManager], None],
        clock: Clock,
    ) -> None:
        self._agents, self._tasks, self._settings, self._send, self._clock = (
            agents,
            tasks,
            settings,
            send,
            clock,
        )
        self._groups: dict[AgentName, _Group] = {}
        # How often each name was asked for. A parent that goes on asks in the same order, so that numbers agree.
        self._asked: Counter[AgentName] = Counter()
        self._stopping = False

    def asked(self, ask: SpawnAsked, parent: StartAgent, seat: Seat) -> None:
        """Queue what ``parent`` asks for; its own slot goes back meanwhile."""
        names = [AgentName(f"{ask.parent}/{sub.name}") for sub in ask.agents]
        if self._stopping or not names:
            ask.reply.put(tuple(_STOPPED for _ in names))
            return
        if len(set(names)) < len(names):
            twice = AgentReport(False, reason="two sub-agents asked for at once have one name")
            ask.reply.put(tuple(twice for _ in names))
            return
        starts = {
            name: StartAgent(
                parent.phase, _as_agent(name, sub, parent.agent), 1, scratch=False, again=self._asked[name]
            )
            for name, sub in zip(names, ask.agents, strict=True)
        }
        self._asked.update(names)
        self._groups[ask.parent] = _Group(parent, seat.shared(), ask.reply, starts, set(names))
        self._agents.waits(ask.parent, True)
        self._send(SlotReturned(ask.parent))
        for start in starts.values():
            self._send(SlotWanted(start.agent.name, start.agent.slot_kind(self._settings.backend)))

    def granted(self, name: AgentName) -> bool:
        """A slot came for ``name``; returns whether it was one of these, or a parent that goes on."""
        group = self._groups.get(AgentName(name.partition("/")[0]))
        if group is None:
            return False
        if name == group.parent.agent.name:
            self._go_on(group)
        elif name in group.wanted:
            group.wanted.discard(name)
            self._start(group, group.starts[name])
        return True

    def _start(self, group: _Group, start: StartAgent) -> None:
        agent = start.agent
        kind = agent.slot_kind(self._settings.backend)
        self._tasks.started(agent.name, self._clock.now())
        self._send(AgentStarted(start.phase.name, agent.name, start.number, kind, agent.tier))
        self._agents.start(start, group.seat, agent.prompt)

    def ended(self, done: AgentDone) -> None:
        """A sub-agent is over; with the last one its parent wants its slot back."""
        name, report = done.start.agent.name, done.report
        group = self._groups[AgentName(name.partition("/")[0])]
        self._agents.ended(name)
        self._tasks.ended(done.start.agent, report, self._clock.now())
        self._send(SlotReturned(name))
        said = report.summary if report.ok else report.reason
        self._send(done.told(report, said))
        group.reports[name] = report
        if group.over and self._stopping:
            self._go_on(group)
        elif group.over:
            parent = group.parent.agent
            self._send(SlotWanted(parent.name, parent.slot_kind(self._settings.backend)))

    def _go_on(self, group: _Group) -> None:
        del self._groups[group.parent.agent.name]
        self._agents.waits(group.parent.agent.name, False)
        group.answer()

    def stop(self) -> None:
        """What has no slot yet gets none; parents go on, to their own end, when the rest has ended."""
        self._stopping = True
        for group in list(self._groups.values()):
            for name in group.wanted:
                self._send(SlotReturned(name))
                group.reports[name] = _STOPPED
            group.wanted.clear()
            if group.over:
                self._go_on(group)


def _as_agent(name: AgentName, sub: SubAgent, parent: Agent) -> Agent:
    return Agent(
        name=name,
        backend=sub.backend or ("command" if sub.run else parent.backend),
        run=sub.run,
        prompt=sub.prompt,
        script=sub.script,
        writes=parent.writes,
        tier=sub.tier,
        timeout=sub.timeout or parent.timeout,
        by_model=sub.by_model,
    )
