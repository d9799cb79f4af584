"""Pull requests by hand: where they are, and merging one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.composition.forges import Opened, open_forge
from orchestrator.composition.parts import hold, local_forge
from orchestrator.gate import Gate
from orchestrator.intake.reader import configured
from orchestrator.integration import land
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.errors import SpinneyError, StateError, UserError
from shared.forge.port import PullRequest, PullState
from shared.git.merges import Merger
from shared.git.repository import (
    open_repository,
    read_ref,
    resolve_commit,
    user_identity,
)
from shared.lock import RepositoryLock
from shared.model import ForgeName, Oid, Plan, RunId, Settings
from workflow_manager.environment import inherited
from workflow_manager.sandboxing import gate_is_shut_in

_LATEST = 20  # runs that are looked through


def open_pulls(
    place: Place, forge: ForgeName | None, keys: Mapping[str, str], waits: Waits = SILENT
) -> Opened:
    """Where pull requests are: ``forge``, else what spinney.yaml says. ``keys`` were taken out of the environment."""
    settings = configured(place.checkout)
    return open_forge(place, replace(settings, forge=forge) if forge else settings, keys, waits=waits)


def run_on_github(place: Place) -> RunId | None:
    """The latest run that opened pull requests, where these are on GitHub; rounds of ``follow`` open none."""
    for run in place.runs()[: -_LATEST - 1 : -1]:
        with contextlib.suppress(StateError):
            view = place.view(run)
            pulls = [pull for pull in (view.pull, *(task.pull for task in view.tasks.values())) if pull]
            if pulls:
                return run if any(url.startswith("http") for _, url in pulls) else None
    return None


def merge_on_github(place: Place, opened: Opened, number: int) -> str:
    """Merge a pull request there as it is now, by the configured method; what happened, in words.

    GitHub's own rules are its gate.
    """
    assert opened.github is not None
    pull = opened.forge.get(number)
    if pull.state is not PullState.OPEN:
        raise UserError(f"pull request #{number} is {pull.state} already")
    return opened.github.watched.land(number, pull.tip, "now", configured(place.checkout).github.method)


def merge_pull(place: Place, number: int) -> tuple[PullRequest, Oid]:
    """Merge a pull request of the local forge into its base, through the gate. Raises SpinneyError."""
    with RepositoryLock(place.state), contextlib.ExitStack() as undo:
        repo = open_repository(place.git_dir)
        forge = local_forge(repo)
        pull = forge.get(number)
        if pull.state is not PullState.OPEN:
            raise UserError(f"pull request #{number} is {pull.state} already")
        run, plan = _made_by(place, pull)
        tip = read_ref(repo, f"refs/heads/{pull.head}") or pull.tip
        gate = Gate(
            place.facts(run),
            run,
            plan.settings,
            hold(place),
            inherited(os.environ),
            lambda event, fields: None,
            base=resolve_commit(repo, pull.base),
            shut_in=gate_is_shut_in(plan),
        )
        undo.callback(gate.close)
        merger = undo.enter_context(Merger(str(place.git_dir)))
        message = f"Merge pull request #{number}: {pull.title}\n"
        landed = land(repo, merger, gate, pull.base, tip, message, user_identity(place.checkout))
        if isinstance(landed, SpinneyError):
            raise landed
        return forge.merged(number, landed), landed


def _made_by(place: Place, pull: PullRequest) -> tuple[RunId, Plan]:
    """The latest run that made this pull request, and its plan, gate included."""
    for run in reversed(place.runs()):
        plan = place.plan(run)
        if any(task.branch == pull.head for task in plan.tasks) or pull.head.endswith(f"/{run}"):
            return run, plan
    return RunId("pull"), Plan((), Settings(), (), ())
