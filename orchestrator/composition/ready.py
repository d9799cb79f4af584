"""From what a user asked for to a plan that may be carried out. Nothing is written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.capacity import Disk, machine, measure_disk, sizes
from orchestrator.composition.forges import Opened
from orchestrator.composition.issues import Intake
from orchestrator.composition.models import Models, backends, needed, with_address
from orchestrator.composition.pull_templates import template_at
from orchestrator.composition.unfinished import conflicting
from orchestrator.intake.reader import CommandLine, Request, Workflows, read_request
from orchestrator.intake.standing import Terms
from orchestrator.plan import make_plan
from orchestrator.publishing.again import options
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.errors import SpinneyError, UserError
from shared.forge.port import PullRequest
from shared.forge.tracker import IssueQuery
from shared.git.program import MINIMUM_VERSION, Git, version
from shared.git.repository import (
    Repository,
    head_commit,
    open_around,
    open_repository,
    read_ref,
    refuse_unfit,
    resolve_commit,
    user_identity,
)
from shared.model import Identity, Oid, Plan, Profile, Settings, Task, TaskId
from workflow_manager import workflows
from workflow_manager.backends.programs.checking import check
from workflow_manager.holding import refuse_without_sandbox, unsafe_notes

WORKFLOWS = Workflows(workflows.find, workflows.single_command, workflows.with_command)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked ``run`` or ``plan`` for."""

    arguments: Sequence[str]
    commands: Sequence[CommandLine]
    workflow: str
    overrides: dict[str, Any]
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # taken out of the environment
    replays: str = ""  # answer models from the record of this run
    query: IssueQuery = field(default_factory=IssueQuery)  # which issues, beside those among the arguments
    terms: Terms = field(default_factory=Terms)  # how issues are taken in
    waits: Waits = SILENT  # hears of what takes long outside


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan that may be carried out, and what was found out on the way. Nothing has been written.

    Whoever got one closes it, when the run is over.
    """

    place: Place
    plan: Plan
    base: Oid
    identity: Identity
    disk: Disk
    notes: tuple[str, ...]
    jobs: int  # agents at once, of every kind together
    models: Models | None = None  # where agents ask some
    onto: Oid | None = None  # what tasks without needs start from, where that is not ``base``
    taken: tuple[str, ...] = field(default=(), repr=False)  # keys and tokens, out of the environment
    handed: str = ""  # the digest of the plan whose tasks ran as jobs elsewhere
    forge: Opened | None = None  # where the run's pull requests go; None where nothing is to run
    pulls: Mapping[TaskId, PullRequest] = field(
        default_factory=dict
    )  # from earlier runs; of tasks from issues, with `handed` of all
    waits: Waits = SILENT  # hears of what takes long outside, before the run has begun

    def close(self) -> None:
        if self.forge is not None:
            self.forge.close()


def get_ready(place: Place, cwd: Path, asked: Asked, *, to_run: bool = True) -> Ready:
    """Read, check and plan everything. Raises UserError or InvalidInput; writes nothing.

    What only a run needs, a key for instance, is a note where nothing is ``to_run``.
    """
    if version() < MINIMUM_VERSION:
        raise UserError(f"git {'.'.join(map(str, version()))} is too old", "Spinney needs git 2.38 or newer")
    with contextlib.ExitStack() as undo:
        intake = Intake(place, asked.keys, asked.terms, asked.waits)
        undo.callback(intake.close)
        request = read_request(
            asked.arguments,
            commands=asked.commands,
            root=place.checkout,
            cwd=cwd,
            overrides=asked.overrides,
            workflow=asked.workflow,
            workflows=WORKFLOWS,
            machine=machine(),
            issues=intake,
            query=asked.query,
        )
        ready = ready_for(place, cwd, asked, request, to_run=to_run)
        if to_run and ready.plan.tasks:
            ready = replace(ready, forge=intake.open_for(ready.plan), pulls=intake.pulls)
            undo.pop_all()  # it is the run's now
        elif intake.opened is not None and ready.plan.tasks:
            ready = replace(ready, notes=(*ready.notes, *_far_from(place, intake.opened, ready)))
        return ready


def _far_from(place: Place, opened: Opened, ready: Ready) -> tuple[str, ...]:
    """What a run would say of its base. Where that is not to be found out, a plan is none the worse."""
    from orchestrator.composition.outside import pull_base

    with contextlib.suppress(SpinneyError), ready.waits.during("asking GitHub for its branches"):
        return pull_base(place, opened, ready.plan.settings, ready.base).notes
    return ()


def ready_for(place: Place, cwd: Path, asked: Asked, request: Request, *, to_run: bool) -> Ready:
    """The same of a request that was read already."""
    settings = with_address(request.settings, os.environ)
    given = options(asked.workflow, asked.overrides)
    plan = replace(make_plan(request.tasks, settings, request.left_out), asked=given)
    jobs = sizes(settings.jobs, chosen_profile(plan.tasks, settings)).first.total
    _refuse_silent_agents(plan)
    repo = open_repository(place.git_dir)
    base = _base(repo, settings, head_commit(open_around(cwd)))
    notes = refuse_unfit(repo, base)
    template_at(repo, base, settings)
    notes += [*_dirty(place), *unsafe_notes(plan), *request.notes]
    identity = user_identity(place.checkout)
    disk = measure_disk(str(place.git_dir), base, place.worktrees)
    models = None
    try:
        refuse_unready(plan)
        models = needed(plan, place, asked.keys, asked.replays)
    except UserError as error:
        if to_run:
            raise
        notes.append(f"it could not be run here as it is: {error.message}")
    if not to_run and (refusal := conflicting(place, plan)) is not None:  # a run looks when it has the lock
        notes.append(f"it could not be run here as it is: {'; '.join((refusal.message, *refusal.hints))}")
    return Ready(
        place, plan, base, identity, disk, tuple(notes), jobs, models,
        taken=tuple(asked.keys.values()), waits=asked.waits,
    )  # fmt: skip


def chosen_profile(tasks: Sequence[Task], settings: Settings) -> Profile | None:
    """The resource profile of a run: the one asked for, else the largest that one of its workflows takes."""
    profiles = {profile for task in tasks for profile in task.workflow.profiles}
    wanted = {settings.profile} if settings.profile else {task.workflow.profile for task in tasks}
    return max(
        (profile for profile in profiles if profile.name in wanted), key=lambda p: p.agents, default=None
    )


def _base(repo: Repository, settings: Settings, head: Oid) -> Oid:
    if settings.into and read_ref(repo, f"refs/heads/{settings.into}") is None:
        raise UserError(
            f"there is no branch {settings.into!r} to merge into", f"make it: git branch {settings.into}"
        )
    if settings.base:
        return resolve_commit(repo, settings.base)
    return resolve_commit(repo, f"refs/heads/{settings.into}") if settings.into else head


def _dirty(place: Place) -> list[str]:
    """A note where the checkout holds changes: they are not part of the run, and they stay as they are."""
    listed = Git(str(place.git_dir), str(place.checkout)).run(
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=normal",
        "--no-renames",
        "--ignore-submodules=all",
    )
    changed = [os.fsdecode(record[3:]) for record in listed.split(b"\0") if record[:2] not in (b"", b"??")]
    if not changed:
        return []
    names = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return [f"uncommitted changes are not part of the run and stay as they are: {names}"]


def refuse_unready(plan: Plan) -> None:
    """Raise UserError where this machine lacks what the plan's agents need: a sandbox, or a coding program."""
    check(plan.settings, backends(plan), os.environ)
    refuse_without_sandbox(plan, "", os.environ)


def _refuse_silent_agents(plan: Plan) -> None:
    """Every agent must have something that can execute it, before the first one starts."""
    settings = plan.settings
    for task in plan.tasks:
        resolver = task.workflow.resolve
        for agent in (*task.workflow.agents, *([resolver] if resolver else [])):
            backend = agent.executed_by(settings.backend)
            told = agent.run or agent.commands or agent.planned
            if backend == "command" and not told and not settings.agent_command:
                has = "a prompt" if agent.prompt else "no command, only the task's text"
                raise UserError(
                    f"{task.id}: the agent {agent.name} of workflow {task.workflow.name!r} has {has}, "
                    f"{'but' if agent.prompt else 'and'} nothing to execute it",
                    "let a model do it: --backend anthropic, or --backend claude-code",
                    "or set `agent_command:` in spinney.yaml to a program that reads $SPINNEY_PROMPT",
                    "or give the task a command: `run: …`",
                    "or try the workflow without any model: --backend scripted",
                )
