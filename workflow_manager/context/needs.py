"""What an agent needs of a task's context, and what it does not, by the workflow's graph. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.model import Agent, AgentName, Component, Workflow

Graph = Mapping[AgentName, Sequence[AgentName]]  # an agent's needs


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a task's context an agent needs, by the graph."""

    wanted: tuple[Component, ...]
    sources: tuple[AgentName, ...] = ()  # what it builds on: its needs, without those that were skipped
    incorporated: tuple[AgentName, ...] = ()  # upstream of those
    elsewhere: tuple[AgentName, ...] = ()  # neither up- nor downstream


def choose(
    workflow: Workflow,
    agent: Agent,
    skipped: Callable[[AgentName], bool],
    decided: Callable[[AgentName], bool],
) -> Choice:
    """What ``agent`` needs: what it asks for, or else its needs' outputs and the nearest decisions.

    A skipped agent is stood in for by its own needs. The task's text belongs to it until an agent with a prompt
    has taken it up; from then on that agent's output says what is to be done. For an agent outside the workflow's
    order (one that resolves a conflict) nothing is elsewhere.
    """
    needs = {one.name: one.needs for one in workflow.agents} | {agent.name: agent.needs}
    order = {one.name: place for place, one in enumerate(workflow.agents)}
    sources = _sorted(_nearest(agent.needs, needs, lambda name: not skipped(name)), order)
    above = _closure(agent.needs, needs)
    below = _closure([agent.name], _reversed(needs))
    wanted = agent.context
    if not wanted:
        prompted = {one.name for one in workflow.agents if one.prompt and not skipped(one.name)}
        deciders = _sorted(_nearest(agent.needs, needs, decided), order)
        wanted = (
            *(() if prompted & above else (Component("task"),)),
            *(Component(name) for name in sources),
            *(Component(name, "decisions") for name in deciders),
        )
    read = {component.source for component in wanted}
    there = [name for name in order if not skipped(name)]
    others = there if agent.name in order else []
    return Choice(
        wanted,
        sources,
        tuple(name for name in there if name in above and name not in read),
        tuple(name for name in others if name not in above and name not in below and name not in read),
    )


def _nearest(
    names: Iterable[AgentName],
    needs: Graph,
    wanted: Callable[[AgentName], bool],
) -> set[AgentName]:
    """Upwards from ``names``, the first on each way that are ``wanted``."""
    found: set[AgentName] = set()
    seen: set[AgentName] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if wanted(name):
            found.add(name)
        else:
            waiting.extend(needs.get(name, ()))
    return found


def _closure(names: Iterable[AgentName], graph: Graph) -> set[AgentName]:
    """``names`` and everything that the graph leads to from there."""
    seen: set[AgentName] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(graph.get(name, ()))
    return seen


def _reversed(graph: Graph) -> Graph:
    found: dict[AgentName, list[AgentName]] = {}
    for name, needs in graph.items():
        for need in needs:
            found.setdefault(need, []).append(name)
    return found


def _sorted(names: Iterable[AgentName], order: Mapping[AgentName, int]) -> tuple[AgentName, ...]:
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))
