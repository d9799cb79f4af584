"""What a plan needs of models: found out before anything is started, and put together when it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.runs import Place
from orchestrator.view import RunView
from shared import journal
from shared.clock import Clock
from shared.config.model_keys import address
from shared.errors import UserError
from shared.model import (
    TIERS,
    ModelSettings,
    Plan,
    RunId,
    Settings,
    Spending,
    Task,
    TaskId,
    TaskStatus,
    Tokens,
)
from workflow_manager.plans.planning import distrust
from workflow_manager.remembering import hand_over

if TYPE_CHECKING:
    from orchestrator.gateway.answers import Answers
    from orchestrator.gateway.gateway import Gateway
    from orchestrator.gateway.recording.record import Record

OWN = frozenset({"command", "scripted"})  # backends that ask no model
_DEFAULT = ModelSettings().base_url
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}\Z")
_TELLING = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "PRIVATE_KEY", "CREDENTIAL")
_IN_VAIN = (TaskStatus.FAILED, TaskStatus.UNMERGED, TaskStatus.CONFLICT)
_SHORTEST = 12  # characters; what is shorter would be found in places that have nothing to do with it


@dataclass(frozen=True, slots=True)
class Models:
    """What answers the agents of a run."""

    backends: frozenset[str]  # that ask it
    key: str = field(default="", repr=False)  # empty where a record answers
    source: str = ""  # where the key comes from, for people
    replays: str = ""  # the run whose record that is


@dataclass(frozen=True, slots=True)
class Opened:
    """A gateway at work, and what keeps its record."""

    gateway: Gateway
    record: Record

    def close(self) -> str:
        """Returns what is missing from the record and why; empty if nothing."""
        self.gateway.close()
        self.record.close()
        return self.record.problem


def backends(plan: Plan) -> frozenset[str]:
    """Every backend that an agent of ``plan`` has."""
    default = plan.settings.backend
    return frozenset(agent.executed_by(default) for task in plan.tasks for agent in _agents(task))


def _agents(task: Task) -> Iterable[Any]:
    resolver = task.workflow.resolve
    return (*task.workflow.agents, *([resolver] if resolver else []))


def model_backends(plan: Plan) -> frozenset[str]:
    """Those that ask models."""
    return backends(plan) - OWN


def needed(plan: Plan, place: Place, keys: Mapping[str, str], replays: str = "") -> Models | None:
    """What ``plan`` asks models through; None where no agent asks one.

    ``keys`` are those that were taken out of the environment. Raises UserError where there is no key, where a
    budget in dollars cannot be held because a model has no price, or where there is nothing to replay.
    """
    asking = model_backends(plan)
    if not asking:
        if replays:
            raise UserError("--replay answers models from a record, and no agent of this batch asks one")
        return None
    _refuse_unpriced(plan)
    if replays:
        from orchestrator.gateway.recording.record import places_of

        run = place.pick(replays)
        places_of(place.run_dir(run))  # says where there is no record
        return Models(asking, replays=run)
    from orchestrator.gateway.keys import find_key

    key = find_key(keys, plan.settings.models)
    return Models(asking, key.value, key.source)


def _refuse_unpriced(plan: Plan) -> None:
    """A budget in dollars holds only where every model that may be asked has a price."""
    settings, tasks = plan.settings, plan.tasks
    if not (settings.budget.usd or settings.task_budget.usd or any(task.budget.usd for task in tasks)):
        return
    from orchestrator.gateway.rules.prices import Prices

    prices = Prices(settings.models.prices)
    for tier in TIERS:
        model = settings.models.of(tier)
        if prices.cost(model, Tokens(input=1)) is None:
            raise UserError(
                f"the budget is in US dollars, and the model {model} (tier {tier}) has no price",
                "give it one in spinney.yaml: models: {prices: {" + model + ": {input: …, output: …}}}",
                "or limit tokens instead: budget: {tokens: …}",
            )


def with_address(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """``settings`` with what the environment says of models.

    ``SPINNEY_MODEL_FAST``, ``_BALANCED`` and ``_DEEP`` win over files, for workflows of GitHub Actions;
    ``ANTHROPIC_BASE_URL``, which other programs read as well, is used where the files name no address.
    """
    for tier in TIERS:
        name = f"SPINNEY_MODEL_{tier.upper()}"
        if model := environ.get(name, ""):
            if not _MODEL.match(model):
                raise UserError(f"{name} is {model!r}: no name of a model", "such as claude-sonnet-5-5")
            named: dict[str, Any] = {tier: model}
            settings = replace(settings, models=replace(settings.models, **named))
    url = environ.get("ANTHROPIC_BASE_URL", "")
    if not url or settings.models.base_url != _DEFAULT:
        return settings
    try:
        return replace(settings, models=replace(settings.models, base_url=address(url)))
    except ValueError as error:
        raise UserError(f"ANTHROPIC_BASE_URL is {url!r}: {error}") from None


def task_budgets(plan: Plan, given: Spending | None = None) -> dict[TaskId, Spending]:
    """What each task may spend: what ``given`` says, before its own budget, before the one for all tasks."""
    first = given or Spending()
    return {task.id: first.over(task.budget.over(plan.settings.task_budget)) for task in plan.tasks}


def open_gateway(
    models: Models,
    place: Place,
    plan: Plan,
    run: RunId,
    view: RunView,
    tell: Callable[[str, dict[str, Any]], None],
    clock: Clock,
    known: Iterable[str],
) -> Opened:
    """The gateway of a run, started. What earlier sessions spent counts; ``known`` secrets are not recorded."""
    from orchestrator.gateway.gateway import Gateway
    from orchestrator.gateway.recording.cache import Cached
    from orchestrator.gateway.recording.normal import places as places_now
    from orchestrator.gateway.recording.record import Record
    from orchestrator.gateway.recording.redaction import Redaction
    from orchestrator.gateway.recording.replay import Replay
    from orchestrator.gateway.rules import pauses
    from orchestrator.gateway.rules.ledger import Charge
    from orchestrator.gateway.upstream import Upstream

    settings, run_dir = plan.settings.models, place.run_dir(run)
    places, redaction = places_now(run, place.facts(run), str(Path.home())), Redaction(known)
    answers: Answers
    if models.replays:
        answers = Replay.read(place.run_dir(models.replays), places, redaction)
        hand_over(place.run_dir(models.replays), run_dir)
    else:
        answers = Upstream(settings.base_url, models.key)
        if settings.cache:
            answers = Cached(answers, place.state / "responses", places, redaction, clock)
    told = journal.read(run_dir / "journal.jsonl")
    recorder = Record(run_dir, places, redaction, clock)
    gateway = Gateway(
        run=run,
        settings=settings,
        answers=answers,
        recorder=recorder,
        budget=Spending() if models.replays else Spending(*view.spending.budget),
        task_budgets={} if models.replays else task_budgets(plan, view.spending.task_budget),
        spent=[Charge.of_event(r) for r in told if r["event"] == "model.called"],
        tell=tell,
        clock=clock,
        pause=None if models.replays else pauses.last(told, clock.now()),
    )
    gateway.start()
    return Opened(gateway, recorder)


def distrust_plans(place: Place, plan: Plan, view: RunView) -> None:
    """Commands that were carried out well and led to nothing that could land are planned anew the next time."""
    for task in plan.tasks:
        if view.tasks[task.id].status in _IN_VAIN:
            distrust(place.state / "memory", task)


def secret_values(
    environ: Mapping[str, str], models: Models | None, handed: Iterable[str] = ()
) -> tuple[str, ...]:
    """Values that may never be in a commit: the key, what else was ``handed`` to us such as tokens, and what the
    environment holds under telling names."""
    names = [name for name in environ if any(mark in name.upper() for mark in _TELLING)]
    key = models.key if models else ""
    found = [value for value in (*handed, *(environ[name] for name in names)) if len(value) >= _SHORTEST]
    return tuple(dict.fromkeys([*([key] if key else []), *found]))
