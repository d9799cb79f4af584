"""Which parts of a plan an agent has to leave. Pure."""

from __future__ import annotations

from shared.model import Agent, Workflow


def asked_for(agent: Agent, workflow: Workflow) -> frozenset[str]:
    """``commands`` where it declares them, and what other agents of the workflow take from it."""
    taken = (other.planned for other in workflow.agents if other.planned)
    parts = {str(planned.part) for planned in taken if planned.agent == agent.name}
    return frozenset(parts | ({"commands"} if agent.outputs.commands else set()))


def planners(workflow: Workflow) -> tuple[Agent, ...]:
    """The agents that plan what others carry out."""
    return tuple(agent for agent in workflow.agents if asked_for(agent, workflow))
