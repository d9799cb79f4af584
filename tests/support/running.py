"""The console script as a process of its own: started, watched, killed, and nothing of it left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.repository import Repo, git_environment

SPINNEY = str(Path(sys.executable).with_name("spinney"))
MARK = "TEST_MARK"  # inherited by everything that a test starts, the agents of a batch included
SECONDS = 60.0  # after which a test gives up on a process


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks of ``--json`` by their ids."""
        return {task["id"]: task for task in self.json["tasks"]}

    @property
    def statuses(self) -> dict[str, str]:
        return {name: task["status"] for name, task in self.tasks.items()}


def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Wait for ``condition`` and return its value; fails the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.01)


@dataclass(slots=True)
class Spinney:
    """Runs the console script in one repository."""

    repo: Repo
    bubblewrap: bool = True
    extra: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _sessions: set[str] = field(default_factory=set)

    def environment(self) -> dict[str, str]:
        env = {**git_environment(), MARK: self.mark, **self.extra}
        if not self.bubblewrap:
            env["SPINNEY_NO_BUBBLEWRAP"] = "1"
        return env

    def __call__(self, *arguments: str, cwd: Path | None = None) -> Done:
        done = subprocess.run(
            [SPINNEY, *arguments],
            cwd=cwd or self.repo.path,
            env=self.environment(),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [SPINNEY, *arguments],
            cwd=self.repo.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> Done:
        """Wait for a started process."""
        out, err = process.communicate(timeout=SECONDS)
        return Done(process.returncode, out.decode(), err.decode())

    def batch(self, text: str, name: str = "batch.yaml") -> str:
        """Write a batch file beside the checkout; returns its path."""
        path = self.repo.path.parent / name
        path.write_text(text)
        return str(path)

    # --- processes

    def alive(self) -> list[psutil.Process]:
        """Everything that descends from what was started here, zombies and the test's own process aside."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environ = process.environ()
                marked = environ.get(MARK) == self.mark
                session = environ.get("SPINNEY_SESSION", "")
                if marked and session:
                    self._sessions.add(session)
                if (marked or session in self._sessions) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def gone(self, seconds: float = 5.0) -> None:
        """Nothing of the session is alive ``seconds`` from now at the latest."""
        deadline = time.monotonic() + seconds
        while left := self.alive():
            if time.monotonic() > deadline:
                names = [" ".join(p.cmdline()) or p.name() for p in left if p.is_running()]
                pytest.fail(f"still alive after {seconds:.0f} s: {names}")
            time.sleep(0.01)

    def clean_up(self) -> None:
        """Kill what a failed test left."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=5)
        for left in self.alive():
            with contextlib.suppress(psutil.Error):
                left.send_signal(signal.SIGKILL)

    # --- what a run left

    def pulls(self) -> list[dict[str, Any]]:
        return list(self("pr", "list", "--state", "all", "--json").json)

    def worktree_folder(self) -> Path:
        return self.repo.path.with_name(self.repo.path.name + ".spinney")

    def admin_folders(self) -> list[str]:
        return sorted(path.name for path in (self.repo.git_dir / "worktrees").glob("*"))

    def lock_files(self) -> list[str]:
        """Lock files of git; Spinney's own are held by the kernel and stay."""
        found = self.repo.git_dir.rglob("*.lock")
        return sorted(str(path) for path in found if (self.repo.git_dir / "spinney") != path.parent)

    def runs(self) -> list[Path]:
        return sorted((self.repo.git_dir / "spinney" / "runs").glob("*"))

    def events(self) -> list[dict[str, Any]]:
        """The journal of the latest run."""
        lines = (self.runs()[-1] / "journal.jsonl").read_bytes().splitlines()
        return [json.loads(line.split(b" ", 2)[2]) for line in lines]


def snapshot(*roots: Path) -> dict[str, tuple[int, int, bytes | str | None]]:
    """Every path below ``roots`` with its mode, time of change and content."""
    found: dict[str, tuple[int, int, bytes | str | None]] = {}
    for root in roots:
        for folder, folders, files in os.walk(root):
            for name in [".", *folders, *files]:
                path = Path(folder, name)
                status = path.lstat()
                content: bytes | str | None = None
                if path.is_symlink():
                    content = os.readlink(path)
                elif path.is_file():
                    content = path.read_bytes()
                found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def has_bubblewrap() -> bool:
    from shared.containment import find_bubblewrap, probe

    program = find_bubblewrap()
    return bool(program) and subprocess.run(probe(program), capture_output=True).returncode == 0


MODES: Mapping[str, bool] = {"bubblewrap": True, "bookkeeping": False}


@contextlib.contextmanager
def running(repo: Repo, *, bubblewrap: bool = True) -> Iterator[Spinney]:
    spinney = Spinney(repo, bubblewrap)
    try:
        yield spinney
    finally:
        spinney.clean_up()
