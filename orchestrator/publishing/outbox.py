"""What is wanted outside and not there yet. Pure.

A wish replaces an older one for the same thing, so that a slow forge is told the latest and not the history. Branches
go all together and before what speaks of their commits. While there is something that need not wait for them, they are
pushed every few seconds only: of what a forge lets us create, eighty a minute, none must be left over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import assert_never

from shared.forge.port import Draft
from shared.forge.tracker import CommitState
from shared.model import Oid, TaskId

SPACING = 60.0  # seconds between two pushes of work that is not at an end
BREATH = 5.0  # seconds between two pushes while there is something else to do


@dataclass(frozen=True, slots=True)
class Push:
    """A ref of the forge is to be at ``tip``."""

    ref: str  # full name
    tip: Oid
    task: TaskId | None = None  # None: of the batch, or what is only kept
    soon: bool = True  # it need not wait for others

    @property
    def key(self) -> tuple[str, str]:
        return "push", self.ref


@dataclass(frozen=True, slots=True)
class Open:
    """A pull request is to be there, and to say this."""

    task: TaskId | None  # None: of the batch
    draft: Draft
    tip: Oid
    landed: Oid | None = None  # the commit that brought it into its base
    stands_on: str = ""  # marker of the pull request whose branch is its base

    @property
    def key(self) -> tuple[str, str]:
        return "open", self.draft.marker


@dataclass(frozen=True, slots=True)
class Say:
    """The comment on a task's issue is to read like this."""

    task: TaskId
    number: int
    marker: str
    text: str
    stage: str  # how the task stood, for the journal

    @property
    def key(self) -> tuple[str, str]:
        return "say", self.task


@dataclass(frozen=True, slots=True)
class Mark:
    """A commit is to show how its task stands."""

    task: TaskId
    tip: Oid
    state: CommitState
    description: str

    @property
    def key(self) -> tuple[str, str]:
        return "mark", self.task


@dataclass(frozen=True, slots=True)
class Look:
    """At the end: what people did meanwhile to what the run has made is to be told."""

    @property
    def key(self) -> tuple[str, str]:
        return "look", ""


Wish = Push | Open | Say | Mark | Look
Job = tuple[Push, ...] | Open | Say | Mark | Look


class Outbox:
    def __init__(self, now: float) -> None:
        """Times are seconds that only go forward."""
        self._wishes: dict[tuple[str, str], Wish] = {}  # in the order in which they came
        self._pushed = now
        self._next, self._breath = now, BREATH  # push, where something else can be done before

    def __len__(self) -> int:
        return len(self._wishes)

    def put(self, *wishes: Wish) -> None:
        for wish in wishes:
            before = self._wishes.get(wish.key)
            if isinstance(wish, Push) and isinstance(before, Push):
                wish = Push(wish.ref, wish.tip, wish.task, wish.soon or before.soon)
            self._wishes[wish.key] = wish

    def hurry(self) -> None:
        """Nothing waits for the next minute, or a few seconds, any more."""
        self._next, self._breath = -math.inf, 0.0
        for push in self._pushes():
            self._wishes[push.key] = Push(push.ref, push.tip, push.task)

    def take(self, now: float) -> Job | None:
        """What is to be done next, which is wanted no longer; None where that is nothing now."""
        pushes = self._pushes()
        if pushes and self._due(now) <= now:
            if now < self._next and (other := self._other(pushes)) is not None:
                return other
            for push in pushes:
                del self._wishes[push.key]
            self._pushed, self._next = now, now + self._breath
            return tuple(pushes)
        return self._other(())

    def _other(self, pushes: Sequence[Push]) -> Open | Say | Mark | Look | None:
        """The next that need not wait for any of ``pushes``."""
        refs, tasks = {push.ref for push in pushes}, {push.task for push in pushes}
        for kind in (Open, Say, Mark, Look):
            for wish in self._wishes.values():
                if isinstance(wish, kind) and not _waits(wish, refs, tasks):
                    del self._wishes[wish.key]
                    return wish
        return None

    def wait(self, now: float) -> float | None:
        """Seconds until there is something to take; None where nothing is wanted."""
        if not self._wishes:
            return None
        others = len(self._wishes) > len(self._pushes())
        return 0.0 if others else max(0.0, self._due(now) - now)

    def _pushes(self) -> list[Push]:
        return [wish for wish in self._wishes.values() if isinstance(wish, Push)]

    def _due(self, now: float) -> float:
        return now if any(push.soon for push in self._pushes()) else self._pushed + SPACING


def _waits(wish: Open | Say | Mark | Look, refs: AbstractSet[str], tasks: AbstractSet[TaskId | None]) -> bool:
    """Whether it speaks of a branch that is still to be pushed."""
    match wish:
        case Open(draft=draft):
            return not refs.isdisjoint(f"refs/heads/{name}" for name in (draft.head, draft.base))
        case Say(task) | Mark(task):
            return task in tasks
        case Look():
            return bool(refs)
        case _:
            assert_never(wish)
