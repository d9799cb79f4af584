"""One task of a plan as a job of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.capacity import measure_disk, sizes
from orchestrator.composition.carrying import resume, start
from orchestrator.composition.models import needed, with_address
from orchestrator.composition.ready import Ready, chosen_profile, refuse_unready
from orchestrator.composition.sessions import Ended
from orchestrator.composition.unfinished import unfinished_runs
from orchestrator.engine import Listener
from orchestrator.executors.port import Executor
from orchestrator.fan_out.handed import Handed, find
from orchestrator.fan_out.handing import result_of
from orchestrator.fan_out.plan_file import PlanFile
from orchestrator.fan_out.result import Result
from orchestrator.going_on import Standing, look_at
from orchestrator.plan import make_plan
from orchestrator.preparation import base_of_needs
from orchestrator.runs import Place
from shared import journal
from shared.clock import SystemClock
from shared.errors import GitError, SpinneyError, UserError
from shared.git import bundles
from shared.git.merges import Merger
from shared.git.repository import (
    Repository,
    is_ancestor,
    move_ref,
    open_repository,
    read_ref,
    refuse_unfit,
    user_identity,
)
from shared.model import Identity, Oid, Plan, RunId, Spending, Task, TaskId

_FETCH = "fetch the whole history; in a workflow: actions/checkout with fetch-depth: 0"


@dataclass(frozen=True, slots=True)
class Job:
    """One task that is to be carried out by itself."""

    file: PlanFile
    task: TaskId
    needs: Sequence[Path]  # folders with what its needs handed back
    out: Path  # where its own result goes
    overrides: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


def run_task(
    place: Place, job: Job, listener: Listener, *, executor: Executor
) -> tuple[Ended | None, Result]:
    """Carry out a job's task and write what it hands back; None where a need of it came to nothing."""
    task = _task(job)
    handed = Handed.below(job.out, task.id)
    repo = open_repository(place.git_dir)
    refuse_without_base(repo, job.file)
    identity = job.file.identity or user_identity(place.checkout)
    needs = _results(job, task)
    _refuse_unwritable(job.out)
    if reason := _hopeless(task, needs):
        skipped = _skipped(job, reason)
        _write(handed, skipped)
        return None, skipped
    onto = _onto(place, repo, job, task, needs, identity)
    plan = _alone(job, task)
    earlier = _unfinished(place, plan)
    if earlier is not None:
        more = job.overrides.get("budget")
        ended = resume(
            place,
            earlier,
            listener,
            executor=executor,
            keys=job.keys,
            budgets={} if more is None else {"budget": more},
            onto=onto,
            identity=identity,
        )
    else:
        ready = _ready_for(place, job.file, plan, identity, onto=onto, keys=job.keys)
        look = _Look(place, job.file, task)
        ended = start(ready, listener, executor=executor, fresh=True, go_on=False, look=look)
    result = _result(place, repo, ended, job, task, onto)
    _write(handed, result, place, job.file.base)
    return ended, result


def _task(job: Job) -> Task:
    found = next((task for task in job.file.plan.tasks if task.id == job.task), None)
    if found is None:
        names = ", ".join(str(task.id) for task in job.file.plan.tasks[:10])
        raise UserError(f"the plan has no task {job.task!r}", f"its tasks: {names or 'none'}")
    return found


def refuse_without_base(repo: Repository, file: PlanFile) -> None:
    if file.base not in repo:
        raise UserError(f"the plan starts from {file.base[:10]}, which this repository does not have", _FETCH)


def _refuse_unwritable(folder: Path) -> None:
    """Found out now and not when the work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder} cannot be written")


def _results(job: Job, task: Task) -> dict[TaskId, tuple[Result, Handed]]:
    """What the needs of ``task`` handed back. Raises UserError for one that is missing or no result of this plan."""
    found = {}
    for need in task.needs:
        handed = find(job.needs, need.task)
        if len(handed) != 1:
            what = "is not there" if not handed else "is there more than once"
            raise UserError(
                f"{task.id} needs {need.task}, and what that handed back {what}",
                "name the folder that its run-task wrote: --need DIR",
            )
        try:
            result = handed[0].read()
        except SpinneyError as error:
            raise UserError(f"what {need.task} handed back cannot be used: {error.message}") from None
        if (result.plan, result.task) != (job.file.digest, need.task):
            raise UserError(
                f"{handed[0].result} is of another plan or task", "run all jobs with one plan.json"
            )
        found[need.task] = (result, handed[0])
    return found


def _hopeless(task: Task, needs: Mapping[TaskId, tuple[Result, Handed]]) -> str:
    """Why ``task`` cannot be begun; empty where it can."""
    for need in task.needs:
        outcome = needs[need.task][0].outcome
        if outcome not in ("done", "no-change") and not need.always:
            return f"its need {need.task} ended as {outcome}"
    return ""


def _onto(
    place: Place,
    repo: Repository,
    job: Job,
    task: Task,
    needs: Mapping[TaskId, tuple[Result, Handed]],
    identity: Identity,
) -> Oid:
    """What the task starts from: the plan's base, or what its needs made of it, together."""
    tips = []
    for name, (result, handed) in needs.items():
        if result.outcome in ("done", "no-change"):
            tips.append(_fetched(place, job.file.base, name, Oid(result.tip), handed))
    with Merger(str(place.git_dir)) as merger:
        run = RunId(f"plan-{job.file.digest[:12]}")
        base = base_of_needs(repo, merger, job.file.base, tuple(tips), run, identity)
    _keep(repo, f"refs/spinney/needs/{task.id}", base)
    return base


def _fetched(place: Place, base: Oid, name: TaskId, tip: Oid, handed: Handed) -> Oid:
    """Bring a need's commits into this repository. Raises UserError where its bundle does not hold them."""
    if tip == base:
        return tip
    try:
        with bundles.unpacked(str(place.git_dir), handed.bundle) as bundle:
            ref = f"refs/heads/spinney/{name}"
            if bundle.refs != ((ref, tip),) or not is_ancestor(bundle.repo, base, tip):
                raise GitError(f"it does not hold {ref} at {tip[:10]}, made from {base[:10]}")
            bundle.keep()
    except SpinneyError as error:
        raise UserError(f"the bundle of {name} cannot be used: {error.message}") from None
    return tip


def _keep(repo: Repository, ref: str, oid: Oid) -> None:
    """What is to be built on is reachable from now on."""
    old = read_ref(repo, ref)
    if old != oid:
        move_ref(repo, ref, oid, old=old, why="spinney: the base of a job's task")


def _alone(job: Job, task: Task) -> Plan:
    """The plan of a run that does nothing but the task: neither gate nor pull request, and nothing lands."""
    settings = job.file.plan.settings
    share = max(1, len(job.file.plan.tasks))
    whole = settings.budget
    tokens = max(1, whole.tokens // share) if whole.tokens else 0
    budget = Spending(whole.usd / share, tokens)
    given = {key: value for key, value in job.overrides.items() if value is not None}
    settings = replace(
        settings,
        gate="",
        into="",
        base="",
        pull_requests="none",
        forge="local",
        **{"budget": budget, **given},
    )
    return make_plan([replace(task, needs=(), issue=None)], with_address(settings, os.environ))


@dataclass(frozen=True, slots=True)
class _Look:
    """At the branch that an earlier run pushed, as this clone has fetched it: interrupted work is gone on with."""

    place: Place
    file: PlanFile
    task: Task

    def __call__(self) -> Standing:
        repo = open_repository(self.place.git_dir)
        remote = self.file.plan.settings.github.remote
        there = read_ref(repo, f"refs/remotes/{remote}/{self.task.branch}")
        if there is None or self.file.fresh:
            return Standing()

        def fetch(refs: Mapping[str, str]) -> Repository:
            for here in refs.values():
                _keep(repo, here, there)
            return repo

        plan, tips = make_plan([replace(self.task, needs=())], self.file.plan.settings), {}
        tips[f"refs/heads/{self.task.branch}"] = there
        found = look_at(plan, self.file.base, tips, {}, fetch, fresh=False, go_on=self.file.go_on)
        if found.alone:
            raise UserError(f"{self.task.id} is left alone: {found.alone[self.task.id]}")
        return found


def _unfinished(place: Place, plan: Plan) -> RunId | None:
    """A run of the same task here that was cut off."""
    return next((run for run in unfinished_runs(place) if place.plan(run).tasks == plan.tasks), None)


def _ready_for(
    place: Place,
    file: PlanFile,
    plan: Plan,
    identity: Identity,
    *,
    onto: Oid,
    keys: Mapping[str, str],
) -> Ready:
    repo = open_repository(place.git_dir)
    notes = refuse_unfit(repo, file.base)
    refuse_unready(plan)
    return Ready(
        place=place,
        plan=plan,
        base=file.base,
        identity=identity,
        disk=measure_disk(str(place.git_dir), file.base, place.worktrees),
        notes=tuple(notes),
        jobs=agents_at_once(plan),
        models=needed(plan, place, keys),
        onto=onto,
        taken=tuple(keys.values()),
    )


def agents_at_once(plan: Plan) -> int:
    return sizes(plan.settings.jobs, chosen_profile(plan.tasks, plan.settings)).first.total


def _result(place: Place, repo: Repository, ended: Ended, job: Job, task: Task, onto: Oid) -> Result:
    records = journal.read(place.run_dir(ended.view.id) / "journal.jsonl")
    base = Oid(ended.view.tasks[task.id].base or onto)
    tip = read_ref(repo, f"refs/heads/{task.branch}") or base
    return result_of(ended.view, records, task.id, plan=job.file.digest, base=base, tip=tip)


def _skipped(job: Job, reason: str) -> Result:
    now, base = SystemClock().now(), job.file.base
    return Result(
        plan=job.file.digest,
        task=job.task,
        outcome="skipped",
        reason=reason,
        base=base,
        tip=base,
        started=now,
        ended=now,
    )


def _write(handed: Handed, result: Result, place: Place | None = None, base: Oid | None = None) -> None:
    """The bundle first, with what the branch in ``place`` has beyond ``base``: a result that is there is whole."""
    handed.bundle.unlink(missing_ok=True)
    if place is not None and base is not None and result.tip != base:
        branch = f"refs/heads/spinney/{result.task}"
        bundles.write(str(place.git_dir), handed.bundle, branch, without=base)
    handed.write(result)
