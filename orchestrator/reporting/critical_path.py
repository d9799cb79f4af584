"""The chain of agents and gates that decided how long a run took, as it really ran. Pure.

Walked back from what ended last to what made that possible: where an agent waited for a slot, whoever freed
one then; otherwise the agent of its task whose end was told last before it asked; for a task's first agent,
the task that it needs or whose place it took; for a gate, the gate before it or its task's last agent. The
journal does not say who needed whom, but agents ask for their slots at once when the last of their needs has
ended. Journals that know nothing of slots are read by time alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.view import GATE, AgentView, GateView, RunView, TaskView
from orchestrator.view.spans import within

Cause = Literal["start", "needs", "slot", "place", "merge", "gate"]
_JITTER = 0.002  # seconds between two clocks, and from rounding
_NOTICED = 0.01  # seconds for a slot that count as having waited


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of work on the path. ``cause`` says what it waited for, ``waited`` seconds after the step before."""

    task: str
    agent: str
    seconds: float
    waited: float
    cause: Cause


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A stretch in which an agent or a gate worked. An agent that waits for its own agents has several."""

    task: TaskView | None  # None for the gate of what is no task
    name: str
    begin: float
    end: float
    wanted: float  # when it could have begun
    first: bool = True  # of its agent
    granted: float | None = None
    agent: AgentView | None = None  # None for a gate

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]


def critical_path(view: RunView, now: float) -> list[Step]:
    """From the first step to the last; empty where nothing has ended yet."""
    pieces = _Pieces(view)
    at = pieces.last
    found: list[Step] = []
    while at is not None:
        before, cause = pieces.enabler(at)
        since = view.started if before is None else before.end
        waited = within((since, at.begin), view.worked(now))
        task = at.task.id if at.task is not None else ""
        found.append(Step(task, at.name, at.end - at.begin, waited, cause))
        at = before
    return found[::-1]


class _Pieces:
    """All of them by their ends, to look up what ended last before some moment."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        everything = [
            piece for task in view.tasks.values() for a in task.agents for piece in _pieces(task, a)
        ]
        everything += [_gate_piece(view, gate) for gate in view.gate_runs if gate.ended is not None]
        everything.sort(key=lambda piece: (piece.end, piece.begin))
        self._all = everything
        self._place = {piece: index for index, piece in enumerate(everything)}
        self._agents = [piece for piece in everything if piece.name != GATE]
        self._gates = [piece for piece in everything if piece.name == GATE]
        self._of: dict[str, list[_Piece]] = {}
        for piece in self._agents:
            if piece.task is not None:
                self._of.setdefault(piece.task.id, []).append(piece)
        self._overs = sorted((task.ended, task.id) for task in view.tasks.values() if task.ended is not None)

    @property
    def last(self) -> _Piece | None:
        return self._all[-1] if self._all else None

    def enabler(self, piece: _Piece) -> tuple[_Piece | None, Cause]:
        """What had to end before ``piece`` could begin, and why; None at the beginning of the run."""
        if piece.name == GATE:
            return self._before_gate(piece)
        if piece.granted is not None and piece.granted - piece.wanted > _NOTICED:
            freed = self._latest(self._agents, piece.granted, piece)
            if freed is not None and freed.end >= piece.wanted - _JITTER:
                return freed, "slot"
        before = self._in_task(piece)
        return (before, "needs") if before is not None else self._before_task(piece)

    def _in_task(self, piece: _Piece) -> _Piece | None:
        assert piece.task is not None
        mine = self._of[piece.task.id]
        if "/" in piece.name or not piece.first:  # among those that work for the same agent
            return self._latest(mine, piece.wanted, piece, lambda other: other.family == piece.family)
        if piece.agent is not None and piece.agent.after is not None:
            enabler = piece.task.agents[piece.agent.after]
            return self._latest(mine, piece.wanted, piece, lambda other: other.agent is enabler)
        told = piece.agent is not None and bool(piece.agent.slots)
        until = min(piece.wanted, piece.task.opened) if told else piece.wanted  # of earlier attempts
        return self._latest(mine, until, piece, lambda other: "/" not in other.name)

    def _before_task(self, piece: _Piece) -> tuple[_Piece | None, Cause]:
        task = piece.task
        assert task is not None
        over = [self._view.tasks[need] for need in task.needs if self._view.tasks[need].ended is not None]
        if over:
            need = max(over, key=lambda other: other.ended or 0.0)
            return self._latest(self._of.get(need.id, ()), piece.wanted, piece), "needs"
        index = bisect_right(self._overs, task.started or 0.0, key=lambda over: over[0])
        for _, other in reversed(self._overs[:index]):
            if (found := self._latest(self._of.get(other, ()), piece.wanted, piece)) is not None:
                return found, "place"
        return None, "start"

    def _before_gate(self, gate: _Piece) -> tuple[_Piece | None, Cause]:
        before = self._latest(self._gates, gate.begin, gate)
        own = (
            self._latest(self._of.get(gate.task.id, ()), gate.begin, gate) if gate.task is not None else None
        )
        if before is not None and (own is None or before.end > own.end):
            return before, "gate"
        return own, "merge" if own is not None else "start"

    def _latest(
        self,
        pieces: Sequence[_Piece],
        moment: float,
        before: _Piece,
        fits: Callable[[_Piece], bool] = lambda piece: True,
    ) -> _Piece | None:
        """The last of ``pieces`` to end until ``moment``; never ``before`` itself or what ended after it."""
        index = bisect_right(pieces, moment + _JITTER, key=lambda piece: piece.end)
        place = self._place[before]
        return next((p for p in reversed(pieces[:index]) if self._place[p] < place and fits(p)), None)


def _pieces(task: TaskView, agent: AgentView) -> Iterable[_Piece]:
    for number, (begin, end) in enumerate(agent.worked):
        if number == 0:
            granted = agent.slots[0].granted if agent.slots else None
            wanted = min(agent.wanted, begin)
            yield _Piece(task, agent.name, begin, end, wanted, granted=granted, agent=agent)
        else:
            yield _Piece(task, agent.name, begin, end, begin, first=False, agent=agent)


def _gate_piece(view: RunView, gate: GateView) -> _Piece:
    end = gate.started + gate.seconds
    return _Piece(view.tasks.get(gate.task), GATE, gate.started, end, gate.started - gate.waited)
