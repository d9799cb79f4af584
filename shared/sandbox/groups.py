"""Control groups: one count of memory and processes for everything in a sandbox, where one may be made.

As root with version 1, or with version 2 where the controllers are handed down to us. An ordinary user mostly
may not; then the limits of each process hold, and that of processes in the sandbox's user namespace.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.model import Limits

_PREFIX = "spinney-"  # of a group's name; then the manager's process id
_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Plan:
    """Where groups may be made: folder → what to write there."""

    folders: Mapping[str, Mapping[str, str]]


def plan(membership: str, limits: Limits, root: Path = _ROOT) -> Plan:
    """What a group with ``limits`` takes; ``membership`` is what ``/proc/self/cgroup`` says. Pure."""
    own = dict(_memberships(membership))
    memory, processes = str(limits.memory), str(limits.processes)
    if "memory" in own or "pids" in own:
        places = {
            "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
            "pids": {"pids.max": processes},
        }
        return Plan(
            {f"{root}/{name}{own[name].rstrip('/')}": what for name, what in places.items() if name in own}
        )
    if "" in own:
        # A group with processes of its own hands nothing down, so ours lies beside it.
        beside = own[""].rpartition("/")[0]
        settings = {
            "memory.max": memory,
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": processes,
        }
        return Plan({f"{root}{beside}": settings})
    return Plan({})


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    """(controller, our group) of each line; the one of version 2 has no controller."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if path.startswith("/") and (controllers or number == "0"):
            for controller in controllers.split(","):
                yield controller, path


def make(name: str, limits: Limits) -> tuple[str, ...]:
    """Groups for the sandbox ``name`` of this process, all of them or none; empty ones of the dead are removed."""
    try:
        wanted = plan(Path("/proc/self/cgroup").read_text(), limits)
    except OSError:
        return ()
    made = []
    for folder, settings in wanted.folders.items():
        sweep(Path(folder))
        group = Path(folder, f"{_PREFIX}{os.getpid()}-{name}")
        made.append(group)
        if not _made(group, settings):
            _remove(*made)
            return ()
    return tuple(map(str, made))


def _made(group: Path, settings: Mapping[str, str]) -> bool:
    try:
        group.mkdir(exist_ok=True)
        for file, value in settings.items():
            # Not every kernel counts swap; whatever else is missing means that nothing would be held.
            with contextlib.suppress(*((OSError,) if "sw" in file or "oom" in file else ())):
                _write(group / file, value)
        # Moving a process needs the right to write where both groups hang, too.
        return all(os.access(place / "cgroup.procs", os.W_OK) for place in (group, group.parent))
    except OSError:
        return False


def _write(file: Path, value: str) -> None:
    fd = os.open(file, os.O_WRONLY)  # never made: a group without this file does not hold it
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def sweep(folder: Path, *, own: bool = False) -> None:
    """Remove the groups in ``folder`` whose managers are gone, and with ``own`` those of this process.

    One that is in use cannot be removed, and stays.
    """
    for group in folder.glob(f"{_PREFIX}*"):
        pid = group.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", pid).is_dir() or (own and pid == str(os.getpid())):
            _remove(group)


def release() -> None:
    """Remove every group of this process and of managers that are gone, wherever ``make`` would make one."""
    with contextlib.suppress(OSError):
        for folder in plan(Path("/proc/self/cgroup").read_text(), Limits()).folders:
            sweep(Path(folder), own=True)


def _remove(*groups: Path) -> None:
    for group in groups:
        with contextlib.suppress(OSError):
            group.rmdir()
