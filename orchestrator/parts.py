"""What the engine is composed of, and what it hands to a manager."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.estimates import Estimates
from orchestrator.executors.port import Executor
from orchestrator.guard import Guard
from orchestrator.integration import Integrator
from orchestrator.preparation import Preparation, Prepared
from orchestrator.publishing.delivery import Elsewhere
from orchestrator.sizing import Load, Range
from orchestrator.view import TaskView
from shared.clock import Clock
from shared.forge.port import Forge
from shared.journal import Journal
from shared.model import AgentName, Assignment, Containment, Identity, Plan, RepositoryFacts, Task

if TYPE_CHECKING:
    from orchestrator.gateway.gateway import Gateway  # costs an HTTP library


@dataclass(slots=True)
class Parts:
    """What the engine is composed of."""

    plan: Plan
    facts: RepositoryFacts
    identity: Identity
    containment: Containment
    environment: dict[str, str]
    generation: int
    executor: Executor
    preparation: Preparation
    integrator: Integrator
    guard: Guard
    forge: Forge
    journal: Journal
    clock: Clock
    slots: Range
    measure: Callable[[], Load]
    estimates: Estimates
    open_tasks: int
    preparers: int  # worktrees made at a time
    port_start: int
    pull_base: str
    secrets: tuple[str, ...] = ()  # digests of values that may not be committed
    shut_in: bool = False  # whether an agent of the plan is
    gateway: Gateway | None = None  # where agents ask models
    elsewhere: Elsewhere | None = None  # where the forge is not this repository

    def assignment(
        self, task: Task, prepared: Prepared, attempt: int, ports: int, seen: TaskView
    ) -> Assignment:
        """All that the task's manager needs, as plain data; ``ports`` is the number of its range."""
        held, worktree = self.containment, prepared.worktree
        own = {agent.name for agent in task.workflow.agents}
        return Assignment(
            run=self.integrator.run,
            task=task,
            attempt=attempt,
            generation=self.generation,
            facts=self.facts,
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=prepared.base,
            identity=self.identity,
            settings=self.plan.settings,
            containment=replace(held, writable=(*held.writable, worktree.path, worktree.admin_dir)),
            environment=tuple(self.environment.items()),
            port_base=self.port_start + ports * self.plan.settings.ports,
            resumed=prepared.resumed,
            tainted=self.shut_in and prepared.base != self.integrator.base,
            unchanged_phases=tuple(seen.unchanged_phases),
            failed_tries=tuple(
                (AgentName(name), number, why)
                for (name, number), why in seen.failed_tries.items()
                if name in own
            ),
            timeouts=self.estimates.timeouts(task, self.plan.settings),
            gateway=self.gateway.access(task.id) if self.gateway is not None else None,
            secrets=self.secrets,
        )
