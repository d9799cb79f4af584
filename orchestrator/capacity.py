"""What this machine can carry: agents at once, tasks open at a time, disk for their worktrees."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.errors import UserError
from shared.git.program import Git
from shared.model import Oid

_AGENT_BYTES = 512 * 1024 * 1024  # memory set aside for a command of which nothing is known
_SPARE_BYTES = 256 * 1024 * 1024  # disk that is left free


def default_jobs() -> int:
    """Agents at once: one a processor, fewer where memory is short."""
    return max(1, min(processors(), int(psutil.virtual_memory().available // _AGENT_BYTES)))


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
    place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    return Disk(total, shutil.disk_usage(place).free)


def refuse_full_disk(disk: Disk, worktrees: int) -> None:
    """Raise UserError where the worktrees would not fit."""
    if disk.needed(worktrees) + _SPARE_BYTES > disk.free:
        raise UserError(
            f"{worktrees} worktrees need {megabytes(disk.needed(worktrees))}, and {megabytes(disk.free)} are free",
            "free some disk, or run fewer at a time: --jobs 1",
        )


def megabytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MB"
