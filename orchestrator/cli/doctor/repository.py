"""What this repository is like, and what earlier runs left in it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.doctor.checks import Check, size

if TYPE_CHECKING:
    from orchestrator.runs import Place

_STALE_SECONDS = 60.0  # a lock file of git's that is older belongs to nobody who is still at work


def identity(folder: Path) -> Iterator[Check]:
    from shared.git.repository import user_identity

    who = user_identity(folder)
    yield Check("ok", "identity", f"{who.name} <{who.email}>")


def fitness(place: Place) -> Iterator[Check]:
    from shared.git.repository import head_commit, open_repository, refuse_unfit

    repo = open_repository(place.git_dir)
    head = head_commit(repo)
    notes = refuse_unfit(repo, head)
    for note in notes:
        yield Check("warn", "fitness", note)
    if not notes:
        yield Check("ok", "fitness", f"runs can start from {head[:10]}")


def configuration(place: Place) -> Iterator[Check]:
    from orchestrator.cli.init import check
    from orchestrator.intake.reader import CONFIGURATION

    path = place.checkout / CONFIGURATION
    if not path.is_file():
        yield Check("ok", CONFIGURATION, "none: every default holds (spinney init writes one)")
        return
    check(path.read_bytes(), CONFIGURATION)
    yield Check("ok", CONFIGURATION, "valid")


def models(place: Place) -> Iterator[Check]:
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


def disk(place: Place) -> Iterator[Check]:
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
        f"a worktree takes {size(disk.worktree)}, {count} of them {size(disk.needed(count))}; "
        f"{size(disk.free)} are free at {place.worktrees}",
    )


def runs(place: Place) -> Iterator[Check]:
    from orchestrator.cli.status import look, worked_on
    from orchestrator.composition.unfinished import command_for
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
                f"go on with it: {command_for(standing.view)}",
                f"or give it up: spinney clean --run {run}",
            )
            yield Check("warn", "runs", f"{run} {what} and is not finished", hints)
            told = True
    if not told:
        yield Check("ok", "runs", f"{len(place.runs())} on record, all finished")


def worktrees(place: Place) -> Iterator[Check]:
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


def locks(place: Place) -> Iterator[Check]:
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
