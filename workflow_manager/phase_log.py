"""What is to be said of each phase in its commit. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from shared.model import AgentName, Phase, Workflow


@dataclass(slots=True)
class _Entry:
    summaries: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    ran: list[AgentName] = field(default_factory=list)


class PhaseLog:
    """Of one task. Lines come in the workflow's order, whoever was faster."""

    def __init__(self, workflow: Workflow, unpaid: tuple[str, ...] = ()) -> None:
        self._entries = {phase.name: _Entry() for phase in workflow.phases}
        self._untold: dict[str, str] = {}  # skipped in phases that made no commit
        self._unpaid = unpaid  # phases that made no commit, whose cost is not told yet

    def started(self, phase: str, agent: AgentName) -> None:
        ran = self._entries[phase].ran
        if agent not in ran:
            ran.append(agent)

    def ended(self, phase: str, agent: AgentName, summary: str) -> None:
        self._entries[phase].summaries[agent] = summary

    def skipped(self, phase: str, agent: AgentName, reason: str) -> None:
        self._entries[phase].skipped[agent] = reason

    def ran(self, phase: str) -> tuple[AgentName, ...]:
        """Agents that were started, in that order."""
        return tuple(self._entries[phase].ran)

    def summaries(self, phase: Phase) -> tuple[tuple[str, str], ...]:
        """Agent and what it says it did; an agent that resolved a conflict comes after the phase's own."""
        found = self._entries[phase.name].summaries
        own = [str(agent.name) for agent in phase.agents]
        return tuple(
            (name, found[name]) for name in [*own, *sorted(found.keys() - set(own))] if name in found
        )

    def skips(self, phase: Phase) -> tuple[tuple[str, str], ...]:
        """Agent and why it did not run, those of earlier phases included that made no commit to tell it."""
        own = self._entries[phase.name].skipped
        mine = ((str(agent.name), own[agent.name]) for agent in phase.agents if agent.name in own)
        return (*self._untold.items(), *mine)

    def to_pay(self, phase: Phase) -> tuple[str, ...]:
        """Phases whose cost the commit of ``phase`` tells: its own, and earlier ones without a commit."""
        return (*self._unpaid, phase.name)

    def told(self, phase: Phase, *, committed: bool) -> None:
        """The phase is over, and its commit has said all that there was to say, if there is one."""
        self._untold = {} if committed else dict(self.skips(phase))
        self._unpaid = () if committed else self.to_pay(phase)


def unpaid(workflow: Workflow, committed: Collection[str], unchanged: Collection[str]) -> tuple[str, ...]:
    """Phases that earlier managers ended without a commit, whose cost the next commit is to tell."""
    waiting: tuple[str, ...] = ()
    for phase in workflow.phases:
        if phase.name in committed:
            waiting = ()
        elif phase.name in unchanged:
            waiting = (*waiting, phase.name)
    return waiting
