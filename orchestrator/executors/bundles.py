"""Managers that ran elsewhere, as jobs: what each handed back is examined, taken in, and told as if it ran here.

So merging, the gate, pull requests and reports are the same code as for every other run. Whatever comes out of a job
is written by somebody who could be anybody: it is refused for that task alone, with the reason, and its siblings go on.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from orchestrator.executors.examination import Examined, Refused, examine
from orchestrator.executors.port import ManagerGone, ManagerSaid, Post
from orchestrator.fan_out.handed import Handed
from orchestrator.fan_out.result import Outcome, Result
from orchestrator.fan_out.telling import strangers, told
from shared.clock import Clock
from shared.errors import SpinneyError
from shared.git import bundles
from shared.git.repository import move_ref, open_repository, read_ref
from shared.messages import FromManager, Stop, TaskEnded, ToManager
from shared.model import Assignment, Identity, Oid, TaskId, TaskOutcome, TaskResult
from shared.text import first_sentence

_SKEW = 300.0  # seconds by which the clocks of two machines may differ
_REASON = 600  # characters
_OUTCOMES: Mapping[Outcome, tuple[TaskOutcome, str]] = {
    "done": (TaskOutcome.DONE, ""),
    "no-change": (TaskOutcome.NO_CHANGE, "nothing was changed"),
    "failed": (TaskOutcome.FAILED, "its job failed"),
    "interrupted": (TaskOutcome.FAILED, "its job was interrupted"),
    "skipped": (TaskOutcome.FAILED, "its job did not begin it"),
}


class BundleExecutor:
    """Takes in one result after another, in a thread of its own."""

    at_once = 0

    def __init__(
        self,
        handed: Mapping[TaskId, Sequence[Handed]],
        *,
        digest: str,
        made: float,
        clock: Clock,
        identity: Identity | None,
    ) -> None:
        """``digest`` names the plan that the jobs must have had, which was ``made`` then.

        ``identity`` is what they must have committed as; None where their plan does not say it.
        """
        self._handed, self._digest, self._made, self._clock = handed, digest, made, clock
        self._identity = identity
        self._stopped: set[TaskId] = set()
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="bundles")

    def warm_up(self) -> None:
        pass

    def prepare_for(self, backends: frozenset[str]) -> None:
        pass

    def ready(self) -> None:
        pass

    def start(self, assignment: Assignment, post: Post) -> None:
        self._stopped.discard(assignment.task.id)
        self._pool.submit(self._hand_over, assignment, post)

    def send(self, task: TaskId, message: ToManager) -> None:
        if isinstance(message, Stop):
            self._stopped.add(task)

    def kill(self, task: TaskId) -> None:
        self._stopped.add(task)

    def close(self) -> None:
        self._closing.set()
        self._pool.shutdown(wait=True)

    def _hand_over(self, assignment: Assignment, post: Post) -> None:
        task = assignment.task.id
        try:
            said = self._said(assignment)
        except SpinneyError as error:
            said = [_failed(assignment, f"what its job handed back is refused: {error.message}")]
        except Exception as error:  # noqa: BLE001 - a worker's entry
            said = [_failed(assignment, f"what its job handed back could not be taken in: {error!r}")]
        for message in said:
            post(ManagerSaid(task, assignment.attempt, message))
        post(ManagerGone(task, assignment.attempt, "ended"))

    def _said(self, assignment: Assignment) -> list[FromManager]:
        task = assignment.task
        if task.id in self._stopped or self._closing.is_set():
            return [TaskEnded(TaskResult(task.id, TaskOutcome.INTERRUPTED, assignment.base))]
        handed = self._handed.get(task.id, ())
        if not handed:
            return [_failed(assignment, "its job handed nothing back")]
        if len(handed) > 1:
            places = ", ".join(str(one.result) for one in handed)
            raise Refused(f"it is there more than once: {places}")
        result = handed[0].read()
        self._check(assignment, result)
        examined = _take_in(assignment, result, handed[0], self._identity)
        window = (self._made - _SKEW, self._clock.now())
        return [*told(result, examined.commits, window), TaskEnded(_ended(assignment, result, examined))]

    def _check(self, assignment: Assignment, result: Result) -> None:
        task = assignment.task
        if result.plan != self._digest:
            raise Refused("it is of another plan")
        if result.task != task.id:
            raise Refused(f"it is of another task, {first_sentence(result.task, 64)!r}")
        if wrong := strangers(task, result):
            raise Refused(wrong)
        changed = result.tip != result.base
        if (result.outcome == "done" and not changed) or (result.outcome == "no-change" and changed):
            raise Refused(f"it says {result.outcome!r}, and its branch says otherwise")


def _take_in(assignment: Assignment, result: Result, handed: Handed, identity: Identity | None) -> Examined:
    """Move the task's branch to what its bundle holds, if there is one. Raises Refused or GitError."""
    if result.tip == result.base:
        return Examined((), ())
    branch, tip = f"refs/heads/{assignment.task.branch}", Oid(result.tip)
    git_dir = assignment.facts.git_dir
    there = read_ref(open_repository(git_dir), branch)
    with bundles.unpacked(git_dir, handed.bundle) as bundle:
        if bundle.refs != ((branch, tip),):
            names = ", ".join(first_sentence(f"{name} at {at[:10]}") for name, at in bundle.refs[:5])
            raise Refused(f"its bundle has {names or 'no ref'}, not {branch} at {tip[:10]} alone")
        examined = examine(bundle.repo, assignment, tip, there, identity)
        bundle.keep()
    repo = open_repository(git_dir)
    now = read_ref(repo, branch)
    if now != tip:
        # Interrupted work that was pushed before is on the branch already, and the job went on after it.
        if now != assignment.base and now not in {one.oid for one in examined.commits}:
            raise Refused(f"{assignment.task.branch} has moved here since its job began")
        move_ref(repo, branch, tip, old=now, why="spinney: handed back by its job")
    return examined


def _ended(assignment: Assignment, result: Result, examined: Examined) -> TaskResult:
    """What becomes of the task here; an interrupted one keeps its branch for the next run, and is not waited for."""
    outcome, fallback = _OUTCOMES[result.outcome]
    reason = result.reason or fallback
    if result.outcome == "interrupted" and examined.commits:
        reason += "; the next run goes on from its branch"
    tip = Oid(result.tip) if examined.commits else assignment.base
    shown = first_sentence(reason, _REASON)
    return TaskResult(assignment.task.id, outcome, tip, examined.commits, shown, examined.paths)


def _failed(assignment: Assignment, reason: str) -> TaskEnded:
    shown = first_sentence(reason, _REASON)
    return TaskEnded(TaskResult(assignment.task.id, TaskOutcome.FAILED, assignment.base, (), shown))
