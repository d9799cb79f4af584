"""Runs that were cut off here: their tasks are gone on with or given up before others may have them."""

from __future__ import annotations

from orchestrator.runs import Place
from orchestrator.view import RunView
from shared.errors import UserError
from shared.model import Plan, RunId


def unfinished_runs(place: Place) -> list[RunId]:
    """Runs that were interrupted or killed, oldest first."""
    return [run for run in place.runs() if place.status(run) in ("running", "interrupted")]


def command_for(view: RunView) -> str:
    """The command for it, with the run where that can be named."""
    return view.goes_on_by + ("" if view.takes_in or view.hands_back else f" --run {view.id}")


def conflicting(place: Place, plan: Plan) -> UserError | None:
    """What there is to say where tasks of ``plan`` belong to a run that can still be resumed."""
    for run in unfinished_runs(place):
        view = place.view(run)
        open_ids = {task.id for task in view.tasks.values() if not task.status.final}
        shared_ids = sorted(open_ids & {task.id for task in plan.tasks})
        if shared_ids:
            return UserError(
                f"run {run} is not finished and has: {', '.join(shared_ids)}",
                f"go on with it: {command_for(view)}",
                f"or give it up, keeping its branches: spinney clean --run {run}",
            )
    return None
