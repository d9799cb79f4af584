"""Whether this machine can make a sandbox: one is made, and what is wrong is said with what to do about it."""

from __future__ import annotations

import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared import process
from shared.containment import contained, tools
from shared.errors import SpinneyError
from shared.model import Containment, Limits, Sandbox
from shared.sandbox import groups
from shared.sandbox.calls import call_filter

_SECONDS = 10.0
_PATH = "/usr/local/bin:/usr/bin:/bin"
_INSTALL = "install it: apt-get install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora)"


@dataclass(frozen=True, slots=True)
class Findings:
    """``problem`` is empty where sandboxes work; ``weaker`` is what they hold less well here than elsewhere."""

    problem: str = ""
    hints: tuple[str, ...] = ()
    weaker: tuple[str, ...] = ()


def look(program: str) -> Findings:
    """Make a sandbox with ``program``, the path of bubblewrap or nothing."""
    if sys.platform != "linux":
        return Findings(
            f"there are no sandboxes on {platform.system()}: Spinney makes them with Linux's namespaces",
            ("run Spinney on Linux, for example in a virtual machine or a container",),
        )
    if not program:
        return Findings("bubblewrap is not installed", (_INSTALL,))
    if said := _attempt(program):
        return Findings(_understood(said), _advice(said))
    return Findings(weaker=tuple(_weaker()))


def _attempt(program: str) -> str:
    """What went wrong with a sandbox that does nothing, or nothing."""
    with tempfile.TemporaryDirectory(prefix="spinney-") as folder:
        held = Containment(program, sandbox=Sandbox(folder, home=f"{folder}/home"))
        try:
            done = process.run(contained(held, ["true"]), cwd="/", env={"PATH": _PATH}, timeout=_SECONDS)
        except SpinneyError as error:
            return error.message
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.status == 0 else (said[-1] if said else f"exit status {done.status}")


def _understood(said: str) -> str:
    if "Unknown option" in said:
        return "bubblewrap is too old: Spinney needs 0.8 or newer"
    return f"bubblewrap cannot make a sandbox here: {said}"


def _advice(said: str) -> tuple[str, ...]:
    if "Unknown option" in said:
        return ("install a newer one",)
    return (
        "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces=10000",
        "on Ubuntu 24.04 and newer, allow bubblewrap to make them in its AppArmor profile",
        "inside a container this is its owner's decision",
    )


def _weaker() -> list[str]:
    """What is not as tight as it could be."""
    found = []
    limits = Limits()
    made = groups.make("probe", limits)
    for group in made:
        Path(group).rmdir()
    if not made:
        found.append("memory is limited for each process only: no control group may be made")
    if not call_filter(platform.machine()):
        found.append(f"system calls are not filtered: no filter is known for {platform.machine()}")
    if not tools().limiter:
        found.append("processes and file sizes are not limited: prlimit (util-linux) is missing")
    return found
