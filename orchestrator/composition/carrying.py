"""Carrying out a plan: a new run, or one that goes on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Any, Literal

from orchestrator.capacity import measure_load, open_tasks, refuse_full_disk, sizes
from orchestrator.composition.models import Models, distrust_plans, needed, open_gateway, secret_values
from orchestrator.composition.parts import current_branch, hold, local_forge, port_start
from orchestrator.composition.ready import Ready, chosen_profile, refuse_unready
from orchestrator.engine import Engine, Listener
from orchestrator.estimates import Estimates
from orchestrator.events import plan_fields
from orchestrator.executors.port import Executor
from orchestrator.gate import Gate
from orchestrator.guard import Guard
from orchestrator.history import FILE, History, record
from orchestrator.integration import Integrator
from orchestrator.parts import Parts
from orchestrator.preparation import Preparation, settle_branches
from orchestrator.reporting.report import to_json
from orchestrator.runs import Place, new_run_id
from orchestrator.sizing import Range
from orchestrator.view import RunView
from shared.clock import Clock, SystemClock
from shared.errors import UserError
from shared.files import replace_file, replace_json
from shared.git.merges import Merger
from shared.git.repository import (
    Repository,
    free_dead_locks,
    open_repository,
    read_ref,
    user_identity,
)
from shared.journal import FORMAT, Journal
from shared.lock import RepositoryLock
from shared.model import Identity, Oid, Plan, RepositoryFacts, RunId, Spending, TaskStatus
from shared.sandbox import groups
from shared.secrets import digests
from workflow_manager.environment import inherited
from workflow_manager.sandboxing import anybody_is_shut_in, gate_is_shut_in

_HANDED = "handed"  # in the folder of a run whose tasks ran elsewhere: the digest of its plan
Budgets = Mapping[Literal["budget", "task_budget"], Spending]


@dataclass(frozen=True, slots=True)
class Ended:
    view: RunView
    status: str
    signal: int  # that ended it; 0 for none


@dataclass(slots=True)
class _Session:
    """One orchestrator at work on one run."""

    lock: RepositoryLock
    place: Place
    plan: Plan
    run: RunId
    base: Oid
    identity: Identity
    journal: Journal
    view: RunView
    listener: Listener
    executor: Executor
    clock: Clock
    models: Models | None
    onto: Oid | None = None


def start(ready: Ready, listener: Listener, *, executor: Executor, fresh: bool, go_on: bool) -> Ended:
    """Carry out a plan as a new run."""
    place, plan = ready.place, ready.plan
    clock = SystemClock()
    refuse_full_disk(ready.disk, min(open_tasks(ready.jobs), len(plan.tasks)))
    with RepositoryLock(place.state) as lock:
        repo = open_repository(place.git_dir)
        _refuse_unfinished(place, plan)
        free_dead_locks(repo, plan.settings.into)
        notes = [*ready.notes, *settle_branches(repo, plan.tasks, ready.base, fresh=fresh, go_on=go_on)]
        run = new_run_id(clock.now())
        place.create(run, plan)
        if ready.handed:
            replace_file(place.run_dir(run) / _HANDED, ready.handed)
        lock.announce(run)
        journal = Journal(place.run_dir(run) / "journal.jsonl")
        session = _Session(
            lock,
            place,
            plan,
            run,
            ready.base,
            ready.identity,
            journal,
            RunView(),
            listener,
            executor,
            clock,
            ready.models,
            ready.onto,
        )
        started = {"format": FORMAT, "run": run, "base": ready.base, **plan_fields(plan), "jobs": ready.jobs}
        if ready.models and ready.models.replays:
            started["replays"] = ready.models.replays

        def begin(engine: Engine) -> None:
            engine.record("run.started", started, durable=True)
            for note in notes:
                engine.record("note", {"text": note})

        return _carry_out(session, begin)


def _refuse_unfinished(place: Place, plan: Plan) -> None:
    """Raise UserError where a task belongs to a run that can still be resumed."""
    for run in unfinished_runs(place):
        open_ids = {task.id for task in place.view(run).tasks.values() if not task.status.final}
        shared_ids = sorted(open_ids & {task.id for task in plan.tasks})
        if shared_ids:
            raise UserError(
                f"run {run} is not finished and has: {', '.join(shared_ids)}",
                f"go on with it: spinney resume --run {run}",
                f"or give it up, keeping its branches: spinney clean --run {run}",
            )


def unfinished_runs(place: Place) -> list[RunId]:
    """Runs that were interrupted or killed, oldest first."""
    return [run for run in place.runs() if place.status(run) in ("running", "interrupted")]


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
) -> Ended:
    """Go on with a run from the last phase commit of each task; with ``retry``, integrate again what was left out.

    ``keys`` are those that were taken out of the environment; ``budgets`` replace what may be spent in all. ``onto``
    and ``handed`` are as when it started; without the latter, a run whose tasks ran elsewhere is refused.
    """
    clock = SystemClock()
    with RepositoryLock(place.state) as lock:
        lock.announce(run)
        plan, view = place.plan(run), place.view(run)
        if view.status not in ("running", "interrupted") and not retry:
            raise UserError(f"run {run} is finished ({view.status})", "look at it: spinney report")
        if _handed_in(place, run) != handed and not _all_final(view):
            raise UserError(
                f"the tasks of run {run} ran as jobs elsewhere, and what they handed back is needed",
                "integrate the same again: spinney integrate --plan … …",
            )
        # What a finished run is integrated again for needs no model, unless something is left to do.
        raised = _raised(view, budgets or {})
        limited = replace(plan, settings=replace(plan.settings, **raised))
        idle = bool(handed) or (retry and _all_final(view))  # no agent works here
        models = None if idle else needed(limited, place, keys or {}, view.replays)
        if not handed:
            refuse_unready(plan)
        repo = open_repository(place.git_dir)
        free_dead_locks(repo, plan.settings.into)
        journal = Journal(place.run_dir(run) / "journal.jsonl")
        identity = user_identity(place.checkout)
        session = _Session(
            lock,
            place,
            plan,
            run,
            Oid(view.base),
            identity,
            journal,
            view,
            listener,
            executor,
            clock,
            models,
            onto,
        )
        resumed: dict[str, Any] = {"jobs": _slots(plan, executor).first.total}
        resumed |= {name: asdict(limit) for name, limit in raised.items()}

        def begin(engine: Engine) -> None:
            engine.record("run.resumed", resumed, durable=True)
            if retry:
                _offer_again(engine, repo, plan)

        return _carry_out(session, begin)


def _handed_in(place: Place, run: RunId) -> str:
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


def _slots(plan: Plan, executor: Executor) -> Range:
    settings = plan.settings
    return sizes(executor.at_once or settings.jobs, chosen_profile(plan.tasks, settings))


def _offer_again(engine: Engine, repo: Repository, plan: Plan) -> None:
    """Put what did not make it into the merged result back into the queue, at its branch's present tip."""
    for task in plan.tasks:
        entry = engine.view.tasks[task.id]
        tip = read_ref(repo, f"refs/heads/{task.branch}")
        left_out = entry.status in (TaskStatus.CONFLICT, TaskStatus.UNMERGED)
        skipped = entry.status is TaskStatus.SKIPPED and bool(entry.commits)
        if tip is not None and (left_out or skipped):
            engine.record("task.reopened", {"task": task.id, "tip": tip})


def _carry_out(session: _Session, begin: Callable[[Engine], None]) -> Ended:
    place, plan, run, view = session.place, session.plan, session.run, session.view
    earlier = History.load(place.state / FILE)
    facts = place.facts(run)
    with Merger(facts.git_dir) as merger, contextlib.ExitStack() as undo:
        engine: Engine

        def tell(event: str, fields: dict[str, Any]) -> None:
            engine.tell(event, fields)

        parts = _parts(session, facts, merger, earlier, tell)
        engine = Engine(parts, view, session.listener)
        undo.callback(groups.release)
        undo.callback(lambda: parts.preparation.close(engine.worth_keeping()))
        undo.callback(parts.integrator.close)
        signals = undo.enter_context(_stopped_by_signals(engine))
        begin(engine)
        for note in earlier.notes:
            engine.record("note", {"text": note})
        engine.plan_from_view()
        opened = None
        if session.models is not None:
            session.executor.prepare_for(session.models.backends)
            secrets = secret_values(os.environ, session.models)
            opened = open_gateway(session.models, place, plan, run, view, tell, session.clock, secrets)
            parts.gateway = opened.gateway
            undo.callback(opened.close)
        engine.run()
        if opened is not None and (missing := opened.close()):
            engine.record("note", {"text": missing})
        status = engine.conclude()
        replace_json(place.run_dir(run) / "manifest.json", to_json(view, session.clock.now()), durable=True)
        session.journal.close()
        if not view.replays:  # how quickly a record answers says nothing of models
            record(session.lock, view, plan, earlier)
        if session.models is not None:
            distrust_plans(place, plan, view)
        session.listener(None, view)
        asked = (place.run_dir(run) / "stop").exists()  # by `spinney stop`, which then sends the signal
        (place.run_dir(run) / "stop").unlink(missing_ok=True)
    return Ended(view, status, signals[0] if signals and not asked else 0)


def _parts(
    session: _Session,
    facts: RepositoryFacts,
    merger: Merger,
    earlier: History,
    tell: Callable[[str, dict[str, Any]], None],
) -> Parts:
    """What the engine is composed of; the gateway comes when the run has begun."""
    place, plan, run = session.place, session.plan, session.run
    containment = hold(place)
    environment = inherited(os.environ)
    slots = _slots(plan, session.executor)
    names = frozenset(str(task.id) for task in plan.tasks)
    integrator = Integrator(
        facts=facts,
        run=run,
        settings=plan.settings,
        identity=session.identity,
        base=session.base,
        merger=merger,
        gate=Gate(
            facts,
            run,
            plan.settings,
            containment,
            environment,
            tell,
            base=session.base,
            shut_in=gate_is_shut_in(plan),
        ),
        record=tell,
    )
    return Parts(
        plan=plan,
        facts=facts,
        identity=session.identity,
        containment=containment,
        environment=environment,
        generation=session.lock.generation,
        executor=session.executor,
        preparation=Preparation(facts, run, session.onto or session.base, session.identity, names),
        integrator=integrator,
        guard=Guard(facts, contained=bool(containment.program), into=plan.settings.into),
        forge=local_forge(open_repository(place.git_dir)),
        journal=session.journal,
        clock=session.clock,
        slots=slots,
        measure=lambda: measure_load(place.worktrees),
        estimates=Estimates(earlier.samples(), plan.settings.backend),
        open_tasks=open_tasks(slots.first.total),
        preparers=min(8, max(2, slots.first.total)),
        port_start=port_start(place),
        pull_base=plan.settings.into or plan.settings.base or current_branch(place) or session.base,
        secrets=digests(secret_values(os.environ, session.models)),
        shut_in=anybody_is_shut_in(plan),
    )


@contextlib.contextmanager
def _stopped_by_signals(engine: Engine) -> Iterator[list[int]]:
    """SIGINT and SIGTERM stop the run in good order; a second one ends it at once."""
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        engine.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
