"""Holding an agent and everything it starts: bubblewrap where it works, process bookkeeping elsewhere.

An agent that is not trusted is shut into a sandbox, see ``shared.sandbox``. The others are kept from doing harm by
mistake: with bubblewrap an agent runs in a PID namespace of its own, so that no ``setsid``, double fork or
``nohup`` outlives it, and the user's checkout, git's directory and the other worktrees are mounted read-only
for it. Without it, the manager is made a subreaper (Linux), the agent's process group and all its descendants
are killed when it ends, and writes outside the worktree are found afterwards by fingerprints.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from shared.model import Containment
from shared.sandbox.building import Tools, command_line
from shared.sandbox.environment import passed_on
from shared.sandbox.places import SYSTEM

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
SESSION_VARIABLE = "SPINNEY_SESSION"  # marks every process of one orchestrator
TASK_VARIABLE = "SPINNEY_TASK"  # marks the agents of one task


def find_bubblewrap() -> str:
    """The path of bubblewrap, or an empty string; whether it works here is for ``probe`` to find out."""
    program = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")
    if program is None or os.environ.get("SPINNEY_NO_BUBBLEWRAP"):
        return ""
    return program


def probe(program: str) -> list[str]:
    """A command that succeeds where ``program`` can make namespaces."""
    return [*_namespace(program), "true"]


def _namespace(program: str) -> list[str]:
    return [program, "--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--die-with-parent"]


def contained(containment: Containment, argv: Sequence[str]) -> list[str]:
    """``argv`` inside the containment; unchanged where there is none.

    In a sandbox it is to be started with what ``environment_in`` says and nothing of the user's.
    """
    if containment.sandbox is not None:
        return command_line(containment.program, containment.sandbox, argv, tools())
    if not containment.program:
        return list(argv)
    wrapped = _namespace(containment.program)
    for path in containment.protect:
        wrapped += ["--ro-bind-try", path, path]
    for path in containment.writable:
        wrapped += ["--bind-try", path, path]
    for path in containment.closed:
        wrapped += ["--ro-bind-try", path, path]
    return [*wrapped, "--", *argv]


def environment_in(containment: Containment, environment: Mapping[str, str]) -> dict[str, str]:
    """What of ``environment`` a process inside the containment gets: all of it outside of a sandbox."""
    if containment.sandbox is None:
        return dict(environment)
    return passed_on(containment.sandbox, environment)


@cache
def tools() -> Tools:
    """What this machine has for setting up a sandbox from the inside."""
    return Tools(
        limiter=shutil.which("prlimit", path="/usr/bin:/bin") or "",
        # Not the one of a virtual environment, which is only a link to it.
        python=os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
        prefix=sys.base_prefix,
        forwarder=str(Path(__file__).with_name("forward.py")),
        links={place: os.readlink(place) for place in SYSTEM if os.path.islink(place)},
    )


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, and to give it its orphans (Linux)."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents() -> dict[int, list[int]]:
    """Children by parent, from one pass over /proc; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = entry.read_text()
            parent = int(text.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    return children


def descendants(pid: int) -> set[int]:
    """Every process below ``pid`` now."""
    children = _parents()
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def work_done(pid: int) -> int:
    """Processor time of ``pid`` and everything below it, in clock ticks; 0 where there is no /proc.

    It need not grow evenly, since what a child used counts only once somebody has waited for it; but it
    stands still only where nothing works.
    """
    ticks = 0
    for one in (pid, *descendants(pid)):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])  # its own and its children's, user and system
    return ticks


def kill_all(group: int, known: set[int]) -> None:
    """Kill a process group and the processes ``known`` to have been started by it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    for pid in known:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kill_marked(mark: str) -> None:
    """Kill what an agent left below this process after leaving its group.

    ``setsid`` and double forks end up as children of this process because it is a subreaper; they are told
    apart by ``mark``, which their environment carries. Does nothing where there is no /proc.
    """
    _until_none_is_left(lambda: _kill_marked_now(mark))


def _kill_marked_now(mark: str) -> int:
    killed = 0
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(pid, signal.SIGKILL)
                killed += 1
                os.waitpid(pid, 0)  # only this one: others have owners that wait for them
    return killed


def kill_session(session: str, task: str | None = None) -> None:
    """Kill every process of this user that carries ``session`` in its environment, except this one.

    With ``task`` only the agents of that task.
    """
    _until_none_is_left(lambda: _kill_session_now(session, task))


def _kill_session_now(session: str, task: str | None) -> int:
    import psutil

    killed = 0
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            environ = process.environ()
            if environ.get(SESSION_VARIABLE) == session and task in (None, environ.get(TASK_VARIABLE)):
                process.kill()
                killed += 1
    return killed


def _until_none_is_left(kill: Callable[[], int]) -> None:
    """One look is not enough: a shell whose child was killed may start the next one before it is killed itself."""
    for _ in range(100):
        if kill() == 0:
            return


class Pipe(Protocol):
    """The reading end of a connection."""

    def recv_bytes(self) -> bytes: ...


def watch_and_kill(pipe: Pipe, session: str) -> None:
    """Wait until the writer of ``pipe`` is gone, then leave no process of the session alive.

    Runs in a process of its own. The orchestrator holds the only writing end, so the kernel tells of its
    death however it died, ``kill -9`` included.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.setsid()
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.recv_bytes()
    kill_session(session)
