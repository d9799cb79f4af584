"""What no test may do: use the user's git configuration, talk to the outside, leave something running."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import socket
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

GRACE = 5.0  # seconds that something on its way out gets
_DROPPED = ("GIT_", "SPINNEY_", "GITHUB_", "XDG_", "ANTHROPIC_")
_DROPPED_NAMES = ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "EDITOR", "VISUAL", "PAGER")
# Helpers of multiprocess that live as long as the test process, and the watchdog of pytest-timeout.
_LASTING_PROCESSES = ("multiprocess.forkserver", "multiprocess.resource_tracker")
_LASTING_THREADS = ("pytest_timeout", "pytest-timeout", "execnet")
_homes = itertools.count(1)


def new_home(base: Path) -> Path:
    home = base / "homes" / str(next(_homes))
    home.mkdir(parents=True)
    return home


def clean_environment(environment: MutableMapping[str, str], home: Path | None = None) -> None:
    """Take out what would lead git or Spinney to the user's settings, and put in what keeps them away."""
    for name in list(environment):
        if name.startswith(_DROPPED) or name in _DROPPED_NAMES:
            del environment[name]
    environment.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null", GIT_TERMINAL_PROMPT="0")
    if home is not None:
        environment["HOME"] = str(home)


class OutsideConnection(OSError):
    """A test wanted to talk to another machine."""


class Network:
    """Refuses every connection and name look-up that is not to this machine, and remembers it."""

    def __init__(self) -> None:
        self._tried: list[str] = []
        self._installed = False

    def install(self) -> None:
        if self._installed:
            return
        self._installed = True
        for name in ("connect", "connect_ex", "sendto"):
            setattr(socket.socket, name, self._guarded(getattr(socket.socket, name)))
        look_up = socket.getaddrinfo

        def guarded_look_up(host: Any, *arguments: Any, **named: Any) -> Any:
            self._check(host)
            return look_up(host, *arguments, **named)

        socket.getaddrinfo = guarded_look_up

    def _guarded(self, real: Any) -> Any:
        def call(self_: socket.socket, *arguments: Any) -> Any:
            if self_.family in (socket.AF_INET, socket.AF_INET6):
                self._check(arguments[-1][0])
            return real(self_, *arguments)

        return call

    def _check(self, host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name in (None, "", "localhost"):
            return
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(name).is_loopback:
                return
        self._tried.append(f"it wanted to connect to {name}")
        raise OutsideConnection(f"tests do not talk to other machines: {name}")

    def refused(self) -> list[str]:
        """What was tried since the last call; a test that swallowed the error fails all the same."""
        tried, self._tried = self._tried, []
        return tried


NETWORK = Network()


@dataclass(frozen=True, slots=True)
class Before:
    """What there was when a test began."""

    environment: dict[str, str]
    folder: str
    threads: frozenset[threading.Thread]
    children: frozenset[int]

    @classmethod
    def now(cls) -> Before:
        children = frozenset(child.pid for child in _children())
        return cls(dict(os.environ), os.getcwd(), frozenset(threading.enumerate()), children)

    def restore(self) -> None:
        os.chdir(self.folder)
        for name in set(os.environ) - set(self.environment):
            del os.environ[name]
        os.environ.update(self.environment)

    def left_behind(self, grace: float | None = None) -> list[str]:
        """Threads and processes that were started since and do not end within ``grace`` seconds (``GRACE``)."""
        grace = GRACE if grace is None else grace
        found = []
        for thread in set(threading.enumerate()) - self.threads:
            if not thread.name.startswith(_LASTING_THREADS):
                thread.join(grace)
                if thread.is_alive():
                    found.append(f"it left the thread {thread.name!r} running")
        children = [child for child in _children() if child.pid not in self.children]
        _, alive = psutil.wait_procs([child for child in children if not _lasting(child)], grace)
        for child in alive:
            with contextlib.suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"it left a process running: {' '.join(child.cmdline()) or child.name()}")
        for child in alive:  # only now: the end of one can be the end of another
            with contextlib.suppress(psutil.Error):
                child.kill()
        return found


def _children() -> list[psutil.Process]:
    """Every descendant; where the kernel tells that there is none, without reading all of /proc."""
    try:
        tasks = Path("/proc/self/task")
        if not any((task / "children").read_text().strip() for task in tasks.iterdir()):
            return []
    except OSError:
        pass
    return psutil.Process().children(recursive=True)


def _lasting(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        command = " ".join(process.cmdline())
        # A manager is forked from the forkserver and has its command line, but not its parent.
        direct = process.ppid() == os.getpid()
        return direct and any(name in command for name in _LASTING_PROCESSES)
    return True  # it is gone
