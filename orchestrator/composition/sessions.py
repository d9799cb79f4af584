"""One orchestrator at work on one run: what it is made of, from the first event to the last."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.capacity import measure_load, open_tasks, sizes
from orchestrator.composition.forges import Opened
from orchestrator.composition.models import Models, distrust_plans, open_gateway, secret_values
from orchestrator.composition.outside import Outside
from orchestrator.composition.parts import hold, port_start
from orchestrator.composition.ready import chosen_profile
from orchestrator.concluding import worth_keeping
from orchestrator.engine import Engine, Listener
from orchestrator.estimates import Estimates
from orchestrator.executors.port import Executor
from orchestrator.gate import Gate
from orchestrator.guard import Guard
from orchestrator.history import FILE, History, record
from orchestrator.integration import Integrator
from orchestrator.parts import Parts
from orchestrator.preparation import Preparation
from orchestrator.publishing.delivery import Elsewhere
from orchestrator.reporting.report import to_json
from orchestrator.runs import Place
from orchestrator.sizing import Range
from orchestrator.stopping import stopped_by_signals
from orchestrator.view import RunView
from shared.clock import Clock
from shared.files import replace_json
from shared.git.merges import Merger
from shared.journal import Journal
from shared.lock import RepositoryLock
from shared.model import Identity, Oid, Plan, RepositoryFacts, RunId
from shared.sandbox import groups
from shared.secrets import digests
from workflow_manager.environment import inherited
from workflow_manager.sandboxing import anybody_is_shut_in, gate_is_shut_in


@dataclass(frozen=True, slots=True)
class Ended:
    view: RunView
    status: str
    signal: int  # that ended it; 0 for none


@dataclass(slots=True)
class Session:
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
    opened: Opened  # the forge
    outside: Outside | None  # where that is not this repository
    pull_base: str  # what pull requests are made against
    onto: Oid | None = None  # what tasks without needs start from, where that is not ``base``
    taken: tuple[str, ...] = field(default=(), repr=False)  # keys and tokens, out of the environment


def slots_of(plan: Plan, executor: Executor) -> Range:
    """Agents at once, of every kind."""
    settings = plan.settings
    return sizes(executor.at_once or settings.jobs, chosen_profile(plan.tasks, settings))


def carry_out(session: Session, begin: Callable[[Engine], None]) -> Ended:
    place, plan, run, view = session.place, session.plan, session.run, session.view
    earlier = History.load(place.state / FILE)
    facts = place.facts(run)
    with Merger(facts.git_dir) as merger, contextlib.ExitStack() as undo:
        engine: Engine

        def tell(event: str, fields: dict[str, Any]) -> None:
            engine.tell(event, fields)

        parts = _parts(session, facts, merger, earlier, tell)
        engine = Engine(parts, view, session.listener)
        if session.opened.github is not None:
            session.opened.github.listen(_waiting(tell))
        undo.callback(groups.release)
        undo.callback(
            lambda: parts.preparation.close(worth_keeping(view, everything=plan.settings.keep_worktrees))
        )
        undo.callback(parts.integrator.close)
        signals = undo.enter_context(stopped_by_signals(engine.stop))
        begin(engine)
        for note in earlier.notes:
            engine.record("note", {"text": note})
        engine.plan_from_view()
        opened = None
        if session.models is not None:
            session.executor.prepare_for(session.models.backends)
            secrets = _secrets(session)
            opened = open_gateway(session.models, place, plan, run, view, tell, session.clock, secrets)
            parts.gateway = opened.gateway
            undo.callback(opened.close)
        engine.run()
        if opened is not None and (missing := opened.close()):
            engine.record("note", {"text": missing})
        _record_new_notes(engine, session.opened)
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
    session: Session,
    facts: RepositoryFacts,
    merger: Merger,
    earlier: History,
    tell: Callable[[str, dict[str, Any]], None],
) -> Parts:
    """What the engine is composed of; the gateway comes when the run has begun."""
    place, plan, run = session.place, session.plan, session.run
    containment = hold(place)
    environment = inherited(os.environ)
    slots = slots_of(plan, session.executor)
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
        forge=session.opened.forge,
        journal=session.journal,
        clock=session.clock,
        slots=slots,
        measure=lambda: measure_load(place.worktrees),
        estimates=Estimates(earlier.samples(), plan.settings.backend),
        open_tasks=open_tasks(slots.first.total),
        preparers=min(8, max(2, slots.first.total)),
        port_start=port_start(place),
        pull_base=session.pull_base,
        secrets=digests(_secrets(session)),
        shut_in=anybody_is_shut_in(plan),
        elsewhere=_elsewhere(session),
    )


def _record_new_notes(engine: Engine, opened: Opened) -> None:
    """What was noticed of the forge on the way, each once."""
    for note in opened.github.noted() if opened.github is not None else ():
        if note not in engine.view.notes:
            engine.record("note", {"text": note})


def _elsewhere(session: Session) -> Elsewhere | None:
    if session.outside is None:
        return None
    outside, view = session.outside, session.view
    replaces = {ref: Oid(tip) for ref, tip in view.replaces.items()}

    def moved() -> str:
        return outside.moved(session.pull_base, view.pull_base_tip)

    return outside.elsewhere(session.plan.settings, session.base, view.pulls_before, replaces, moved)


def _secrets(session: Session) -> list[str]:
    """Values that may never be in a commit."""
    github = session.opened.github
    return [
        *secret_values(os.environ, session.models, session.taken),
        *(github.secrets if github is not None else ()),
    ]


def _waiting(tell: Callable[[str, dict[str, Any]], None]) -> Callable[[str, float], None]:
    """For whoever is told why the forge is waited for, and until when."""

    def told(reason: str, until: float) -> None:
        if reason:
            tell("forge.held", {"reason": reason, "until": until})
        else:
            tell("forge.released", {})

    return told
