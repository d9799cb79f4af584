"""How agents are held, and what those that are not trusted may reach."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Containment:
    """How agents are held. ``program`` is bubblewrap's path, empty where there is none.

    With ``sandbox`` nothing but what it names is there at all; otherwise everything is, some of it read-only.
    """

    program: str = ""
    protect: tuple[str, ...] = ()  # mounted read-only
    writable: tuple[str, ...] = ()  # exceptions inside those
    closed: tuple[str, ...] = ()  # read-only again inside the exceptions
    sandbox: Sandbox | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What everything in one sandbox may use together, where the system can count that; else each process."""

    memory: int = 8 * 1024**3  # bytes
    processes: int = 512
    file_size: int = 4 * 1024**3  # bytes of one file
    temporary: int = 2 * 1024**3  # bytes in /tmp, and as much in the private home
    worktree: int = 16 * 1024**3  # bytes; watched, no system holds it


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What an agent that is not trusted sees: its worktree to write, a few places to read, and no network."""

    worktree: str
    home: str = "/tmp"  # noqa: S108 - private and empty at first, as all of /tmp is there
    read: tuple[str, ...] = ()  # toolchains and system folders, read-only
    hide: tuple[str, ...] = ()  # folders that appear empty
    write: tuple[str, ...] = ()  # more folders to write, each at its own place
    show: tuple[
        tuple[str, str], ...
    ] = ()  # (file or folder, where it appears), read-only; over what is there
    environment: tuple[str, ...] = ()  # names of variables that are passed on, beside the usual ones
    socket: str = ""  # of the gateway; the only way out
    limits: Limits = Limits()
    groups: tuple[str, ...] = ()  # control groups to join, which count for all processes together
    calls: str = ""  # a file with the filter of system calls; empty: none
    etc: str = ""  # a folder that appears as /etc; empty: what of the machine's is harmless, a mount each


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """How the agents of one task reach the models: an address, and a secret that is worth nothing elsewhere."""

    url: str  # http://127.0.0.1:…
    socket: str  # the same server as a unix socket, for sandboxes without a network
    secret: str = field(repr=False)  # of the task; ``shared.callers`` makes tokens of it
