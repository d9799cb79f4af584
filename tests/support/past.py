"""Earlier runs, made up."""

from __future__ import annotations

from typing import Any

from orchestrator.estimates import Key
from orchestrator.history.past_runs import Execution, PastRun

BEGUN = 1_700_000_000.0


def execution(seconds: float, agent: str = "CODER", **fields: Any) -> Execution:
    """An agent of ``autodev``, for the task ``t``, unless ``fields`` say otherwise."""
    about = {"workflow": "autodev", "tier": "balanced", "backend": "scripted", "digest": ""}
    key = Key(agent=agent, **{name: fields.pop(name, default) for name, default in about.items()})
    rest: dict[str, Any] = {"task": "t", "attempt": 1, "ok": True, "slot": 0.0, "tokens": 0, "context": 0}
    return Execution(key=key, seconds=seconds, **({"work": seconds} | rest | fields))


def past_run(number: int, *executions: Execution, **fields: Any) -> PastRun:
    """One an hour."""
    workflows = tuple(dict.fromkeys(each.key.workflow for each in executions))
    waiting = {"start": 0.0, "needs": 0.0, "slot": 0.0, "gate": 0.0, "merge": 0.0, "rate_limit": 0.0}
    defaults: dict[str, Any] = {
        "run": f"20231114-{number:06}-abcd",
        "at": BEGUN + 3600 * number,
        "status": "succeeded",
        "workflows": workflows,
        "tasks": 1,
        "merged": 1,
        "seconds": sum(each.seconds for each in executions),
        "speedup": 1.0,
        "efficiency": 1.0,
        "waiting": waiting,
        "executions": executions,
    }
    return PastRun(**(defaults | fields))
