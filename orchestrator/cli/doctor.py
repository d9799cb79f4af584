"""``spinney doctor``."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.session import here

if TYPE_CHECKING:
    from orchestrator.runs import Place

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_STALE_SECONDS = 60.0  # a lock file of git's that is older belongs to nobody who is still at work


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    state: Literal["ok", "warn", "fail"]
    what: str
    detail: str
    hints: tuple[str, ...] = ()


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Check this machine and, inside one, this repository. Changes nothing; exit code 1 where something fails."""
    checks = []
    for check in _checks():
        checks.append(check)
        if not as_json:
            _print(check)
    failed = sum(check.state == "fail" for check in checks)
    if as_json:
        shown = {"ok": not failed, "checks": [asdict(check) for check in checks]}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    if failed:
        finish(1)


def _print(check: Check) -> None:
    from shared.text import printable

    mark = click.style(f"{check.state:<4}", fg=_STYLES[check.state])
    click.echo(f"{mark}  {check.what}: {printable(check.detail)}")
    for hint in check.hints:
        click.echo(f"      → {printable(hint)}")


def _checks() -> Iterator[Check]:
    from shared.errors import UserError

    yield from _guarded("python", _python)
    yield from _guarded("packages", _packages)
    yield from _guarded("git", _git)
    yield from _guarded("bubblewrap", _bubblewrap)
    yield from _guarded("sandbox", _sandbox)
    yield from _guarded("machine", _machine)
    try:
        place = here()
    except UserError as error:
        inside = any((folder / ".git").exists() for folder in (Path.cwd(), *Path.cwd().parents))
        yield Check("fail" if inside else "warn", "repository", error.message, error.hints)
        yield from _guarded("identity", lambda: _identity(Path.cwd()))
        return
    yield Check("ok", "repository", str(place.checkout))
    yield from _guarded("identity", lambda: _identity(place.checkout))
    for what, look in (
        ("fitness", _fitness),
        ("spinney.yaml", _configuration),
        ("models", _models),
        ("disk", _disk),
        ("runs", _runs),
        ("worktrees", _worktrees),
        ("locks", _locks),
    ):
        yield from _guarded(what, lambda look=look: look(place))  # type: ignore[misc]


def _guarded(what: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What ``look`` finds; an expected error is a finding too."""
    from shared.errors import InvalidInput, SpinneyError

    try:
        yield from look()
    except InvalidInput as error:
        for problem in error.problems:
            yield Check("fail", what, str(problem))
    except SpinneyError as error:
        yield Check("fail", what, error.message, error.hints)
    except OSError as error:
        yield Check("fail", what, str(error))


# --- the machine


def _python() -> Iterator[Check]:
    # An older one than Spinney needs cannot even import this.
    yield Check("ok", "python", f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def _packages() -> Iterator[Check]:
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


def _git() -> Iterator[Check]:
    from shared.git.program import MINIMUM_VERSION, program, version

    number = ".".join(map(str, version()))
    if version() < MINIMUM_VERSION:
        least = ".".join(map(str, MINIMUM_VERSION))
        yield Check("fail", "git", f"{number} is too old", (f"Spinney needs git {least} or newer",))
    else:
        yield Check("ok", "git", f"{number} at {program()}")


def _bubblewrap() -> Iterator[Check]:
    from orchestrator.composition import working_bubblewrap
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


def _sandbox() -> Iterator[Check]:
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


def _machine() -> Iterator[Check]:
    import psutil

    from orchestrator.capacity import open_tasks, sizes

    slots = sizes(0, None).first
    jobs = slots.total
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = _size(psutil.virtual_memory().available)
    detail = (
        f"{processors} processors, {free} of memory available: {slots.cpu} commands and {slots.model} model agents "
        f"at once, {open_tasks(jobs)} tasks open"
    )
    yield Check("ok", "machine", f"{detail} unless told otherwise")


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


# --- the repository


def _identity(folder: Path) -> Iterator[Check]:
    from shared.git.repository import user_identity

    who = user_identity(folder)
    yield Check("ok", "identity", f"{who.name} <{who.email}>")


def _fitness(place: Place) -> Iterator[Check]:
    from shared.git.repository import head_commit, open_repository, refuse_unfit

    repo = open_repository(place.git_dir)
    head = head_commit(repo)
    notes = refuse_unfit(repo, head)
    for note in notes:
        yield Check("warn", "fitness", note)
    if not notes:
        yield Check("ok", "fitness", f"runs can start from {head[:10]}")


def _configuration(place: Place) -> Iterator[Check]:
    from orchestrator.cli.init import check
    from orchestrator.intake.reader import CONFIGURATION

    path = place.checkout / CONFIGURATION
    if not path.is_file():
        yield Check("ok", CONFIGURATION, "none: every default holds (spinney init writes one)")
        return
    check(path.read_bytes(), CONFIGURATION)
    yield Check("ok", CONFIGURATION, "valid")


def _models(place: Place) -> Iterator[Check]:
    """Whether agents could ask a model. Nothing is asked, and the key is not shown."""
    from orchestrator.composition.models import with_address
    from orchestrator.gateway.keys import find_key
    from orchestrator.intake.reader import configured
    from shared.errors import UserError

    settings = with_address(configured(place.checkout), os.environ)
    models = settings.models
    prices = f"{models.base_url}; prices of {models.prices_of}"
    try:
        key = find_key(os.environ, models)
    except UserError as error:
        missing = settings.backend not in ("command", "scripted")
        yield Check("fail" if missing else "ok", "models", f"no key: {error.message}", error.hints[:3])
        return
    yield Check("ok", "models", f"there is a key in {key.source.removeprefix('the file ')} for {prices}")


def _disk(place: Place) -> Iterator[Check]:
    from orchestrator.capacity import measure_disk, open_tasks, refuse_full_disk, sizes
    from shared.git.repository import head_commit, open_repository

    repo = open_repository(place.git_dir)
    if repo.head_is_unborn:
        return  # told of by another check
    disk = measure_disk(str(place.git_dir), head_commit(repo), place.worktrees)
    count = open_tasks(sizes(0, None).first.total) + 1  # and the gate's
    refuse_full_disk(disk, count)
    yield Check(
        "ok",
        "disk",
        f"a worktree takes {_size(disk.worktree)}, {count} of them {_size(disk.needed(count))}; "
        f"{_size(disk.free)} are free at {place.worktrees}",
    )


def _runs(place: Place) -> Iterator[Check]:
    from orchestrator.cli.status import look, worked_on
    from shared.errors import SpinneyError

    going_on = worked_on(place)
    told = False
    for run in place.runs():
        try:
            standing = look(place, run)
        except SpinneyError as error:
            yield Check("fail", "runs", error.message, error.hints)
            told = True
            continue
        if run == going_on:
            yield Check("ok", "runs", f"{run} is going on", ("follow it: spinney watch",))
            told = True
        elif standing.view.status == "interrupted":
            what = "was killed" if standing.killed else "was interrupted"
            hints = (
                f"go on with it: spinney resume --run {run}",
                f"or give it up: spinney clean --run {run}",
            )
            yield Check("warn", "runs", f"{run} {what} and is not finished", hints)
            told = True
    if not told:
        yield Check("ok", "runs", f"{len(place.runs())} on record, all finished")


def _worktrees(place: Place) -> Iterator[Check]:
    from orchestrator.cli.status import worked_on
    from shared.git.worktrees import TRASH, Worktrees

    names = Worktrees(place.git_dir, place.worktrees).names()
    if worked_on(place):
        yield Check("ok", "worktrees", f"{len(names)} in {place.worktrees}, in use")
        return
    needed = _open_tasks(place)
    left = [name for name in names if name not in needed and name.partition("@")[0] not in needed]
    if (place.worktrees / TRASH).is_dir():
        left.append(TRASH)
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        detail = f"left by finished runs in {place.worktrees}: {shown}"
        yield Check("warn", "worktrees", detail, ("remove them, keeping every commit: spinney clean",))
    else:
        yield Check("ok", "worktrees", "none is left over")


def _open_tasks(place: Place) -> set[str]:
    """Tasks of runs that can be resumed: their worktrees are in use."""
    from shared.errors import StateError

    found: set[str] = set()
    for run in place.runs():
        try:
            view = place.view(run)
        except StateError:  # told of by another check
            continue
        if view.status in ("running", "interrupted"):
            found |= view.tasks.keys()
    return found


def _locks(place: Place) -> Iterator[Check]:
    from orchestrator.cli.status import worked_on

    if not worked_on(place) and _held(place.state / "lock"):
        yield Check(
            "fail",
            "locks",
            f"{place.state / 'lock'} is held, but not by a run that is known here",
            (f"see who: fuser -v {place.state / 'lock'}",),
        )
        return
    old = [lock for lock in _git_locks(place.git_dir) if time.time() - lock.stat().st_mtime > _STALE_SECONDS]
    for lock in old:
        yield Check(
            "warn",
            "locks",
            f"{lock} is left over from a git that was killed, or that is still at work",
            ("if no git is at work in this repository, delete it",),
        )
    if not old:
        yield Check("ok", "locks", "none is in the way")


def _held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _git_locks(git_dir: Path) -> list[Path]:
    """Git's own lock files, not those inside Spinney's folder."""
    return sorted([*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock")])
