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
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from shared.containment import descendants, kill_all, kill_marked, work_done
from shared.errors import SpinneyError
from shared.interrupting import called
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
    stdin: Path | None = None,
    interrupt: str = "",
    extra: Callable[[], float] | None = None,
) -> End:
    """Run ``argv`` in a session of its own until it exits, times out or is cancelled.

    Standard output and error arrive together in ``on_output``. When it ends, everything that it started
    ends too. ``on_work`` is called now and then while it uses a processor, however silent it is. ``grace`` is
    the time in seconds between SIGTERM and SIGKILL. It reads the file ``stdin``, or nothing.

    ``interrupt`` names a program among what it starts that says what it has done when it is sent SIGINT: it
    gets that, and ``grace`` seconds, before everything gets SIGTERM. ``extra`` says how many seconds it may
    take beyond ``timeout``; it is asked now and then, and may say more each time. Blocks; call it from a thread.
    """
    watch = _Watch(on_output, timeout, cancel, on_work, grace, interrupt, extra)
    with timed(argv[0]) as timing:
        try:
            with open(stdin or os.devnull, "rb") as given:
                status, reason = _watched(argv, cwd, env, given.fileno(), watch)
        except _NotStarted as error:
            on_output(f"cannot start {argv[0]}: {error}\n".encode())
            status, reason = 127, EndReason.EXITED
    return End(status, reason, timing.seconds)


class _NotStarted(Exception):
    """The process could not be started."""


@dataclass(slots=True)
class _Watch:
    """What is done while a process runs, and when it has run for long enough."""

    on_output: Callable[[bytes], None]
    timeout: float | None
    cancel: Cancel | None
    on_work: Callable[[], None] | None
    grace: float
    interrupt: str
    extra: Callable[[], float] | None
    started: float = field(default_factory=time.monotonic)
    look_at: float = field(default_factory=lambda: time.monotonic() + _ALIVE_SECONDS)
    worked: int = 0  # clock ticks, at the last look
    granted: float = 0.0  # seconds beyond the timeout

    @property
    def deadline(self) -> float | None:
        return self.started + self.timeout + self.granted if self.timeout else None

    @property
    def wake(self) -> float | None:
        """When something is due although nothing happens."""
        looks = self.on_work is not None or self.extra is not None
        return min(filter(None, (self.deadline, self.look_at if looks else None)), default=None)

    def look(self, pid: int) -> None:
        """Now and then: does it work, and how much longer may it take?"""
        if time.monotonic() < self.look_at:
            return
        self.look_at = time.monotonic() + _ALIVE_SECONDS
        if self.extra is not None:
            self.granted = self.extra()
        if self.on_work is not None:
            before, self.worked = self.worked, work_done(pid)
            if self.worked != before:
                self.on_work()

    def over(self) -> EndReason | None:
        """Why it has to end now, if it has to."""
        if self.cancel is not None and self.cancel.is_set:
            return EndReason.CANCELLED
        if self._late() and self.extra is not None:
            self.granted = self.extra()
        return EndReason.TIMEOUT if self._late() else None

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


def _watched(
    argv: Sequence[str], cwd: str | Path, env: Mapping[str, str], stdin: int, watch: _Watch
) -> tuple[int, EndReason]:
    mark = uuid.uuid4().hex
    child = _started(argv, cwd, {**env, "SPINNEY_MARK": mark}, stdin)
    assert child.stdout is not None
    output = child.stdout.fileno()
    reason = EndReason.EXITED
    family: set[int] = set()
    try:
        with _exit_watch(child.pid) as exited:
            while True:
                ready = _wait(output, exited, watch.cancel, watch.wake)
                watch.look(child.pid)
                if output in ready:
                    output = _read(output, watch.on_output)
                if child.poll() is not None:  # asked each time: a flood of output must not drown it
                    break
                over = watch.over()
                if over is not None:
                    reason, family = over, descendants(child.pid)
                    output = _told_to_end(child, output, exited, family, watch)
                    break
    finally:
        kill_all(child.pid, family)
        if child.poll() is None:
            child.kill()
        child.wait()
        if Path(argv[0]).name != "bwrap":
            kill_marked(mark)
        _drain(output, watch.on_output)
        child.stdout.close()
    return child.returncode, reason


def _started(
    argv: Sequence[str], cwd: str | Path, env: Mapping[str, str], stdin: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # a NUL character in an argument is a ValueError
        raise _NotStarted(getattr(error, "strerror", None) or error) from error


def _read(output: int, on_output: Callable[[bytes], None]) -> int:
    """Hand on what there is; returns ``output``, or -1 once it is closed: the process may go on silently."""
    data = os.read(output, _READ)
    if not data:
        return -1
    on_output(data)
    return output


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


def _told_to_end(
    child: subprocess.Popen[bytes], output: int, exited: int, family: set[int], watch: _Watch
) -> int:
    """Ask it to end, hearing what it still says: a full pipe would keep it from ending. Returns ``output``."""
    named = called(watch.interrupt, {child.pid, *family}) if watch.interrupt else set()
    for pid in named:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGINT)
    if named:
        output = _heard_out(child, output, exited, watch)
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGTERM)
        output = _heard_out(child, output, exited, watch)
    return output


def _heard_out(child: subprocess.Popen[bytes], output: int, exited: int, watch: _Watch) -> int:
    """Hand on its output until it ends, for the time of grace at most. Returns ``output``."""
    until = time.monotonic() + watch.grace
    while child.poll() is None and time.monotonic() < until:
        if output in _wait(output, exited, None, until):
            output = _read(output, watch.on_output)
    return output


def _drain(output: int, on_output: Callable[[bytes], None]) -> None:
    """Hand on what is left in the pipe, without waiting for whoever still holds its other end."""
    if output < 0:
        return
    os.set_blocking(output, False)
    with contextlib.suppress(BlockingIOError):
        while data := os.read(output, _READ):
            on_output(data)
