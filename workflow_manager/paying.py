"""A task's side of the gateway: tokens for its agents' calls, and what the gateway says these cost."""

from __future__ import annotations

from collections.abc import Iterable

from shared.callers import Caller, mint
from shared.model import Agent, AgentName, Assignment, Usage
from workflow_manager.backends.gateway_link import GatewayLink

_MANAGER = AgentName("@manager")


def token_for(assignment: Assignment, phase: str, agent: Agent, number: int) -> str:
    """What one execution of ``agent`` shows the gateway; empty where the run uses no models."""
    access = assignment.gateway
    if access is None:
        return ""
    return mint(access.secret, Caller(assignment.task.id, phase, agent.name, number, agent.tier))


def of_call(assignment: Assignment, token: str) -> Usage:
    """What a call has cost so far; nothing where the run uses no models."""
    access = assignment.gateway
    return GatewayLink(access, token).usage() if access is not None and token else Usage()


def of_phases(assignment: Assignment, phases: Iterable[str]) -> Usage:
    """What all agents of ``phases`` have cost, earlier tries and earlier sessions included."""
    access = assignment.gateway
    if access is None:
        return Usage()
    link = GatewayLink(access, mint(access.secret, Caller(assignment.task.id, "", _MANAGER)))
    return sum((link.usage(phase=phase) for phase in phases), Usage())
