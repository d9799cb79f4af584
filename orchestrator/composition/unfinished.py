"""Runs that were cut off here: their tasks are gone on with or given up before others may have them."""

from __future__ import annotations

from orchestrator.runs import Place
from shared.errors import UserError
from shared.model import Plan, RunId


def unfinished_runs(place: Place) -> list[RunId]:
    """Runs that were interrupted or killed, oldest first."""
    return [run for run in place.runs() if place.status(run) in ("running", "interrupted")]


def conflicting(place: Place, plan: Plan) -> UserError | None:
    """What there is to say where tasks of ``plan`` belong to a run that can still be resumed."""
    for run in unfinished_runs(place):
        open_ids = {task.id for task in place.view(run).tasks.values() if not task.status.final}
        shared_ids = sorted(open_ids & {task.id for task in plan.tasks})
        if shared_ids:
            return UserError(
                f"run {run} is not finished and has: {', '.join(shared_ids)}",
                f"go on with it: spinney resume --run {run}",
                f"or give it up, keeping its branches: spinney clean --run {run}",
            )
    return None
