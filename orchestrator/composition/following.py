"""Following pull requests on GitHub: what it is made of, and a round of fixes as an ordinary run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.capacity import machine
from orchestrator.composition.carrying import resume, start
from orchestrator.composition.forges import open_forge
from orchestrator.composition.ready import WORKFLOWS, Asked, ready_for
from orchestrator.composition.unfinished import unfinished_runs
from orchestrator.engine import Listener
from orchestrator.executors import make_executor
from orchestrator.following.branches import GitBranches
from orchestrator.following.follower import Follower, Tell, World
from orchestrator.following.looking import Looking, task_of
from orchestrator.following.port import Asked as RoundAsked
from orchestrator.following.port import Made
from orchestrator.following.purse import Purse
from orchestrator.following.targets import check, wanted
from orchestrator.following.words import Policy
from orchestrator.intake.issues import FromIssue, Taken
from orchestrator.intake.reader import Request, read_request
from orchestrator.runs import Place
from orchestrator.view import RunView
from orchestrator.waits import SILENT, Waits
from shared.clock import SystemClock
from shared.errors import GitError, StateError, UserError
from shared.forge.port import PullRequest
from shared.forge.tracker import IssueQuery
from shared.git.repository import user_identity
from shared.lock import RepositoryLock
from shared.model import (
    Issue,
    LandingWay,
    Oid,
    RunId,
    Settings,
    Spending,
    Task,
    TaskId,
    TaskStatus,
    Tokens,
    Usage,
    Workflow,
)
from workflow_manager import workflows
from workflow_manager.workflows.picking import only_phase

FIX = "fix"  # the phase that answers, and the preset for workflows that have none
_SENT = (TaskStatus.MERGED, TaskStatus.UNMERGED, TaskStatus.CONFLICT)


@dataclass(frozen=True, slots=True)
class ToFollow:
    """What a user asked ``follow`` for."""

    targets: Sequence[str]  # pull requests and runs; none: all of Spinney's that are open
    overrides: dict[str, Any]  # settings from the command line
    workflow: str = ""
    rounds: int | None = None
    land: LandingWay | None = None
    budget: Spending = field(default_factory=Spending)
    in_process: bool = False


@dataclass(frozen=True, slots=True)
class Following:
    follower: Follower
    stop: Callable[[], None]  # lets go whoever waits for GitHub
    listen: Callable[[Callable[[str, float], None]], None]


@contextlib.contextmanager
def following(
    place: Place,
    asked: ToFollow,
    keys: Mapping[str, str],
    tell: Tell,
    listener: Listener,
    waits: Waits = SILENT,
) -> Iterator[Following]:
    """Everything that follows pull requests. Raises UserError where there is nothing that could be followed."""
    template, settings = _template(place, asked)
    if settings.forge == "local":
        raise UserError(
            "pull requests in this repository's own refs have no checks or reviews that could be followed",
            "look at them: spinney pr list",
            "to follow those on GitHub: spinney follow --forge github",
        )
    identity = user_identity(place.checkout)
    meant = wanted(asked.targets, lambda run: _branches_of(place, run))
    with contextlib.ExitStack() as undo:
        undo.enter_context(RepositoryLock(place.state / "follow"))  # one that follows, a clone
        opened = open_forge(place, replace(settings, forge="github"), keys, waits=waits)
        undo.callback(opened.close)
        github = opened.github
        assert github is not None
        check(asked.targets, opened.forge, github.repository)
        for note in opened.notes:
            tell("follow.note", {"pull": None, "text": note})
        branches = GitBranches(
            place.git_dir,
            place.state,
            github.remote,
            identity,
            lambda: github.lock("follow"),
            lambda: _unfinished(place),
        )
        undo.callback(branches.tidy)
        rounds = Rounds(place, template, settings, branches, keys, listener, in_process=asked.in_process)
        own = settings.github
        policy = Policy(own.rounds if asked.rounds is None else asked.rounds, asked.land or own.land)
        follower = Follower(
            Looking(opened.forge, github.watched, branches, meant, github.default_branch, waits),
            World(github.watched, github.tracker, branches, rounds, SystemClock()),
            policy, own.method, tell, Purse(asked.budget), marks=own.mark != "none",
        )  # fmt: skip
        yield Following(follower, github.stop.set, github.listen)


def _template(place: Place, asked: ToFollow) -> tuple[Task, Settings]:
    """A task as issues become tasks here, and the settings. Raises InvalidInput, UserError."""
    issue = Issue("", 0, "")
    task = FromIssue(TaskId("round"), "A round of fixes", "…", (), (), issue)
    request = read_request(
        (),
        root=place.checkout,
        cwd=place.checkout,
        overrides=asked.overrides,
        workflow=asked.workflow,
        workflows=WORKFLOWS,
        machine=machine(),
        issues=lambda references, query, settings: Taken((task,)),
        query=IssueQuery(search="round"),
    )
    return request.tasks[0], request.settings


def _branches_of(place: Place, run: str) -> Collection[str]:
    return [task.branch for task in place.plan(place.pick(run)).tasks]


def _rounds_of(place: Place) -> dict[str, RunId]:
    """Rounds that were stopped here and can be gone on with, by their tasks."""
    plans = ((run, place.plan(run)) for run in unfinished_runs(place))
    return {str(task.id): run for run, plan in plans for task in plan.tasks if task.answers}


def _unfinished(place: Place) -> Collection[str]:
    return _rounds_of(place).keys()


def fixing(workflow: Workflow) -> Workflow:
    """The workflow of a round: the phase ``fix`` of the task's own workflow, else the preset."""
    return only_phase(workflow, FIX) or workflows.find(FIX, Path("/"))


@contextlib.contextmanager
def stopped_from_outside(why: Callable[[], str], seconds: float = 2.0) -> Iterator[None]:
    """End the run in good order, as a signal does, once there is a reason ``why`` it has to."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(seconds):
            if why():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watching = threading.Thread(target=watch, name="ending", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


@dataclass(slots=True)
class Rounds:
    """A round is a run of one task on the pull request's branch; nothing of it is sent by the run itself."""

    place: Place
    template: Task
    settings: Settings
    branches: GitBranches
    keys: Mapping[str, str] = field(repr=False)
    listener: Listener
    in_process: bool = False

    def make(self, asked: RoundAsked) -> Made:
        task_id = task_of(asked.seen.pull)
        with stopped_from_outside(lambda: self.branches.ending):
            return self._make(asked, task_id)

    def _make(self, asked: RoundAsked, task_id: str) -> Made:
        before = _rounds_of(self.place).get(task_id)
        executor = make_executor(in_process=self.in_process)
        if before is not None:
            answers = self.place.plan(before).tasks[0].answers
            ended = resume(self.place, before, self.listener, executor=executor, keys=self.keys)
        else:
            answers = asked.answers
            self.branches.bring(asked.seen)
            ready = ready_for(
                self.place, self.place.checkout, self._asked(), self._request(asked), to_run=True
            )
            ended = start(ready, self.listener, executor=executor, fresh=False, go_on=True)
        made = _made(ended.view, TaskId(task_id), answers, ended.status, ended.signal)
        if not made.interrupted:
            self.branches.forget_batch(made.run)
        if made.tip is None and not made.interrupted:
            self.branches.bring(asked.seen)  # what a failed one left is archived, so that nobody sends it
        return made

    def _asked(self) -> Asked:
        return Asked((), (), "", {}, self.keys)

    def _request(self, asked: RoundAsked) -> Request:
        base = self.branches.tip_of_base(asked.seen)
        if base is None:
            raise GitError(f"{asked.seen.pull.base} was not fetched")
        settings = replace(
            self.settings, base=base, into="", pull_requests="none", forge="local", budget=asked.budget
        )
        workflow = fixing(self._workflow(asked.seen.pull))
        must_pass = f"\nIn the end this must pass: `{settings.gate}`\n" if settings.gate else ""
        task = replace(
            self.template, id=TaskId(task_of(asked.seen.pull)), title=asked.title, body=asked.body + must_pass,
            workflow=workflow, foreign=True, answers=asked.answers, issue=None,
            source=f"pull request #{asked.seen.pull.number}",
        )  # fmt: skip
        return Request((task,), settings)

    def _workflow(self, pull: PullRequest) -> Workflow:
        """The one that the pull request's task had, where the run that made it is known here."""
        for run in reversed(self.place.runs()):
            with contextlib.suppress(StateError):
                for task in self.place.plan(run).tasks:
                    if task.branch == pull.head and not task.answers:
                        return task.workflow
        return self.template.workflow


def _made(view: RunView, task: TaskId, answers: tuple[str, ...], status: str, ended_by: int) -> Made:
    entry, bill = view.tasks[task], view.spending.total
    usage = Usage(
        Tokens(input=bill.read, output=bill.written), None if bill.unpriced else bill.usd, bill.calls
    )
    sent = entry.status in _SENT and bool(entry.commits)
    if entry.status is TaskStatus.NO_CHANGE:
        reason = "nothing was changed"
    else:
        reason = "" if entry.status is TaskStatus.MERGED else entry.reason or str(entry.status)
    return Made(
        RunId(view.id), Oid(entry.tip) if sent else None, reason, usage,
        interrupted=status == "interrupted", signal=ended_by, answers=answers,
    )  # fmt: skip
