"""The gateway between agents and a scripted server, and agents that work through it: all real, on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.gateway.answers import Answers, Recorder
from orchestrator.gateway.gateway import Gateway, upstream
from orchestrator.gateway.rules.breaker import Breaker
from shared.callers import Caller, mint
from shared.clock import SystemClock
from shared.model import AgentName, ModelSettings, RunId, Spending, TaskId
from shared.retry import Policy
from tests.support.model_agent import Desk, desk_in
from workflow_manager.backends.gateway_link import GatewayLink
from workflow_manager.backends.port import AgentReport

NO_LIMIT = Spending()
QUICK = Policy(tries=4, first=0.05, longest=0.2)


@dataclass(slots=True)
class Through:
    """A gateway that works, and what it told."""

    gateway: Gateway
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [fields for event, fields in self.told if event == name]

    def link(self, task: str, agent: str = "CODER") -> GatewayLink:
        caller = called(task, agent)
        access = self.gateway.access(caller.task)
        return GatewayLink(access, mint(access.secret, caller))

    def work(self, root: Path, task: str, *, cancel: Callable[[Desk], None] | None = None) -> AgentReport:
        """An agent of the ``anthropic`` backend works on ``task`` in ``root/worktree``. Its prompt names the task."""
        from workflow_manager.backends import registry

        root.mkdir(parents=True, exist_ok=True)
        access = self.gateway.access(TaskId(task))
        with desk_in(root) as desk:
            (root / "prompt.md").write_text(f"Do {task}.\n")
            if cancel is not None:
                cancel(desk)
            token = mint(access.secret, called(task))
            return registry.make("anthropic").run(desk.call(gateway=access, token=token))

    def work_at_once(self, root: Path, tasks: list[str]) -> dict[str, AgentReport]:
        with ThreadPoolExecutor(len(tasks)) as pool:
            return dict(zip(tasks, pool.map(lambda task: self.work(root / task, task), tasks), strict=True))


def called(task: str, agent: str = "CODER") -> Caller:
    return Caller(TaskId(task), "work", AgentName(agent))


@contextmanager
def through(
    url: str,
    key: str,
    *,
    answers: Answers | None = None,
    recorder: Recorder | None = None,
    breaker: Breaker | None = None,
    budget: Spending = NO_LIMIT,
    task_budgets: Mapping[TaskId, Spending] | None = None,
    policy: Policy = QUICK,
    **settings: Any,
) -> Iterator[Through]:
    """A gateway to the server at ``url``, or to ``answers``; it tries again and probes within fractions of a second."""
    chosen = ModelSettings(base_url=url, **settings)
    told: list[tuple[str, dict[str, Any]]] = []
    gateway = Gateway(
        run=RunId("r"),
        settings=chosen,
        answers=answers or upstream(chosen, key),
        recorder=recorder,
        budget=budget,
        task_budgets=task_budgets or {},
        spent=(),
        tell=lambda event, fields: told.append((event, fields)),
        clock=SystemClock(),
        breaker=breaker or Breaker(threshold=3, interval=0.2, longest=0.4),
        policy=policy,
    )
    gateway.start()
    try:
        yield Through(gateway, told)
    finally:
        gateway.close()
