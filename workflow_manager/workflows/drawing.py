"""Workflows as graphs, for Graphviz and for Mermaid. Pure.

Edges are needs, without those that others imply: forty agents stay readable. Who runs only under a condition
is dashed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter

from shared.model import Agent, AgentName, Phase, Tier, When, Workflow

_COLOURS: Mapping[Tier, str] = {"fast": "#d9f2e6", "balanced": "#fff2cc", "deep": "#f8d7da"}
_ENGINE = "by the engine"  # what a phase without agents is


def to_dot(workflow: Workflow) -> str:
    """The graph in Graphviz' language."""
    lines = [
        f"digraph {_quoted(workflow.name)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
        '  graph [style=rounded, color="#999999", fontname="sans-serif"];',
    ]
    for number, phase in enumerate(workflow.phases, 1):
        lines.append(f"  subgraph cluster_{number} {{")
        lines.append(f"    label={_quoted(f'{number} {phase.name}')};")
        lines += [f"    {_dot_node(agent)}" for agent in phase.agents]
        if not phase.agents:
            lines.append(f"    engine_{number} [label={_quoted(_ENGINE)}, style=rounded];")
        lines.append("  }")
    lines += [f"  {_quoted(need)} -> {_quoted(agent)};" for need, agent in _edges(workflow)]
    return "\n".join([*lines, "}", ""])


def _dot_node(agent: Agent) -> str:
    style = ', style="rounded,filled,dashed"' if agent.when != When() else ""
    label = _quoted(f"{agent.name}\\n{agent.tier}")
    return f'{_quoted(agent.name)} [label={label}, fillcolor="{_COLOURS[agent.tier]}"{style}];'


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def to_mermaid(workflow: Workflow) -> str:
    """The graph as a Mermaid flowchart. Ids have a prefix: some words cannot be ids there."""
    lines = ["flowchart LR"]
    for number, phase in enumerate(workflow.phases, 1):
        lines.append(f'  subgraph phase_{number}["{number} {phase.name}"]')
        lines += [f"    {node}" for node in _mermaid_nodes(number, phase)]
        lines.append("  end")
    lines += [f"  agent_{need} --> agent_{agent}" for need, agent in _edges(workflow)]
    for tier, colour in _COLOURS.items():
        if names := [f"agent_{agent.name}" for agent in workflow.agents if agent.tier == tier]:
            lines += [f"  classDef {tier} fill:{colour},stroke:#666,color:#222"]
            lines += [f"  class {','.join(names)} {tier}"]
    if names := [f"agent_{agent.name}" for agent in workflow.agents if agent.when != When()]:
        lines += ["  classDef conditional stroke-dasharray:5", f"  class {','.join(names)} conditional"]
    return "\n".join([*lines, ""])


def _mermaid_nodes(number: int, phase: Phase) -> Iterator[str]:
    for agent in phase.agents:
        yield f'agent_{agent.name}["{agent.name}<br/>{agent.tier}"]'
    if not phase.agents:
        yield f'engine_{number}(["{_ENGINE}"])'


def _edges(workflow: Workflow) -> Iterator[tuple[AgentName, AgentName]]:
    """Each need that no other need of the same agent implies, with the agent."""
    needs = {agent.name: agent.needs for agent in workflow.agents}
    upstream: dict[AgentName, frozenset[AgentName]] = {}
    for name in TopologicalSorter(needs).static_order():
        upstream[name] = frozenset(needs[name]).union(*(upstream[need] for need in needs[name]))
    for name in needs:
        for need in dict.fromkeys(needs[name]):
            if not any(need in upstream[other] for other in needs[name]):
                yield need, name
