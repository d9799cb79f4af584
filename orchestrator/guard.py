"""Noticing writes outside the worktrees: the user's checkout and git's control files before and after.

Where agents are contained those places are read-only for them, so nothing is looked for. Elsewhere a change
is put down to the tasks whose agents ran at its time: the kernel's change time of a file cannot be set.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from shared.git.fingerprint import Fingerprint, take
from shared.model import RepositoryFacts

# Seconds that file times may lie behind: the kernel takes them from its last tick.
_CLOCK_REALTIME_COARSE = 5  # Linux; Python has no name for it
_COARSE = time.clock_getres(_CLOCK_REALTIME_COARSE) if sys.platform == "linux" else 0.01
_ROUNDED = 0.001  # seconds that the end of a span may be off

Spans = Sequence[tuple[float, float | None]]  # when agents of a task ran, in seconds since the epoch


class Guard:
    def __init__(self, facts: RepositoryFacts, *, contained: bool) -> None:
        self._facts = facts
        self._before: Fingerprint | None = None if contained else take(facts.git_dir, facts.checkout)
        self._found: dict[str, float | None] = {}

    def written_during(self, spans: Spans) -> list[str]:
        """Paths outside the worktrees that changed in one of ``spans``."""
        if self._before is None:
            return []
        now = take(self._facts.git_dir, self._facts.checkout)
        self._found.update(self._before.differences(now))
        self._before = now
        return sorted(path for path, at in self._found.items() if _ran_at(spans, at))


def _ran_at(spans: Spans, at: float | None) -> bool:
    """Whether an agent ran at that time; without a time any agent could have done it."""
    return any(
        at is None or (start - _COARSE <= at and (end is None or at <= end + _ROUNDED))
        for start, end in spans
    )
