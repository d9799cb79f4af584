"""The composition root: the only place, besides executors, that knows every part."""

from __future__ import annotations

import contextlib
import os
import signal
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.capacity import Disk, default_jobs, measure_disk, open_tasks, refuse_full_disk
from orchestrator.engine import Engine, Listener, Parts
from orchestrator.events import plan_fields
from orchestrator.executors.port import Executor
from orchestrator.gate import Gate
from orchestrator.guard import Guard
from orchestrator.intake.reader import CommandLine, Workflows, read_request
from orchestrator.integration import Integrator, land
from orchestrator.plan import make_plan
from orchestrator.preparation import Preparation, settle_branches
from orchestrator.report import to_json
from orchestrator.runs import Place, new_run_id
from orchestrator.view import RunView
from shared import process
from shared.clock import Clock, SystemClock
from shared.containment import find_bubblewrap, probe
from shared.errors import SpinneyError, UserError
from shared.files import replace_json
from shared.forge.local import LocalForge
from shared.forge.port import Forge, PullRequest, PullState
from shared.git.commits import first_parents
from shared.git.merges import Merger
from shared.git.program import MINIMUM_VERSION, PATH, Git, version
from shared.git.pulls import PullRefs
from shared.git.repository import (
    Repository,
    free_dead_locks,
    head_commit,
    is_ancestor,
    open_repository,
    read_ref,
    refuse_unfit,
    resolve_commit,
    user_identity,
)
from shared.journal import FORMAT, Journal
from shared.lock import RepositoryLock
from shared.model import Containment, Identity, Oid, Plan, RunId, Settings, TaskStatus, Workflow
from workflow_manager import workflows
from workflow_manager.environment import inherited

WORKFLOWS = Workflows(workflows.find, workflows.single_command, workflows.with_command)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked ``run`` or ``plan`` for."""

    arguments: Sequence[str]
    commands: Sequence[CommandLine]
    workflow: str
    overrides: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan that may be carried out, and what was found out on the way. Nothing has been written."""

    place: Place
    plan: Plan
    base: Oid
    identity: Identity
    disk: Disk
    notes: tuple[str, ...]

    @property
    def jobs(self) -> int:
        return self.plan.settings.jobs


def make_executor(*, in_process: bool) -> Executor:
    if in_process:
        from orchestrator.executors.in_process import InProcessExecutor

        return InProcessExecutor()
    from orchestrator.executors.local import LocalExecutor

    return LocalExecutor()


def local_forge(repo: Repository) -> Forge:
    return LocalForge(PullRefs(repo))


def get_ready(place: Place, cwd: Path, asked: Asked) -> Ready:
    """Read, check and plan everything. Raises UserError or InvalidInput; writes nothing."""
    if version() < MINIMUM_VERSION:
        raise UserError(f"git {'.'.join(map(str, version()))} is too old", "Spinney needs git 2.38 or newer")
    request = read_request(
        asked.arguments,
        commands=asked.commands,
        root=place.checkout,
        cwd=cwd,
        overrides=asked.overrides,
        workflow=asked.workflow,
        workflows=WORKFLOWS,
    )
    settings = replace(request.settings, jobs=request.settings.jobs or default_jobs())
    plan = make_plan(request.tasks, settings)
    _refuse_silent_agents(plan)
    repo = open_repository(place.git_dir)
    base = _base(repo, settings)
    notes = refuse_unfit(repo, base)
    notes += _dirty(place)
    identity = user_identity(place.checkout)
    disk = measure_disk(str(place.git_dir), base, place.worktrees)
    return Ready(place, plan, base, identity, disk, tuple(notes))


def _base(repo: Repository, settings: Settings) -> Oid:
    head = head_commit(repo)
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


def _refuse_silent_agents(plan: Plan) -> None:
    """Every agent must have something that can execute it, before the first one starts."""
    settings = plan.settings
    for task in plan.tasks:
        for agent in task.workflow.agents:
            backend = agent.backend or settings.backend
            if backend == "command" and not agent.run and not settings.agent_command:
                raise UserError(
                    f"{task.id}: the agent {agent.name} of workflow {task.workflow.name!r} has a prompt, "
                    "but nothing to execute it",
                    "set `agent_command:` in spinney.yaml to a coding program that reads $SPINNEY_PROMPT",
                    "or give the task a command: `run: …`",
                    "or try the workflow without any model: `backend: scripted`",
                )


# --- carrying out


@dataclass(frozen=True, slots=True)
class Ended:
    view: RunView
    status: str
    signal: int  # that ended it; 0 for none


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
        lock.announce(run)
        journal = Journal(place.run_dir(run) / "journal.jsonl")
        view = RunView()

        def begin(engine: Engine) -> None:
            engine.record(
                "run.started",
                {"format": FORMAT, "run": run, "base": ready.base, **plan_fields(plan)},
                durable=True,
            )
            for note in notes:
                engine.record("note", {"text": note})

        return _carry_out(
            lock,
            place,
            plan,
            run,
            ready.base,
            ready.identity,
            journal,
            view,
            listener,
            executor,
            clock,
            begin,
        )


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


def resume(place: Place, run: RunId, listener: Listener, *, executor: Executor, retry: bool = False) -> Ended:
    """Go on with a run from the last phase commit of each task; with ``retry``, integrate again what was left out."""
    clock = SystemClock()
    with RepositoryLock(place.state) as lock:
        lock.announce(run)
        plan, view = place.plan(run), place.view(run)
        if view.status not in ("running", "interrupted") and not retry:
            raise UserError(f"run {run} is finished ({view.status})", "look at it: spinney report")
        repo = open_repository(place.git_dir)
        free_dead_locks(repo, plan.settings.into)
        journal = Journal(place.run_dir(run) / "journal.jsonl")

        def begin(engine: Engine) -> None:
            engine.record("run.resumed", {"jobs": plan.settings.jobs}, durable=True)
            if retry:
                _offer_again(engine, repo, plan)

        identity = user_identity(place.checkout)
        return _carry_out(
            lock, place, plan, run, Oid(view.base), identity, journal, view, listener, executor, clock, begin
        )


def _offer_again(engine: Engine, repo: Repository, plan: Plan) -> None:
    """Put what did not make it into the merged result back into the queue, at its branch's present tip."""
    for task in plan.tasks:
        entry = engine.view.tasks[task.id]
        tip = read_ref(repo, f"refs/heads/{task.branch}")
        left_out = entry.status in (TaskStatus.CONFLICT, TaskStatus.UNMERGED)
        skipped = entry.status is TaskStatus.SKIPPED and bool(entry.commits)
        if tip is not None and (left_out or skipped):
            engine.record("task.reopened", {"task": task.id, "tip": tip})


def _carry_out(
    lock: RepositoryLock,
    place: Place,
    plan: Plan,
    run: RunId,
    base: Oid,
    identity: Identity,
    journal: Journal,
    view: RunView,
    listener: Listener,
    executor: Executor,
    clock: Clock,
    begin: Callable[[Engine], None],
) -> Ended:
    facts = place.facts(run)
    containment = hold(place)
    environment = inherited(os.environ)
    names = frozenset(str(task.id) for task in plan.tasks)
    preparation = Preparation(facts, run, base, identity, names)
    with Merger(facts.git_dir) as merger, contextlib.ExitStack() as undo:
        engine: Engine

        def tell(event: str, fields: dict[str, Any]) -> None:
            engine.tell(event, fields)

        integrator = Integrator(
            facts=facts,
            run=run,
            settings=plan.settings,
            identity=identity,
            base=base,
            merger=merger,
            gate=Gate(facts, run, plan.settings, containment, environment, tell),
            record=tell,
        )
        parts = Parts(
            plan=plan,
            facts=facts,
            identity=identity,
            containment=containment,
            environment=environment,
            generation=lock.generation,
            executor=executor,
            preparation=preparation,
            integrator=integrator,
            guard=Guard(facts, contained=bool(containment.program)),
            forge=local_forge(open_repository(place.git_dir)),
            journal=journal,
            clock=clock,
            slots=plan.settings.jobs,
            open_tasks=open_tasks(plan.settings.jobs),
            port_start=port_start(place),
            pull_base=plan.settings.into or plan.settings.base or _current_branch(place) or base,
        )
        engine = Engine(parts, view, listener)
        undo.callback(lambda: preparation.close(engine.worth_keeping()))
        undo.callback(integrator.close)
        begin(engine)
        engine.plan_from_view()
        signals = undo.enter_context(_stopped_by_signals(engine))
        engine.run()
        status = engine.conclude()
        replace_json(place.run_dir(run) / "manifest.json", to_json(view, clock.now()), durable=True)
        journal.close()
        listener(None, view)
        asked = (place.run_dir(run) / "stop").exists()  # by `spinney stop`, which then sends the signal
        (place.run_dir(run) / "stop").unlink(missing_ok=True)
    return Ended(view, status, signals[0] if signals and not asked else 0)


def hold(place: Place) -> Containment:
    """How agents are held here: the checkout, git's directory and the other worktrees read-only for them."""
    program = working_bubblewrap()
    if not program:
        return Containment()
    git_dir, checkout = str(place.git_dir), str(place.checkout)
    home = Path.home()
    roots = [str(place.worktrees)]
    # A repository that is the home folder, or above it, cannot be read-only as a whole.
    roots += [git_dir] if home.is_relative_to(checkout) else [checkout, git_dir]
    inside = ("objects", "refs/heads/spinney", "logs/refs/heads/spinney")
    return Containment(program, tuple(dict.fromkeys(roots)), tuple(f"{git_dir}/{path}" for path in inside))


def working_bubblewrap() -> str:
    """The path of a bubblewrap that can make namespaces here, or an empty string."""
    program = find_bubblewrap()
    if program and process.run(probe(program), cwd="/", env={"PATH": PATH}, timeout=10).status == 0:
        return program
    return ""


def port_start(place: Place) -> int:
    """Where this repository's ports begin: repositories that run at once rarely share a range."""
    return 20000 + zlib.crc32(str(place.checkout).encode()) % 100 * 100


def _current_branch(place: Place) -> str:
    head = (place.git_dir / "HEAD").read_text().strip()
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""


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


def merge_pull(place: Place, number: int) -> tuple[PullRequest, Oid]:
    """Merge a pull request of the local forge into its base, through the gate. Raises SpinneyError."""
    with RepositoryLock(place.state), contextlib.ExitStack() as undo:
        repo = open_repository(place.git_dir)
        forge = local_forge(repo)
        pull = forge.get(number)
        if pull.state is not PullState.OPEN:
            raise UserError(f"pull request #{number} is {pull.state} already")
        run, settings = _settings_for(place, pull)
        tip = read_ref(repo, f"refs/heads/{pull.head}") or pull.tip
        gate = Gate(
            place.facts(run), run, settings, hold(place), inherited(os.environ), lambda event, fields: None
        )
        undo.callback(gate.close)
        merger = undo.enter_context(Merger(str(place.git_dir)))
        message = f"Merge pull request #{number}: {pull.title}\n"
        landed = land(repo, merger, gate, pull.base, tip, message, user_identity(place.checkout))
        if isinstance(landed, SpinneyError):
            raise landed
        return forge.merged(number, landed), landed


def _settings_for(place: Place, pull: PullRequest) -> tuple[RunId, Settings]:
    """The settings, gate included, of the latest run that made this pull request."""
    for run in reversed(place.runs()):
        plan = place.plan(run)
        if any(task.branch == pull.head for task in plan.tasks) or pull.head.endswith(f"/{run}"):
            return run, plan.settings
    return RunId("pull"), Settings()


def repository(place: Place) -> Repository:
    return open_repository(place.git_dir)


def history(place: Place, view: RunView) -> list[tuple[Oid, str]]:
    """First-parent commits of the merged result since the base, oldest first, with their subjects.

    As far as they still exist: the branch may be gone since.
    """
    repo, base = repository(place), Oid(view.base)
    found: list[tuple[Oid, str]] = []
    with contextlib.suppress(KeyError, ValueError):
        for commit in first_parents(repo, Oid(view.merged or base), base):
            if is_ancestor(repo, Oid(str(commit.id)), base):
                break  # ``into`` came to the base as a second parent
            found.append((Oid(str(commit.id)), commit.message.partition("\n")[0]))
    return found[::-1]


# --- for commands that only look


def workflow_names() -> list[str]:
    """The presets that ship with Spinney."""
    return workflows.preset_names()


def find_workflow(name: str, root: Path) -> Workflow:
    """A preset, or the workflow file at that path below ``root``. Raises UserError or InvalidInput."""
    return workflows.find(name, root)


def read_workflow(data: bytes, file: str) -> Workflow:
    """Raises InvalidInput with every mistake in it."""
    return workflows.read(data, file, file)


def workflow_text(workflow: Workflow) -> str:
    return workflows.to_yaml(workflow)
