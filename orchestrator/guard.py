"""Noticing writes outside the worktrees: the user's checkout and git directory before and after.

A change is put down to the tasks whose agents ran at its time: the kernel's change time of a file cannot be
set. Where agents are held by bubblewrap, the kernel keeps them from writing there, and what changes in the
checkout was most likely the user at work beside the run. So there only what would make git run programs is
held against a task; the rest is told, and looked at no more often than costs a fiftieth of the time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from shared.git.fingerprint import Fingerprint, take, take_control
from shared.model import OutsideWrites, RepositoryFacts, TaskOutcome, TaskResult

# Seconds that file times may lie behind: the kernel takes them from its last tick.
_CLOCK_REALTIME_COARSE = 5  # Linux; Python has no name for it
_COARSE = time.clock_getres(_CLOCK_REALTIME_COARSE) if sys.platform == "linux" else 0.01
_ROUNDED = 0.001  # seconds that the end of a span may be off
_SHARE = 50  # of the time between two looks at everything is at least this many times what one takes

Spans = Sequence[tuple[float, float | None]]  # when agents of a task ran, in seconds since the epoch


class Guard:
    """Looks at everything, or, where agents are ``contained``, at what matters and now and then at the rest."""

    def __init__(self, facts: RepositoryFacts, *, contained: bool, into: str = "") -> None:
        """``into`` is the branch that Spinney itself moves."""
        self._facts, self._ours = facts, (f"refs/heads/{into}",)
        self._everything = _Looked(lambda: take(facts.git_dir, facts.checkout, self._ours))
        self._control = _Looked(lambda: take_control(facts.git_dir)) if contained else None

    def written_during(self, spans: Spans) -> list[str]:
        """Paths outside the worktrees that changed in one of ``spans`` and must not have."""
        held_against = self._everything if self._control is None else self._control
        held_against.look()
        return held_against.changed(spans)

    def noticed_during(self, spans: Spans) -> list[str]:
        """Further paths that changed meanwhile, which agents that are held cannot have written."""
        if self._control is None:
            return []
        if self._everything.affordable:
            self._everything.look()
        return [path for path in self._everything.changed(spans) if path not in self._control.changed(spans)]


def judged(
    guard: Guard, result: TaskResult, spans: Spans, policy: OutsideWrites, note: Callable[[str], None]
) -> TaskResult:
    """``result``, or a failed one where something outside the worktrees was written while its agents ran."""
    task, touched = result.task, guard.written_during(spans)
    for path in guard.noticed_during(spans):
        note(f"while {task} ran, somebody else changed {path}")
    if not touched:
        return result
    paths = ", ".join(touched[:5]) + (f" and {len(touched) - 5} more" if len(touched) > 5 else "")
    if policy == "warn":
        note(f"outside its worktree, while {task} ran, was written: {paths}")
        return result
    reason = (
        f"outside its worktree, while it ran, was written: {paths} (`outside_writes: warn` lets this pass)"
    )
    return replace(result, outcome=TaskOutcome.FAILED, reason=reason)


class _Looked:
    """A fingerprint that is taken again and again, and what has changed between two of them."""

    def __init__(self, take_it: Callable[[], Fingerprint]) -> None:
        self._take = take_it
        self._found: dict[str, float | None] = {}
        self._before = self._timed()

    def _timed(self) -> Fingerprint:
        started = time.monotonic()
        taken = self._take()
        self._ended = time.monotonic()
        self._cost = self._ended - started
        return taken

    @property
    def affordable(self) -> bool:
        return time.monotonic() - self._ended >= _SHARE * self._cost

    def look(self) -> None:
        now = self._timed()
        self._found.update(self._before.differences(now))
        self._before = now

    def changed(self, spans: Spans) -> list[str]:
        return sorted(path for path, at in self._found.items() if _ran_at(spans, at))


def _ran_at(spans: Iterable[tuple[float, float | None]], at: float | None) -> bool:
    """Whether an agent ran at that time; without a time any agent could have done it."""
    return any(
        at is None or (start - _COARSE <= at and (end is None or at <= end + _ROUNDED))
        for start, end in spans
    )
