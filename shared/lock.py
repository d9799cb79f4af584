"""One orchestrator a repository: a kernel lock, freed by the kernel however its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import psutil

from shared.errors import RepositoryHeld
from shared.files import replace_json

_HOLDER = "holder.json"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: a pid means nothing without the start time and boot it belongs to."""

    pid: int
    started: float
    boot: str
    run: str
    generation: int

    @property
    def alive(self) -> bool:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = self.boot == boot_id() and abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE  # dead, though nobody has asked after it
        return False


def boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return str(psutil.boot_time())


@dataclass(frozen=True, slots=True)
class Record:
    """A file beside a lock that says which process has it, and for which run."""

    path: Path

    def read(self) -> Holder | None:
        """What it says, true or not; None where there is none."""
        try:
            return Holder(**json.loads(self.path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, run: str, generation: int = 0) -> None:
        """That this process has it."""
        me = psutil.Process()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        told = Holder(me.pid, me.create_time(), boot_id(), run, generation)
        replace_json(self.path, asdict(told))


def holder(state: Path) -> Holder | None:
    """What the record beside the repository's lock says, true or not; None where there is none."""
    return Record(state / _HOLDER).read()


def refuse_held(state: Path) -> None:
    """Raise RepositoryHeld at once where another process holds the lock now; takes and writes nothing.

    For commands that have much to read before they take the lock themselves.
    """
    try:
        fd = os.open(state / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _held(state) from None
    finally:
        os.close(fd)


def _held(state: Path) -> RepositoryHeld:
    who = holder(state)
    return RepositoryHeld(
        f"another spinney holds this repository{f' (process {who.pid}, run {who.run})' if who else ''}",
        "watch it: spinney watch",
        "end it: spinney stop",
    )


class RepositoryLock:
    """Proof that this process is the orchestrator of a repository; only ``with`` makes a valid one.

    Raises RepositoryHeld at once when another process holds the lock.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.generation = 0
        self._fd = -1

    def __enter__(self) -> RepositoryLock:
        self.state.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise _held(self.state) from None
        previous = holder(self.state)
        self.generation = previous.generation + 1 if previous else 1
        self.announce("")
        return self

    def announce(self, run: str) -> None:
        """Record who holds the lock and for which run."""
        Record(self.state / _HOLDER).write(run, self.generation)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        self._fd = -1
