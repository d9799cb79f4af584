"""Single things that take time, each done by a thread that reports to the inbox and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from orchestrator.inbox import (
    Broken,
    IntegrationStopped,
    Item,
    JobDone,
    Outcome,
    PrepareFailed,
)
from orchestrator.integration import Candidate, Integrator, Verdict
from orchestrator.preparation import Preparation
from shared.errors import Interrupted, SpinneyError
from shared.model import Oid, Task, TaskStatus


class Jobs:
    """Worktrees are made in parallel; merges with their gates one after another."""

    def __init__(
        self,
        post: Callable[[Item], None],
        preparation: Preparation,
        integrator: Integrator,
        workers: int,
        ready: Callable[[], None],
    ) -> None:
        """``ready`` waits until managers can be started."""
        self._post = post
        self._preparation, self._integrator = preparation, integrator
        self._ready = ready
        self._many = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
        self._one = ThreadPoolExecutor(1, thread_name_prefix="integrate")
        self.pending = 0  # handed out and not yet taken from the inbox; counted by the engine's thread

    def taken(self) -> None:
        """The engine has taken a job's outcome from its inbox."""
        self.pending -= 1

    def prepare(self, task: Task, needs: tuple[Oid, ...], base: Oid | None) -> None:
        def work() -> Outcome:
            try:
                prepared = self._preparation.prepare(task, needs, base)
                self._ready()
                return prepared
            except SpinneyError as error:
                return PrepareFailed(task.id, error.message)
            except OSError as error:
                return PrepareFailed(task.id, f"its worktree could not be made: {error}")

        self._submit(self._many, work)

    def integrate(self, candidate: Candidate) -> None:
        task = candidate.task.id

        def work() -> Outcome:
            try:
                return self._integrator.integrate(candidate)
            except Interrupted:
                return IntegrationStopped(task)
            except SpinneyError as error:
                return Verdict(task, TaskStatus.UNMERGED, error.message)
            except OSError as error:
                return Verdict(task, TaskStatus.UNMERGED, f"it could not be integrated: {error}")

        self._submit(self._one, work)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], Outcome]) -> None:
        """Hand ``work`` to a thread; a bug in it ends the run instead of hanging it."""

        def guarded() -> None:
            try:
                outcome = work()
            except Exception as error:  # noqa: BLE001 - the engine's edge
                outcome = Broken(error)
            self._post(JobDone(outcome))

        self.pending += 1
        pool.submit(guarded)

    def close(self) -> None:
        self._many.shutdown(wait=True, cancel_futures=True)
        self._one.shutdown(wait=True, cancel_futures=True)
