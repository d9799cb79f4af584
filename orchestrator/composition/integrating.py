"""Bringing back what jobs handed in, as the ordinary run that it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.capacity import measure_disk
from orchestrator.composition.carrying import handed_in, resume, start
from orchestrator.composition.forges import Opened
from orchestrator.composition.issues import Intake
from orchestrator.composition.ready import Ready
from orchestrator.composition.sessions import Ended
from orchestrator.composition.task_jobs import agents_at_once, refuse_without_base
from orchestrator.composition.unfinished import unfinished_runs
from orchestrator.engine import Listener
from orchestrator.executors.bundles import BundleExecutor
from orchestrator.fan_out.handed import Handed, find
from orchestrator.fan_out.plan_file import PlanFile
from orchestrator.intake.standing import Terms
from orchestrator.publishing import marker
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.clock import SystemClock
from shared.errors import SpinneyError, UserError
from shared.forge.port import PullRequest, PullState, Sought
from shared.git.repository import (
    Repository,
    open_repository,
    read_ref,
    refuse_unfit,
    user_identity,
)
from shared.model import Plan, Settings, TaskId
from workflow_manager.holding import refuse_without_sandbox


def integrate(
    place: Place,
    file: PlanFile,
    folders: Sequence[Path],
    overrides: Mapping[str, Any],
    keys: Mapping[str, str],
    listener: Listener,
    *,
    fresh: bool = False,
    go_on: bool = False,
    waits: Waits = SILENT,
) -> Ended:
    """Merge, gate and publish what the jobs of a plan handed back, as ``run`` would have."""
    repo = open_repository(place.git_dir)
    refuse_without_base(repo, file)
    plan = replace(file.plan, settings=_settings(file.plan.settings, overrides))
    _refuse_unknown_target(repo, plan.settings)
    _refuse_gate_without_sandbox(plan)
    handed = {task.id: find(folders, task.id) for task in plan.tasks}
    executor = BundleExecutor(
        handed, digest=file.digest, made=file.made, clock=SystemClock(), identity=file.identity
    )
    earlier = next((run for run in unfinished_runs(place) if handed_in(place, run) == file.digest), None)
    if earlier is not None:
        return resume(place, earlier, listener, executor=executor, keys=keys, handed=file.digest, waits=waits)
    intake = Intake(place, keys, Terms(), waits)
    with contextlib.closing(intake):
        opened = intake.open_for(plan)
        pulls = _pulls(opened, plan, handed) if opened.github is not None else {}
        fresh, go_on = fresh or file.fresh, go_on or file.go_on
        if not (fresh or go_on):
            _refuse_part_of_it(pulls, handed)
        ready = Ready(
            place=place,
            plan=plan,
            base=file.base,
            identity=user_identity(place.checkout),
            disk=measure_disk(str(place.git_dir), file.base, place.worktrees),
            notes=tuple(refuse_unfit(repo, file.base)),
            jobs=agents_at_once(plan),
            handed=file.digest,
            forge=opened,
            pulls=pulls,
            waits=waits,
        )
        return start(ready, listener, executor=executor, fresh=fresh, go_on=go_on)


def _pulls(
    opened: Opened, plan: Plan, handed: Mapping[TaskId, Sequence[Handed]]
) -> dict[TaskId, PullRequest]:
    """Those that earlier runs opened for the plan's tasks.

    Not those of this very work: an integration that was cut off has opened them, and they are brought up to date.
    """
    tasks = {marker(task.id): task for task in plan.tasks}
    sought = [Sought(task.branch, mark) for mark, task in tasks.items()]
    found = {tasks[mark].id: pull for mark, pull in opened.forge.find(sought).items()}
    return {task: pull for task, pull in found.items() if not _is_this(pull, handed[task])}


def _refuse_part_of_it(
    pulls: Mapping[TaskId, PullRequest], handed: Mapping[TaskId, Sequence[Handed]]
) -> None:
    """Where more is brought in later, what was brought in before must be there, or it would be told as failed."""
    for task, pull in pulls.items():
        if pull.state is PullState.OPEN and len(handed[task]) != 1:
            what = "is there more than once" if handed[task] else "is not there"
            raise UserError(
                f"{task} has pull request #{pull.number}, which is open, and what its job handed back {what}",
                "name the folder of each job of the plan once, also of those that were integrated before",
                "--continue or --fresh integrate without it, and count it as failed",
            )


def _is_this(pull: PullRequest, handed: Sequence[Handed]) -> bool:
    """Whether an open pull request stands where the job's branch does, as the job says; that is looked at later."""
    if pull.state is not PullState.OPEN or len(handed) != 1:
        return False
    with contextlib.suppress(SpinneyError):
        return handed[0].read().tip == pull.tip
    return False


def _settings(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """With a gate that is shut in, unless the user says otherwise: it executes what anybody may have handed back."""
    given = {key: value for key, value in overrides.items() if value is not None}
    settings = replace(settings, **given)
    if settings.gate and settings.sandbox_commands == "auto" and not settings.unsafe_no_sandbox:
        settings = replace(settings, sandbox_commands="on")
    return settings


def _refuse_gate_without_sandbox(plan: Plan) -> None:
    if not plan.settings.gate:
        return  # then nothing that came back is executed here
    try:
        refuse_without_sandbox(plan, "", os.environ)
    except UserError as error:
        raise UserError(
            f"the gate executes what jobs handed back, and is shut into a sandbox here: {error.message}",
            *error.hints,
            "or plan with `sandbox_commands: off` in spinney.yaml, where every job is to be trusted",
        ) from None


def _refuse_unknown_target(repo: Repository, settings: Settings) -> None:
    if settings.into and read_ref(repo, f"refs/heads/{settings.into}") is None:
        raise UserError(
            f"there is no branch {settings.into!r} to merge into", f"make it: git branch {settings.into}"
        )
