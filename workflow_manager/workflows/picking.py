"""One phase of a workflow as a workflow of its own. Pure."""

from __future__ import annotations

from dataclasses import replace

from shared.model import Agent, Phase, Workflow


def only_phase(workflow: Workflow, name: str) -> Workflow | None:
    """``workflow`` with its phase ``name`` alone; None where it has none, or where that lives on other phases.

    What its agents need of agents in other phases falls away: these are not there to be waited for, nor to be read.
    """
    phase = next((phase for phase in workflow.phases if phase.name == name and phase.agents), None)
    if phase is None:
        return None
    inside = frozenset(agent.name for agent in phase.agents)
    if any(agent.planned is not None and agent.planned.agent not in inside for agent in phase.agents):
        return None
    agents = tuple(_alone(agent, inside) for agent in phase.agents)
    return replace(workflow, phases=(Phase(phase.name, agents, phase.summary),))


def _alone(agent: Agent, inside: frozenset[str]) -> Agent:
    known = inside | {"task", "events"}
    return replace(
        agent,
        needs=tuple(need for need in agent.needs if need in inside),
        context=tuple(part for part in agent.context if part.source in known),
    )
