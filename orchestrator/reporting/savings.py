"""Requests to models that were not made, because something simpler knew the answer. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orchestrator.view import RunView

# What backends count (``workflow_manager.recovery`` and ``plans``), and what it is called in a report.
_SAVING = {
    "recovery-by-pattern": "failed commands brought past by a common cause",
    "recovery-from-memory": "failed commands brought past by what helped before",
    "plan-from-cache": "plans served again",
}
_ASKING = {
    "recovery-by-model": "failed commands that a model brought past",
    "recovery-failed": "not brought past",
}


def _counted(view: RunView) -> Counter[str]:
    total: Counter[str] = Counter()
    for agent in view.agents:
        total.update(agent.counts)
    return total


def model_calls_saved(view: RunView) -> int:
    """At least one request each: a model would have been asked about the failure, or for the plan."""
    total = _counted(view)
    return sum(total[kind] for kind in _SAVING)


def savings(view: RunView) -> Iterator[str]:
    """A line a kind of which there was any."""
    total = _counted(view)
    if saved := sum(total[kind] for kind in _SAVING):
        yield f"{'calls saved':<18} {saved}"
    for kind, text in {**_SAVING, **_ASKING}.items():
        if total[kind]:
            yield f"{'':<18} {total[kind]} {text}"
