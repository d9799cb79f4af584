"""Figures of a run, all measured. Pure.

An agent's time is the time it worked itself: while it waits for agents that it asked for, theirs counts and
its own does not, so nothing is counted twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.reporting.critical_path import critical_path
from orchestrator.reporting.savings import model_calls_saved
from orchestrator.reporting.waiting import slot_waits, waiting
from orchestrator.view import AgentView, RunView
from orchestrator.view.spans import most_at_once


def metrics(view: RunView, now: float) -> dict[str, Any]:
    """The ``metrics`` object of ``--json``; seconds, ratios, tokens."""
    agents = [agent for agent in view.agents if agent.ended is not None]
    total = view.elapsed(now)
    sequential = sum(agent.work for agent in agents) + sum(seconds for _, seconds, _ in view.gates)
    speedup = sequential / total if total > 0 else 0.0
    slots = usable_slots(view, now)
    given, saved = context_tokens(view)
    total_bill = view.spending.total
    return {
        "total_time_seconds": round(total, 3),
        "sequential_time_seconds": round(sequential, 3),
        "speedup": round(speedup, 3),
        "parallel_efficiency": round(speedup / slots, 3),
        "overhead_seconds": round(max(0.0, total - longest_chain(agents)), 3),
        "agent_times": _times(agents, lambda agent: agent.name),
        "token_usage": _tokens(agents),
        "cache_hit_rate": round(saved / (given + saved), 3) if given + saved else 0.0,
        "slots": slots,
        "phase_times": _times(agents, lambda agent: agent.phase),
        "task_times": _times(agents, lambda agent: agent.task),
        "waiting": {cause: round(seconds, 3) for cause, seconds in asdict(waiting(view, now)).items()},
        "critical_path": [
            {**asdict(step), "seconds": round(step.seconds, 3), "waited": round(step.waited, 3)}
            for step in critical_path(view, now)
        ],
        "cost_usd": round(total_bill.usd or sum((agent.cost_usd for agent in agents), 0.0), 6),
        "models": {
            model: {
                "calls": one.calls,
                "input": one.read,
                "cached": one.cached,
                "output": one.written,
                "cost_usd": None if one.unpriced else round(one.usd, 6),
            }
            for model, one in sorted(view.spending.by_model.items())
        },
        "model_calls_saved": model_calls_saved(view),
        "context_tokens": {"given": given, "saved": saved},
        "skipped": dict(skips(view).most_common()),
        "retried": retried(view),
    }


def _times(agents: Iterable[AgentView], key: Callable[[AgentView], str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for agent in agents:
        found[key(agent)] = found.get(key(agent), 0.0) + agent.work
    return {name: round(seconds, 3) for name, seconds in found.items()}


def _tokens(agents: Iterable[AgentView]) -> dict[str, int]:
    """By agent, of those that spent any."""
    found: dict[str, int] = {}
    for agent in agents:
        if spent := agent.input_tokens + agent.output_tokens:
            found[agent.name] = found.get(agent.name, 0) + spent
    return found


def context_tokens(view: RunView) -> tuple[int, int]:
    """Tokens of context that agents were given, and that were saved: known to them already, or compressed."""
    contexts = [context for task in view.tasks.values() for context in task.contexts.values()]
    return sum(context.tokens for context in contexts), sum(context.saved for context in contexts)


def skips(view: RunView) -> Counter[str]:
    """How many agents were skipped, by reason."""
    return Counter(reason for task in view.tasks.values() for _, reason in task.skipped_agents)


def retried(view: RunView) -> int:
    """Executions of agents beyond the first of each; what an agent asks for may well have one name twice."""
    runs = [(agent.task, agent.name) for agent in view.agents if not agent.parent]
    return len(runs) - len(set(runs))


def usable_slots(view: RunView, now: float) -> int:
    """How many slots could have been used: those of the pool at its largest, but no more than were asked for.

    What was asked for is the most that agents and gates worked or waited for a slot at one moment. A gate may
    have a slot beyond those of the agents; so it is never less than what was in fact used at once.
    """
    until = now if view.ended is None else view.ended
    gates = [(g.started, g.started + g.seconds) for g in view.gate_runs if g.ended is not None]
    worked = [span for agent in view.agents for span in agent.worked] + gates
    waits = [span for task in view.tasks.values() for span in slot_waits(task, until)]
    pool = max((pool.total for pool in view.pools), default=view.jobs)
    return max(1, most_at_once(worked), min(pool, most_at_once(worked + waits)))


def longest_chain(agents: Sequence[AgentView]) -> float:
    """Seconds of the longest chain of agents that ran one after another, through the schedule as run.

    The agents that one asked for lie within its own time, so that they lengthen no chain.
    """
    spans = sorted((agent.started + agent.seconds, agent.started, agent.seconds) for agent in agents)
    ends = [end for end, _, _ in spans]
    best = [0.0]
    for index, (_, start, seconds) in enumerate(spans):
        before = bisect_right(ends, start + 0.002, 0, index)  # clocks of two processes differ a little
        best.append(max(best[-1], best[before] + seconds))
    return best[-1]
