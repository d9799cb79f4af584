"""The one door for starting processes.

``run`` is for short programs whose output we read; ``stream`` is for agents, gates and set-up commands: its
output is handed on as it comes, it can be cancelled, and nothing it started outlives it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shared.containment import descendants, kill_all, kill_marked, work_done
from shared.errors import SpinneyError
from shared.profiling import timed

_READ = 65536
_ALIVE_SECONDS = 2.0  # between looks at whether a silent process works
Conversation = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Completed:
    status: int  # exit status; negative for a signal
    stdout: bytes
    stderr: bytes


class EndReason(StrEnum):
    EXITED = "exited"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class End:
    """How a streamed process ended."""

    status: int
    reason: EndReason
    seconds: float

    @property
    def ok(self) -> bool:
        return self.reason is EndReason.EXITED and self.status == 0

    def __str__(self) -> str:
        if self.reason is EndReason.TIMEOUT:
            return f"timed out after {self.seconds:.0f} s"
        if self.reason is EndReason.CANCELLED:
            return "stopped"
        if self.status < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-self.status).name}"
        return f"exit status {self.status}"


def run(
    argv: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    input: bytes = b"",
    timeout: float | None = None,
) -> Completed:
    """Run a short program to its end. Raises SpinneyError when it cannot be started or takes too long."""
    try:
        done = subprocess.run(
            list(argv), cwd=cwd, env=dict(env), input=input, capture_output=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise SpinneyError(f"cannot start {argv[0]}: {error.strerror}") from error
    except OSError as error:
        raise SpinneyError(f"cannot start {argv[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise SpinneyError(f"{argv[0]} did not end within {timeout:.0f} s") from error
    return Completed(done.returncode, done.stdout, done.stderr)


def converse(argv: Sequence[str], *, cwd: str | Path, env: Mapping[str, str], terminal: int) -> Conversation:
    """Start a long-lived program that talks over ``terminal``, the inner end of a pseudo-terminal."""
    return subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Cancel:
    """A switch that wakes a waiting ``stream`` at once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._event = threading.Event()

    def set(self) -> None:
        if not self._event.is_set():
            self._event.set()
            os.write(self._write, b"x")

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


def stream(
    argv: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    on_output: Callable[[bytes], None],
    timeout: float | None = None,
    cancel: Cancel | None = None,
    on_work: Callable[[], None] | None = None,
    grace: float = 2.0,
) -> End:
    """Run ``argv`` in a session of its own until it exits, times out or is cancelled.

    Standard output and error arrive together in ``on_output``. When it ends, everything that it started
    ends too. ``on_work`` is called now and then while it uses a processor, however silent it is. ``grace`` is
    the time in seconds between SIGTERM and SIGKILL. Blocks; call it from a thread.
    """
    with timed(argv[0]) as timing:
        status, reason = _watched(argv, cwd, env, on_output, timeout, cancel, on_work, grace)
    return End(status, reason, timing.seconds)


def _watched(
    argv: Sequence[str],
    cwd: str | Path,
    env: Mapping[str, str],
    on_output: Callable[[bytes], None],
    timeout: float | None,
    cancel: Cancel | None,
    on_work: Callable[[], None] | None,
    grace: float,
) -> tuple[int, EndReason]:
    started = time.monotonic()
    mark = uuid.uuid4().hex
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**env, "SPINNEY_MARK": mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # a NUL character in an argument is a ValueError
        on_output(f"cannot start {argv[0]}: {getattr(error, 'strerror', None) or error}\n".encode())
        return 127, EndReason.EXITED
    assert child.stdout is not None
    output = child.stdout.fileno()
    deadline = started + timeout if timeout else None
    reason = EndReason.EXITED
    family: set[int] = set()
    worked, look_at = 0, started + _ALIVE_SECONDS
    try:
        with _exit_watch(child.pid) as exited:
            while True:
                wake = min(filter(None, (deadline, look_at if on_work else None)), default=None)
                ready = _wait(output, exited, cancel, wake)
                if on_work is not None and time.monotonic() >= look_at:
                    look_at = time.monotonic() + _ALIVE_SECONDS
                    before, worked = worked, work_done(child.pid)
                    if worked != before:
                        on_work()
                if output in ready:
                    data = os.read(output, _READ)
                    if data:
                        on_output(data)
                    else:
                        output = -1  # closed; the process may go on silently
                if child.poll() is not None:  # asked each time: a flood of output must not drown it
                    break
                if cancel is not None and cancel.is_set:
                    reason = EndReason.CANCELLED
                elif deadline is not None and time.monotonic() >= deadline:
                    reason = EndReason.TIMEOUT
                if reason is not EndReason.EXITED:
                    family = descendants(child.pid)
                    _terminate(child, grace)
                    break
    finally:
        kill_all(child.pid, family)
        if child.poll() is None:
            child.kill()
        child.wait()
        if Path(argv[0]).name != "bwrap":
            kill_marked(mark)
        _drain(output, on_output)
        child.stdout.close()
    return child.returncode, reason


@contextlib.contextmanager
def _exit_watch(pid: int) -> Iterator[int]:
    """A descriptor that becomes readable when ``pid`` exits, or -1 where the system has none."""
    if not hasattr(os, "pidfd_open"):
        yield -1
        return
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


def _wait(output: int, exited: int, cancel: Cancel | None, deadline: float | None) -> set[int]:
    sources: list[int] = [fd for fd in (output, exited) if fd >= 0]
    if cancel is not None:
        sources.append(cancel.fileno())
    timeout = None if exited >= 0 else 0.05
    if deadline is not None:
        left = max(0.0, deadline - time.monotonic())
        timeout = left if timeout is None else min(timeout, left)
    poller = select.poll()
    for fd in sources:
        poller.register(fd, select.POLLIN)
    return {fd for fd, _ in poller.poll(None if timeout is None else int(timeout * 1000) + 1)}


def _terminate(child: subprocess.Popen[bytes], grace: float) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace)


def _drain(output: int, on_output: Callable[[bytes], None]) -> None:
    """Hand on what is left in the pipe, without waiting for whoever still holds its other end."""
    if output < 0:
        return
    os.set_blocking(output, False)
    with contextlib.suppress(BlockingIOError):
        while data := os.read(output, _READ):
            on_output(data)
