"""Managers as processes of this machine: children of a forkserver that has preloaded what they need.

Never plain fork (threads and locks would come along), never spawn (a third of a second each). A manager is
in a session of its own, dies with the forkserver, and the forkserver dies with us.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import traceback
import types
from collections.abc import Iterator
from typing import Any

import multiprocess
from multiprocess import connection, forkserver, resource_tracker

from orchestrator.executors.port import ManagerGone, ManagerSaid, Post
from shared.containment import SESSION_VARIABLE, die_with_parent, kill_session, watch_and_kill
from shared.messages import ChannelClosed, FromManager, TaskEnded, ToManager
from shared.model import Assignment, TaskId, TaskOutcome, TaskResult

_PRELOAD = (
    "orchestrator.executors.undisturbed",
    "orchestrator.executors.local",
    "workflow_manager.manager",
    "workflow_manager.backends.command",
    "workflow_manager.backends.scripted",
    "shared.git.worktrees",
    "psutil",
)
# Beyond that, by backend: three seconds and 75 MB that a run without it never pays for.
_HEAVY = {"anthropic": "workflow_manager.backends.anthropic.preload"}
_FREEZING = "orchestrator.executors.freezing"


def _send(pipe: Any, message: object) -> None:
    """As the pipe itself would, but for the pickler: its own one takes 30 times as long for plain data."""
    pipe.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _receive(pipe: Any) -> Any:
    return pickle.loads(pipe.recv_bytes())  # noqa: S301 - written by our own processes


class _PipeChannel:
    """A manager's end of the pipe; sending is safe from any thread."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: FromManager) -> None:
        try:
            with self._lock:
                _send(self._pipe, message)
        except (OSError, ValueError) as error:
            raise ChannelClosed from error

    def receive(self, timeout: float) -> ToManager | None:
        try:
            if not self._pipe.poll(timeout):
                return None
            message: ToManager = _receive(self._pipe)
            return message
        except (EOFError, OSError) as error:
            raise ChannelClosed from error


def _manage(pickled: bytes, pipe: Any) -> None:
    """A manager's process from beginning to end; ``pickled`` is its assignment."""
    assignment: Assignment = pickle.loads(pickled)  # noqa: S301 - written by our own orchestrator
    os.setsid()
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = _PipeChannel(pipe)
    try:
        # Here, because the orchestrator needs none of what it imports; the forkserver has it already.
        from workflow_manager.manager import carry

        carry(assignment, channel)
    except Exception as error:  # noqa: BLE001 - a worker's entry
        place = traceback.format_exc().strip().splitlines()
        reason = f"a bug in Spinney's manager: {error!r} at {place[-3].strip() if len(place) > 2 else '?'}"
        with contextlib.suppress(ChannelClosed):
            task = assignment.task.id
            channel.send(TaskEnded(TaskResult(task, TaskOutcome.FAILED, assignment.base, (), reason)))
    finally:
        pipe.close()
        os._exit(0)  # daemon threads of agents must not keep it


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Children would import the console script again as their main module; there is nothing in it for them."""
    real = sys.modules["__main__"]
    blank = types.ModuleType("__main__")
    blank.__spec__ = None
    sys.modules["__main__"] = blank
    try:
        yield
    finally:
        sys.modules["__main__"] = real


def _forget_servers() -> None:
    """They were killed with the rest. The next run of this process starts others: that is nothing to be warned of."""
    for server in (forkserver._forkserver, resource_tracker._resource_tracker):
        with contextlib.suppress(ChildProcessError, FileNotFoundError):
            server._stop()


class LocalExecutor:
    """One process a manager, and one that watches over the orchestrator's own death."""

    at_once = 0

    def __init__(self) -> None:
        self._context = multiprocess.get_context("forkserver")
        self._processes: dict[TaskId, tuple[Any, Any]] = {}
        self._posts: dict[int, tuple[Assignment, Any, Any, Post]] = {}
        self._wake_read, self._wake_write = os.pipe()
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._watch_pipe: Any = None
        self._closing = False
        self._preparing: threading.Thread | None = None

    def warm_up(self) -> None:
        self._serve()

    def prepare_for(self, backends: frozenset[str]) -> None:
        heavy = [module for name, module in _HEAVY.items() if name in backends]
        if heavy and self._reader is None and self._preparing is None:
            self._preparing = threading.Thread(target=self._serve, args=heavy, name="forkserver", daemon=True)
            self._preparing.start()

    def _serve(self, *heavy: str) -> None:
        """Start the forkserver; with ``heavy`` modules in place of the one that has not loaded them.

        Only before the first manager: all of them die with the forkserver that they came from.
        """
        if heavy:
            forkserver._forkserver._stop()  # there is no public way to have it load something else
        self._context.set_forkserver_preload([*_PRELOAD, *heavy, _FREEZING])
        with _without_main():
            forkserver.ensure_running()

    def _watch(self) -> None:
        """Start the watchdog once: it kills what is left of this session when we are gone."""
        if self._watch_pipe is None and (session := os.environ.get(SESSION_VARIABLE)):
            theirs, self._watch_pipe = self._context.Pipe(duplex=False)
            with _without_main():
                self._context.Process(target=watch_and_kill, args=(theirs, session), daemon=False).start()
            theirs.close()

    def ready(self) -> None:
        if self._preparing is not None:
            self._preparing.join()

    def start(self, assignment: Assignment, post: Post) -> None:
        self.ready()
        ours, theirs = self._context.Pipe()
        pickled = pickle.dumps(assignment, pickle.HIGHEST_PROTOCOL)
        process = self._context.Process(target=_manage, args=(pickled, theirs), daemon=True)
        try:
            self._watch()
            with _without_main():
                process.start()
        except (EOFError, OSError) as error:  # the forkserver is gone; the next start makes another one
            ours.close()
            post(ManagerGone(assignment.task.id, assignment.attempt, f"it could not be started: {error!r}"))
            return
        finally:
            theirs.close()
        with self._lock:
            self._processes[assignment.task.id] = (process, ours)
            self._posts[ours.fileno()] = (assignment, process, ours, post)
        os.write(self._wake_write, b"x")
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, name="managers", daemon=True)
            self._reader.start()

    def _read(self) -> None:
        while not self._closing:
            with self._lock:
                pipes = {entry[2]: entry for entry in self._posts.values()}
            for ready in connection.wait([self._wake_read, *pipes]):
                if ready == self._wake_read:
                    os.read(self._wake_read, 4096)
                    continue
                self._receive(*pipes[ready])

    def _receive(self, assignment: Assignment, process: Any, pipe: Any, post: Post) -> None:
        task, attempt = assignment.task.id, assignment.attempt
        try:
            while pipe.poll(0):
                post(ManagerSaid(task, attempt, _receive(pipe)))
        except (EOFError, OSError):
            with self._lock:
                self._posts.pop(pipe.fileno(), None)
                if self._processes.get(task, (None,))[0] is process:
                    del self._processes[task]
            pipe.close()
            process.join(5.0)
            code = process.exitcode
            if code != 0 and (session := os.environ.get(SESSION_VARIABLE)):
                kill_session(session, task)  # its agents, before anybody else works in their worktree
            post(
                ManagerGone(
                    task, attempt, f"exit status {code}" if code is None or code >= 0 else f"signal {-code}"
                )
            )

    def send(self, task: TaskId, message: ToManager) -> None:
        with self._lock:
            entry = self._processes.get(task)
        if entry is not None:
            with contextlib.suppress(OSError, ValueError):
                _send(entry[1], message)

    def kill(self, task: TaskId) -> None:
        with self._lock:
            entry = self._processes.get(task)
        if entry is not None:
            entry[0].kill()

    def close(self) -> None:
        if self._preparing is not None:
            self._preparing.join()
        with self._lock:
            left = list(self._processes.values())
        for process, _ in left:
            process.kill()
        for process, _ in left:
            process.join(5.0)
        self._closing = True
        os.write(self._wake_write, b"x")
        if self._watch_pipe is not None:
            # Here and now, and the watchdog with it: left to itself it would also kill the git and rm that
            # the orchestrator runs from here on.
            kill_session(os.environ.get(SESSION_VARIABLE, ""))
            self._watch_pipe.close()
            _forget_servers()
