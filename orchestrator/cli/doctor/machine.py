"""What this machine has."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

from orchestrator.cli.doctor.checks import Check, size


def python() -> Iterator[Check]:
    # An older one than Spinney needs cannot even import this.
    yield Check("ok", "python", f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def packages() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, requires, version

    found, missing = [], []
    try:
        needed = [line for line in requires("spinney") or [] if "extra ==" not in line]
        found.append(f"spinney {version('spinney')}")
    except PackageNotFoundError:
        yield Check("warn", "packages", "spinney itself is not installed as a package")
        return
    for line in needed:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(line)
    if missing:
        yield Check("fail", "packages", f"missing: {', '.join(missing)}", ("pip install --upgrade spinney",))
    else:
        yield Check("ok", "packages", ", ".join(found))


def git() -> Iterator[Check]:
    from shared.git.program import MINIMUM_VERSION, program, version

    number = ".".join(map(str, version()))
    if version() < MINIMUM_VERSION:
        least = ".".join(map(str, MINIMUM_VERSION))
        yield Check("fail", "git", f"{number} is too old", (f"Spinney needs git {least} or newer",))
    else:
        yield Check("ok", "git", f"{number} at {program()}")


def bubblewrap() -> Iterator[Check]:
    from orchestrator.composition.parts import working_bubblewrap
    from shared.containment import find_bubblewrap

    weaker = "agents are held by process bookkeeping and fingerprints only"
    if program := working_bubblewrap():
        yield Check(
            "ok",
            "bubblewrap",
            f"{program} can make namespaces: agents cannot outlive a run or write to the checkout",
        )
    elif sys.platform != "linux":
        yield Check("ok", "bubblewrap", f"there is none on this system: {weaker}")
    elif os.environ.get("SPINNEY_NO_BUBBLEWRAP"):
        yield Check("warn", "bubblewrap", f"switched off by SPINNEY_NO_BUBBLEWRAP: {weaker}")
    elif program := find_bubblewrap():
        yield Check(
            "warn",
            "bubblewrap",
            f"{program} may not make namespaces here: {weaker}",
            ("allow user namespaces; inside a container this is its owner's decision",),
        )
    else:
        yield Check(
            "warn",
            "bubblewrap",
            f"not installed: {weaker}",
            ("install it, for example: apt-get install bubblewrap",),
        )


def sandbox() -> Iterator[Check]:
    """Make one, as model-driven agents and text of strangers need it."""
    from shared.containment import find_bubblewrap
    from shared.sandbox.probe import look

    found = look(find_bubblewrap())
    if os.environ.get("SPINNEY_NO_BUBBLEWRAP"):
        yield Check("warn", "sandbox", "bubblewrap is switched off by SPINNEY_NO_BUBBLEWRAP", ("unset it",))
        return
    if found.problem:
        needed = "agents that a model drives, and text of strangers, are refused"
        yield Check("warn", "sandbox", f"{found.problem}: {needed}", found.hints)
    else:
        yield Check(
            "ok", "sandbox", "agents that are not trusted can be shut in: no network, no home, no secrets"
        )
    for what in found.weaker:
        yield Check("warn", "sandbox", what)


def machine() -> Iterator[Check]:
    import psutil

    from orchestrator.capacity import open_tasks, sizes

    slots = sizes(0, None).first
    jobs = slots.total
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = size(psutil.virtual_memory().available)
    detail = (
        f"{processors} processors, {free} of memory available: {slots.cpu} commands and {slots.model} model agents "
        f"at once, {open_tasks(jobs)} tasks open"
    )
    yield Check("ok", "machine", f"{detail} unless told otherwise")
