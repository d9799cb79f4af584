"""Scratch worktrees of agents that could write the same paths, and bringing them back in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from shared.model import Agent, AgentName, Containment
from workflow_manager.agents import Seat
from workflow_manager.schedule import Conflicted, Ended, StartAgent
from workflow_manager.scratches import Scratch
from workflow_manager.workspace import Conflict, Refusal, Workspace


@dataclass(slots=True)
class _Apart:
    """An agent in a worktree of its own; ``ended`` once it has done its work and waits for its turn."""

    scratch: Scratch
    ended: bool = False


class Folding:
    """Merges scratch worktrees of ended agents, each only after those before it in the workflow's order."""

    def __init__(self, workspace: Workspace, agents: Iterable[Agent], containment: Containment) -> None:
        self._work, self._containment = workspace, containment
        self._place = {agent.name: index for index, agent in enumerate(agents)}
        self._apart: dict[AgentName, _Apart] = {}
        self._conflict: Conflict | None = None
        self._resolver: Scratch | None = None

    def __contains__(self, name: AgentName) -> bool:
        return name in self._apart or (self._resolver is not None and self._resolver.agent.name == name)

    def seat(self, start: StartAgent, tasks: Path, folder: Path) -> Seat:
        """A worktree for this agent alone, and how it is held there. ``tasks`` is the task's ``.tasks``."""
        if start.resolves is not None:
            assert self._conflict is not None
            scratch = self._resolver = self._work.conflicted(self._conflict, start.agent)
        else:
            scratch = self._work.scratch(start.phase.name, start.agent)
            self._apart[start.agent.name] = _Apart(scratch)
        directory = scratch.worktree.path
        (Path(directory) / ".tasks").symlink_to(tasks)
        own = (directory, scratch.worktree.admin_dir)
        held = replace(self._containment, writable=(*self._containment.writable, *own))
        return Seat(
            directory,
            held,
            folder,
            scratch.resolves,
            include=lambda: self._work.include_files(Path(directory)),
            settle=lambda: self._work.scratches.settle(scratch),
        )

    def done(self, name: AgentName) -> Iterator[Ended | Conflicted]:
        """``name`` has done its work: what can be brought back now, in order."""
        if self._resolver is not None and self._resolver.agent.name == name:
            yield self._resolved(self._resolver)
        else:
            self._apart[name].ended = True
        yield from self.ready()

    def ready(self) -> Iterator[Ended | Conflicted]:
        while self._conflict is None and self._apart:
            name = min(self._apart, key=self._place.__getitem__)
            if not self._apart[name].ended:
                return  # it still runs
            yield self._bring_back(name, self._apart.pop(name).scratch)

    def _bring_back(self, name: AgentName, scratch: Scratch) -> Ended | Conflicted:
        try:
            conflict = self._work.fold(scratch)
        except Refusal as refusal:
            self._lose(scratch, refusal.message)
            return Ended(name, False, refusal.message)
        if conflict is not None:
            self._conflict = conflict
            return Conflicted(name, conflict.paths)
        self._work.scratches.drop(scratch)
        if scratch.agent.outputs.change and not self._work.left_by(name):
            return Ended(name, False, "it changed nothing")
        return Ended(name, True)

    def _resolved(self, scratch: Scratch) -> Ended:
        """The resolver's own work is brought back in place of the agent's whose conflict it resolved."""
        assert self._conflict is not None
        name, problem = scratch.agent.name, ""
        try:
            again = self._work.fold(scratch)
            problem = f"what it left collides again in {', '.join(again.paths)}" if again else ""
        except Refusal as refusal:
            problem = refusal.message
        if problem:
            self._work.keep(scratch, problem)
        else:
            self._work.scratches.drop(self._conflict.scratch)
            self._conflict = None
        self._work.scratches.drop(scratch)
        self._resolver = None
        return Ended(name, not problem, problem)

    def failed(self, name: AgentName, reason: str) -> None:
        """``name`` failed: its worktree goes, what it holds is kept on a ref."""
        if self._resolver is not None and self._resolver.agent.name == name:
            self._lose(self._resolver, reason)
            self._resolver = None
        else:
            self._lose(self._apart.pop(name).scratch, reason)

    def give_up(self) -> bool:
        """Nobody resolves the conflict any more: the later agent's work is kept on a ref.

        Returns whether there was one; ``ready`` has what waited for it.
        """
        if self._conflict is None:
            return False
        self._work.give_up(self._conflict)
        self._work.scratches.drop(self._conflict.scratch)
        self._conflict = None
        return True

    def _lose(self, scratch: Scratch, why: str) -> None:
        self._work.keep(scratch, why)
        self._work.scratches.drop(scratch)
