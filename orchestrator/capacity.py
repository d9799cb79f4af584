"""What this machine can carry: agents at once, tasks open at a time, disk for their worktrees."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.sizing import SPARE_BYTES, Load, Range, sizes_for
from shared.errors import UserError
from shared.git.program import Git
from shared.model import Machine, Oid, Profile


def machine() -> Machine:
    """What there is to share out among agents now."""
    return Machine(processors(), psutil.virtual_memory().total)


def measure_load(folder: Path) -> Load:
    """What the machine bears now; ``folder`` is where the worktrees go, and may be gone."""
    memory = psutil.virtual_memory()
    return Load(
        memory_free=memory.available,
        memory_total=memory.total,
        per_processor=os.getloadavg()[0] / processors(),
        disk_free=_free(folder),
    )


def _free(folder: Path) -> int:
    """Bytes free in ``folder``, or in the nearest one above it that is there and may be looked at."""
    for place in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return sys.maxsize  # nobody can tell: that is no reason to stop


def sizes(jobs: int, profile: Profile | None) -> Range:
    """How many slots a run on this machine has; memory that others use is not there to be shared out."""
    here = Machine(processors(), psutil.virtual_memory().available)
    return sizes_for(here, jobs, profile)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_tasks(jobs: int) -> int:
    """Tasks that have a worktree at a time: more than can work, so that a free slot finds the next one ready.

    Measured with 24 commands of 2 s on 8 slots: two spare ones leave gaps of a third of a second between
    waves, eight leave none.
    """
    return jobs + min(jobs, 8)


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes: of one worktree's files, and free where the worktrees go."""

    worktree: int
    free: int

    def needed(self, worktrees: int) -> int:
        return self.worktree * worktrees


def measure_disk(git_dir: str, base: Oid, folder: Path) -> Disk:
    """What one checkout of ``base`` takes, and what is free in the nearest existing folder above ``folder``."""
    listed = Git(git_dir).run("ls-tree", "-r", "-l", "-z", "--full-tree", base)
    total = 0
    for entry in listed.split(b"\0"):
        size = entry.partition(b"\t")[0].rsplit(b" ", 1)[-1]
        if size.isdigit():
            total += (int(size) + 4095) // 4096 * 4096
    return Disk(total, _free(folder))


def refuse_full_disk(disk: Disk, worktrees: int) -> None:
    """Raise UserError where the worktrees would not fit."""
    if disk.needed(worktrees) + SPARE_BYTES > disk.free:
        raise UserError(
            f"{worktrees} worktrees need {megabytes(disk.needed(worktrees))}, and {megabytes(disk.free)} are free",
            "free some disk, or run fewer at a time: --jobs 1",
        )


def megabytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MB"
