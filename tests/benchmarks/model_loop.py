"""Managers whose agents think: what one takes of memory, and how soon it asks its model."""

from __future__ import annotations

import contextlib
import queue
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from orchestrator.executors.local import LocalExecutor
from orchestrator.executors.port import ManagerEvent, ManagerGone, ManagerSaid
from shared.callers import Caller, mint
from shared.containment import find_bubblewrap
from shared.git.repository import open_repository
from shared.git.worktrees import Worktrees, ensure_branch
from shared.messages import SlotGranted, SlotWanted
from shared.model import Assignment, Containment, GatewayAccess, Oid, RepositoryFacts, TaskId
from tests.benchmarks.measure import Figure, copy, template
from tests.support.build import RUN, agent, assignment, phase, task, workflow
from tests.support.messages import Asked, Fault, MessagesServer, Reply
from tests.support.model_agent import Script, create, finish

_SECRET = "a secret of the task's"
_AGENT = agent("CODER", backend="anthropic", prompt="Make a file.")
_SECONDS = 60.0


class Field:
    """A repository, an executor that has loaded the backend, and a server for each manager."""

    def __init__(self, folder: Path, executor: LocalExecutor) -> None:
        repository = copy(template(folder, 20), folder / "models")
        run_dir = repository / ".git" / "spinney" / "runs" / RUN
        run_dir.mkdir(parents=True)
        self._git_dir, self._executor = repository / ".git", executor
        self._facts = RepositoryFacts(
            str(self._git_dir), str(repository), f"{repository}.spinney", str(run_dir)
        )
        self._base = Oid(str(open_repository(self._git_dir).head.target))
        self._worktrees = Worktrees(self._git_dir, Path(self._facts.worktrees))
        self._events: queue.SimpleQueue[ManagerEvent] = queue.SimpleQueue()

    @contextlib.contextmanager
    def server(self, name: str, script: Callable[[Asked], Reply | Fault]) -> Iterator[MessagesServer]:
        caller = Caller(TaskId(name), "work", _AGENT.name)
        with MessagesServer(script, key=mint(_SECRET, caller)) as server:
            yield server

    def assign(self, name: str, server: MessagesServer) -> Assignment:
        made = task(name, workflow=workflow(phase("work", _AGENT)))
        ensure_branch(open_repository(self._git_dir), made.branch, self._base)
        worktree = self._worktrees.create(name, self._base, made.branch)
        one = assignment(
            made,
            facts=self._facts,
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=self._base,
            containment=Containment(find_bubblewrap()),
        )
        return replace(one, gateway=GatewayAccess(server.url, "", _SECRET))

    def start(self, *assignments: Assignment) -> None:
        for one in assignments:
            self._executor.start(one, self._events.put)

    def until(self, over: Callable[[], bool]) -> None:
        """Give every manager its slot until ``over``."""
        deadline = time.monotonic() + _SECONDS
        while not over():
            assert time.monotonic() < deadline, "no request has come"
            with contextlib.suppress(queue.Empty):
                self._take(self._events.get(timeout=0.002))

    def _take(self, event: ManagerEvent) -> None:
        if isinstance(event, ManagerSaid) and isinstance(event.message, SlotWanted):
            self._executor.send(event.task, SlotGranted(event.message.agent))
        elif isinstance(event, ManagerGone):
            self.gone += 1

    gone = 0


@contextlib.contextmanager
def _field(folder: Path) -> Iterator[Field]:
    executor = LocalExecutor()
    executor.warm_up()
    executor.prepare_for(frozenset({"anthropic"}))
    try:
        yield Field(folder, executor)
    finally:
        executor.close()


def first_request(scratch: Path) -> Figure:
    """From a manager's start to its agent's first request, the forkserver being warm."""
    taken = []
    with _field(scratch) as field:
        for number in range(8):
            with field.server(f"t{number}", Script(Reply(tools=[create("a.txt", "x")]), finish())) as server:
                one, gone = field.assign(f"t{number}", server), field.gone
                started = time.monotonic()
                field.start(one)
                field.until(lambda before=gone: field.gone > before)  # type: ignore[misc]
                taken.append(server.asked[0].at - started)
    warm = taken[1:]  # the first one waits for the forkserver
    what = "from a task's start to its agent's first request to a model, forkserver warm"
    detail = f"median of {len(warm)}, longest {max(warm):.2f} s"
    return Figure(what, statistics.median(warm), 0.3, "s", detail)


def memory(scratch: Path) -> Figure:
    """Private memory of managers in the middle of a conversation with a model."""
    turns = [Reply(tools=[create("a.txt", "x")]), Fault.hang(after_events=3)]
    with _field(scratch) as field, contextlib.ExitStack() as stack:
        names = [f"m{number}" for number in range(6)]
        servers = [stack.enter_context(field.server(name, Script(*turns))) for name in names]
        field.start(*(field.assign(name, server) for name, server in zip(names, servers, strict=True)))
        field.until(lambda: all(len(server.asked) == 2 for server in servers))
        used = [_private(process) / 1e6 for process in _managers(servers)]
    assert len(used) == len(names), f"{len(used)} managers were seen"
    detail = f"{len(used)} managers in a conversation; the most {max(used):.1f} MB"
    return Figure(
        "private memory of a manager with the anthropic backend", statistics.median(used), 30, "MB", detail
    )


def _managers(servers: Sequence[MessagesServer]) -> list[psutil.Process]:
    """The processes that hold a connection to one of ``servers``."""
    ports = {int(server.url.rpartition(":")[2]) for server in servers}
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if any(one.raddr and one.raddr.port in ports for one in process.net_connections("tcp"))
    ]


def _private(process: psutil.Process) -> int:
    """Bytes that no other process shares."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(
        int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))
    )


ALL: dict[str, Callable[[Path], Figure]] = {"model-first": first_request, "model-memory": memory}
