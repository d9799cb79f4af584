"""When to look again. Pure.

A look at all pull requests is one question that counts, and a list that mostly does not. Idle ones are looked at some
fifteen times an hour; while checks run, each look that finds nothing new makes the next one a little later.
"""

from __future__ import annotations

from dataclasses import dataclass

QUICK, SLOW, IDLE = 10.0, 60.0, 300.0  # seconds
_LATER_SOON, _LATER_IDLE = 1.25, 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait before the next look, in seconds. ``fixed`` is what was asked for; 0: by what happens."""

    fixed: float = 0.0
    seconds: float = QUICK

    def after(self, *, changed: bool, soon: bool) -> Pace:
        """After a look: whether something is another than before, and whether something is expected within minutes."""
        if self.fixed:
            return Pace(self.fixed, self.fixed)
        if changed:
            return Pace(0.0, QUICK)
        longest, factor = (SLOW, _LATER_SOON) if soon else (IDLE, _LATER_IDLE)
        return Pace(0.0, min(longest, self.seconds * factor))
