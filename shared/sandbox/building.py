"""A sandbox as bubblewrap's command line. Pure.

Nothing is there but what is named. The order matters: later mounts lie over earlier ones, and the root becomes
read-only last, so that no file can be put into memory where no limit counts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.model import Sandbox
from shared.sandbox import GATEWAY_PORT
from shared.sandbox.places import SETTINGS, SETTINGS_FOLDERS, SYSTEM, within

_SOCKET, _FORWARDER = "/run/spinney/gateway.sock", "/run/spinney/forward.py"
_SHARED_MEMORY = 256 * 1024**2  # bytes in /dev/shm
_TEMPORARY = "/tmp"  # noqa: S108 - the sandbox's own
_NAMESPACES = (
    *(
        "--unshare-user",
        "--disable-userns",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
    ),
    *("--unshare-cgroup-try", "--hostname", "spinney", "--die-with-parent", "--new-session"),
    *("--cap-drop", "ALL"),
)
# What has to happen before bubblewrap starts: be the first to be killed when memory runs out, be counted
# with all of the sandbox, hold the filter of system calls ready.
_START = """\
calls=$1; shift
(echo 1000 >/proc/$$/oom_score_adj) 2>/dev/null
while test "$1" != --; do
  echo $$ >"$1/cgroup.procs" || exit 125
  shift
done
shift
if test -n "$calls"; then exec 9<"$calls" || exit 125; fi
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the machine has for setting up a sandbox from the inside."""

    limiter: str = ""  # prlimit; without it no limit holds that a control group does not set
    python: str = ""  # an interpreter, for the forwarder to the gateway
    prefix: str = ""  # where its library is
    forwarder: str = ""  # the source of ``shared.forward``
    links: Mapping[str, str] = field(default_factory=dict)  # system folders that only lead to others


def command_line(program: str, sandbox: Sandbox, argv: Sequence[str], tools: Tools) -> list[str]:
    """``argv`` in ``sandbox``; ``program`` is bubblewrap's path.

    It ends with the status of ``argv``, or with 125 where it cannot be limited as it should.
    """
    starter = ("/bin/sh", "-c", _START, "spinney-sandbox", sandbox.calls, *sandbox.groups, "--")
    filtered = ("--seccomp", "9") if sandbox.calls else ()
    inside = (*_limited(sandbox, tools), *_forwarded(sandbox, tools), *argv)
    return [*starter, program, *_NAMESPACES, *filtered, *_mounts(sandbox, tools), "--", *inside]


def _mounts(sandbox: Sandbox, tools: Tools) -> Iterator[str]:
    size = sandbox.limits.temporary
    for place in SYSTEM:
        if place in tools.links:  # a mount takes as long as all of a process' start
            yield from ("--symlink", tools.links[place], place)
        else:
            yield from ("--ro-bind-try", place, place)
    if sandbox.etc:
        yield from ("--ro-bind", sandbox.etc, "/etc")
    for place in SETTINGS_FOLDERS if sandbox.etc else (*SETTINGS, *SETTINGS_FOLDERS):
        yield from ("--ro-bind-try", place, place)
    yield from ("--proc", "/proc", "--dev", "/dev", *_memory("/dev/shm", _SHARED_MEMORY))  # noqa: S108
    yield from _memory(_TEMPORARY, size)
    if sandbox.home != _TEMPORARY:
        yield from _memory(sandbox.home, size)
    for place in sandbox.read:
        yield from ("--ro-bind-try", place, place)
    for place in sandbox.hide:
        yield from ("--tmpfs", place)
    for place in (sandbox.worktree, *sandbox.write):
        yield from ("--bind", place, place)
    for source, place in (*sandbox.show, *_gateway(sandbox, tools)):
        yield from ("--ro-bind", source, place)
    # Files in /proc belong to the machine: without capabilities, too, root may write its settings there.
    for place in ("/proc", "/dev", *sandbox.hide, "/"):
        yield from ("--remount-ro", place)


def _memory(place: str, size: int) -> tuple[str, ...]:
    return ("--size", str(size), "--tmpfs", place)


def _gateway(sandbox: Sandbox, tools: Tools) -> Iterator[tuple[str, str]]:
    """What the forwarder needs."""
    if sandbox.socket:
        if not any(within(tools.prefix, root) for root in SYSTEM):
            yield tools.prefix, tools.prefix
        yield sandbox.socket, _SOCKET
        yield tools.forwarder, _FORWARDER


def _limited(sandbox: Sandbox, tools: Tools) -> Iterator[str]:
    """Limits of each process, and of all together where the kernel counts those of a user namespace.

    Memory only where no control group counts it: programs reserve far more than they use.
    """
    if not tools.limiter:
        return
    limits = sandbox.limits
    yield from (tools.limiter, f"--nproc={limits.processes}", f"--fsize={limits.file_size}", "--core=0")
    if not sandbox.groups:
        yield f"--data={limits.memory}"
    yield "--"


def _forwarded(sandbox: Sandbox, tools: Tools) -> tuple[str, ...]:
    """Start the forwarder before the command; ``-I -S``: nothing of the agent's is imported."""
    if not sandbox.socket:
        return ()
    return (tools.python, "-I", "-S", _FORWARDER, _SOCKET, str(GATEWAY_PORT), "--")
