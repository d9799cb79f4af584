"""Watching how much a task's agents leave on disk: no limit of the system's holds a folder, only each file in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.model import Limits

_GIB = 1024**3
_ENTRIES = 1_000_000  # files and folders: empty ones, too, fill a disk


@dataclass(frozen=True, slots=True)
class Room:
    """On a disk: what is free, taken, or the most that may be taken."""

    bytes: int
    entries: int  # files, folders and links

    def reaches(self, other: Room) -> bool:
        """Whether it is as much as ``other`` in one way or the other."""
        return self.bytes >= other.bytes or self.entries >= other.entries

    def __add__(self, other: Room) -> Room:
        return Room(self.bytes + other.bytes, self.entries + other.entries)

    def __sub__(self, other: Room) -> Room:
        return Room(self.bytes - other.bytes, self.entries - other.entries)


def free_room(place: str) -> Room:
    """What an ordinary user may still write where ``place`` is, or will be. Raises OSError."""
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    status = os.statvfs(place)
    # Some file systems do not count entries, and say that none are left.
    return Room(status.f_bavail * status.f_frsize, status.f_favail or sys.maxsize)


def held_in(places: Sequence[str], enough: Room) -> Room:
    """What there is below ``places``; counting stops at ``enough``. Links are not followed."""
    size, entries, todo = 0, 0, list(places)
    while todo and not Room(size, entries).reaches(enough):
        try:
            with os.scandir(todo.pop()) as found:
                for entry in found:
                    entries += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    if entries >= enough.entries:
                        break
        except OSError:  # it went away meanwhile
            continue
    return Room(size, entries)


@dataclass(slots=True)
class Growth:
    """All places that a task's agents write to, from when it started.

    To look costs a call each, until there is a reason to count.
    """

    places: list[str]  # those known from the start; none lies inside another
    limit: Room = Room(Limits().worktree, _ENTRIES)
    free: Callable[[str], Room] = free_room
    held: Callable[[Sequence[str], Room], Room] = held_in
    _before: dict[str, Room] = field(init=False)  # what was free, by place

    def __post_init__(self) -> None:
        self._before = {place: self.free(place) for place in self.places}
        for room in self._before.values():
            # Something has to be left for the others, and for writing down what became of this one.
            self.limit = Room(
                min(self.limit.bytes, room.bytes * 4 // 5), min(self.limit.entries, room.entries * 4 // 5)
            )

    def watch(self, place: str) -> None:
        """Count what is in ``place`` as well, which is on a disk that is looked at already."""
        if place not in self.places:
            self.places.append(place)

    def problem(self) -> str:
        """Why the task's agents must be stopped, or nothing."""
        try:
            free = {place: self.free(place) for place in self._before}
        except OSError:
            return ""
        if not any((before - free[place]).reaches(self.limit) for place, before in self._before.items()):
            return ""  # nobody can have written that much
        held = self.held(self.places, self.limit)
        if held.reaches(self.limit):
            return f"its worktree and homes have grown to {self._told(held)}, which is all that one task may have"
        # It was somebody else, so there is nothing to count until what is left to this one has gone as well.
        self._before = {place: room + held for place, room in free.items()}
        return ""

    def _told(self, held: Room) -> str:
        if held.bytes >= self.limit.bytes:
            return f"{held.bytes / _GIB:.1f} GB"
        return f"{held.entries:,} files and folders"
