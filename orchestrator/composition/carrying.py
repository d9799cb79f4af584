"""Carrying out a plan: a new run, or one that goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

from orchestrator.capacity import open_tasks, refuse_full_disk
from orchestrator.composition.forges import Opened
from orchestrator.composition.models import needed
from orchestrator.composition.outside import Found, held, look_around, open_again, pull_base
from orchestrator.composition.parts import local_forge
from orchestrator.composition.ready import Ready, refuse_unready
from orchestrator.composition.sessions import Ended, Session, carry_out, slots_of
from orchestrator.composition.unfinished import conflicting
from orchestrator.engine import Engine, Listener
from orchestrator.events import plan_fields
from orchestrator.executors.port import Executor
from orchestrator.going_on import Standing
from orchestrator.preparation import settle_branches
from orchestrator.runs import Place, new_run_id
from orchestrator.view import RunView
from orchestrator.waits import SILENT, Waits
from shared.clock import SystemClock
from shared.errors import UserError
from shared.files import replace_file
from shared.git.repository import (
    Repository,
    free_dead_locks,
    open_repository,
    read_ref,
    user_identity,
)
from shared.journal import FORMAT, Journal
from shared.lock import RepositoryLock
from shared.model import Identity, Oid, Plan, RunId, Spending, TaskStatus

_HANDED = "handed"  # in the folder of a run whose tasks ran elsewhere: the digest of its plan
Budgets = Mapping[Literal["budget", "task_budget"], Spending]


def start(
    ready: Ready,
    listener: Listener,
    *,
    executor: Executor,
    fresh: bool,
    go_on: bool,
    look: Callable[[], Standing] | None = None,
) -> Ended:
    """Carry out a plan as a new run. ``look`` finds out what is there of it already, in place of the forge."""
    place = ready.place
    clock = SystemClock()
    refuse_full_disk(ready.disk, min(open_tasks(ready.jobs), len(ready.plan.tasks)))
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(RepositoryLock(place.state))
        if (refusal := conflicting(place, ready.plan)) is not None:
            raise refusal
        run = new_run_id(clock.now())
        opened = ready.forge or Opened(local_forge(open_repository(place.git_dir)))
        asking = undo.enter_context(contextlib.ExitStack())
        if opened.github is not None:
            asking.enter_context(ready.waits.during("asking GitHub what is there already"))
        outside = undo.enter_context(held(opened, run, place, os.environ))
        found = look_around(outside, ready, fresh=fresh, go_on=go_on)
        if look is not None:
            found = Found(ready.plan, look())
        plan = found.plan
        repo = open_repository(place.git_dir)
        free_dead_locks(repo, plan.settings.into)
        settled = [task for task in plan.tasks if task.id not in found.standing.goes_on]
        notes = settle_branches(repo, tuple(settled), ready.base, fresh=fresh, go_on=go_on)
        target = pull_base(place, opened, plan.settings, ready.base, starting=not ready.handed)
        asking.close()
        place.create(run, plan)
        if ready.handed:
            replace_file(place.run_dir(run) / _HANDED, ready.handed)
        lock.announce(run)
        session = Session(
            lock=lock,
            place=place,
            plan=plan,
            run=run,
            base=ready.base,
            identity=ready.identity,
            journal=Journal(place.run_dir(run) / "journal.jsonl"),
            view=RunView(replaces=found.replaces, pulls_before=found.before),
            listener=listener,
            executor=executor,
            clock=clock,
            models=ready.models,
            opened=opened,
            outside=outside,
            pull_base=target.base,
            onto=ready.onto,
            taken=ready.taken,
        )
        started = {"format": FORMAT, "run": run, "base": ready.base, **plan_fields(plan), "jobs": ready.jobs}
        if outside is not None:
            started |= found.fields() | {"pull_base": target.base, "pull_base_tip": target.tip}
        elif found.standing.bases:
            started["bases"] = dict(found.standing.bases)
        if ready.onto is not None:
            started["hands_back"] = True
        if ready.handed:
            started["takes_in"] = True
        if ready.models and ready.models.replays:
            started["replays"] = ready.models.replays

        def begin(engine: Engine) -> None:
            engine.record("run.started", started, durable=True)
            for note in dict.fromkeys(
                [*opened.notes, *ready.notes, *notes, *found.standing.notes, *target.notes]
            ):
                engine.record("note", {"text": note})

        return carry_out(session, begin)


def resume(
    place: Place,
    run: RunId,
    listener: Listener,
    *,
    executor: Executor,
    retry: bool = False,
    keys: Mapping[str, str] | None = None,
    budgets: Budgets | None = None,
    onto: Oid | None = None,
    handed: str = "",
    identity: Identity | None = None,
    waits: Waits = SILENT,
) -> Ended:
    """Go on with a run from the last phase commit of each task; with ``retry``, integrate again what was left out.

    A finished one of which not all pull requests could be opened tries that again, and nothing else.

    ``keys`` are those that were taken out of the environment; ``budgets`` replace what may be spent in all. ``onto``
    and ``handed`` are as when it started; without the latter, a run whose tasks ran elsewhere is refused. ``identity``
    is the user's own where none is given.
    """
    clock = SystemClock()
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(RepositoryLock(place.state))
        lock.announce(run)
        plan, view = place.plan(run), place.view(run)
        if view.status not in ("running", "interrupted") and view.published and not retry:
            raise UserError(f"run {run} is finished ({view.status})", "look at it: spinney report")
        if handed_in(place, run) != handed and not _all_final(view):
            raise UserError(
                f"the tasks of run {run} ran as jobs elsewhere, and what they handed back is needed",
                "integrate the same again: spinney integrate --plan … …",
            )
        if view.hands_back and onto is None:
            raise UserError(
                f"run {run} is a job of a plan, and what it does from here on would not be handed back",
                "go on with it by the same command as before: spinney run-task --plan … --task … --out …",
            )
        # What is left of a finished run, or of one of which only the forge was not told all, needs no model.
        raised = _raised(view, budgets or {})
        limited = replace(plan, settings=replace(plan.settings, **raised))
        idle = bool(handed) or _all_final(view)  # no agent works here
        models = None if idle else needed(limited, place, keys or {}, view.replays)
        if not handed:
            refuse_unready(plan)
        opened = open_again(place, plan, keys or {}, waits)
        undo.callback(opened.close)
        outside = undo.enter_context(held(opened, run, place, os.environ))
        target = view.pull_base or pull_base(place, opened, plan.settings, Oid(view.base)).base
        repo = open_repository(place.git_dir)
        free_dead_locks(repo, plan.settings.into)
        session = Session(
            lock=lock,
            place=place,
            plan=plan,
            run=run,
            base=Oid(view.base),
            identity=identity or user_identity(place.checkout),
            journal=Journal(place.run_dir(run) / "journal.jsonl"),
            view=view,
            listener=listener,
            executor=executor,
            clock=clock,
            models=models,
            opened=opened,
            outside=outside,
            pull_base=target,
            onto=onto,
            taken=tuple((keys or {}).values()),
        )
        resumed: dict[str, Any] = {"jobs": slots_of(plan, executor).first.total}
        resumed |= {name: asdict(limit) for name, limit in raised.items()}

        def begin(engine: Engine) -> None:
            engine.record("run.resumed", resumed, durable=True)
            if retry:
                _offer_again(engine, repo, plan)

        return carry_out(session, begin)


def handed_in(place: Place, run: RunId) -> str:
    """The digest of the plan whose tasks ran elsewhere; empty for every other run."""
    file = place.run_dir(run) / _HANDED
    return file.read_text() if file.is_file() else ""


def _raised(view: RunView, budgets: Budgets) -> dict[str, Any]:
    """The budgets that are given, each beside what else limits the run or its tasks so far."""
    before = {
        "budget": Spending(*view.spending.budget),
        "task_budget": view.spending.task_budget or Spending(),
    }
    return {name: limit.over(before[name]) for name, limit in budgets.items()}


def _all_final(view: RunView) -> bool:
    return all(task.status.final for task in view.tasks.values())


def _offer_again(engine: Engine, repo: Repository, plan: Plan) -> None:
    """Put what did not make it into the merged result back into the queue, at its branch's present tip."""
    for task in plan.tasks:
        entry = engine.view.tasks[task.id]
        tip = read_ref(repo, f"refs/heads/{task.branch}")
        left_out = entry.status in (TaskStatus.CONFLICT, TaskStatus.UNMERGED)
        skipped = entry.status is TaskStatus.SKIPPED and bool(entry.commits)
        if tip is not None and (left_out or skipped):
            engine.record("task.reopened", {"task": task.id, "tip": tip})
