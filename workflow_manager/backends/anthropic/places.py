"""What an agent may name: paths in its worktree, its task's ``.tasks``, and which of them it may write. Pure.

Whether something is a link is for ``beneath`` to find out; here a path is judged by its text alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shared.globs import matches_any
from workflow_manager.beneath import Unreachable

TASK_FOLDER = ".tasks"


@dataclass(frozen=True, slots=True)
class Place:
    """A path below ``root``; ``shown`` is how the agent knows it."""

    root: Path
    parts: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Places:
    worktree: Path
    tasks: Path  # the task's .tasks; a worktree of an agent's own holds only a link to it
    agent: str
    writes: tuple[str, ...] | None = None  # None: anywhere

    def find(self, path: str) -> Place:
        """The place that ``path`` names, relative to the worktree or absolute. Raises Unreachable."""
        parts = self._parts(path)
        shown = "/".join(parts) or "."
        if any(part.casefold() in (".git", "git~1") for part in parts):
            raise Unreachable(f"{shown} belongs to git, which nobody may touch here")
        if parts and parts[0] == TASK_FOLDER:
            return Place(self.tasks, parts[1:], shown)
        return Place(self.worktree, parts, shown)

    def _parts(self, path: str) -> tuple[str, ...]:
        if not path.strip() or "\0" in path:
            raise Unreachable("an empty path, or one with a NUL character")
        named = PurePosixPath(path)
        if named.is_absolute():
            if not named.is_relative_to(self.worktree):
                raise Unreachable(f"{path} is outside the worktree {self.worktree}")
            named = named.relative_to(self.worktree)
        if ".." in named.parts:
            raise Unreachable(f"{path} goes up by `..`; name it from the worktree's top")
        return named.parts

    def find_to_write(self, path: str) -> Place:
        """As ``find``, for a file that is to be written. Raises Unreachable also for what it may not write."""
        place = self.find(path)
        if not place.parts:
            raise Unreachable(f"{place.shown} is a folder")
        if place.root == self.tasks:
            if place.parts[0] != self.agent.partition("/")[0] or len(place.parts) < 2:
                raise Unreachable(
                    f"{place.shown} is not yours: in {TASK_FOLDER} write to your own folder only"
                )
        elif self.writes is not None and not matches_any(self.writes, place.shown):
            allowed = ", ".join(self.writes) or "nothing"
            raise Unreachable(f"you may not write {place.shown}, only {allowed}")
        return place
