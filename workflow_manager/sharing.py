"""Which agents may share a worktree: those that never write the same path at the same time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

from shared.globs import first_overlap
from shared.model import Agent, AgentName


def needing_scratch(agents: tuple[Agent, ...]) -> frozenset[AgentName]:
    """Agents that could write the same paths at the same time, so that each gets a worktree of its own."""
    before = ancestors(agents)
    found: set[AgentName] = {agent.name for agent in agents if agent.isolation == "scratch"}
    for i, a in enumerate(agents):
        for b in agents[i + 1 :]:
            ordered = a.name in before[b.name] or b.name in before[a.name]
            if not ordered and may_collide(a, b):
                found.update(agent.name for agent in (a, b) if agent.isolation == "auto")
    return frozenset(found)


def may_collide(a: Agent, b: Agent) -> bool:
    """Whether two agents may write the same path."""
    if a.writes == () or b.writes == ():
        return False
    if a.writes is None or b.writes is None:
        return True
    return first_overlap(a.writes, b.writes) is not None


def ancestors(agents: Iterable[Agent]) -> Mapping[AgentName, frozenset[AgentName]]:
    """Everything each agent waits for, directly or not, among ``agents``. They hold no cycle."""
    needs = {agent.name: agent.needs for agent in agents}
    inside = {name: [need for need in needs[name] if need in needs] for name in needs}
    found: dict[AgentName, frozenset[AgentName]] = {}
    for name in TopologicalSorter(inside).static_order():
        found[name] = frozenset(inside[name]).union(*(found[need] for need in inside[name]))
    return found
