"""The pause in which a run was stopped, and which holds when it goes on: a server's wish outlasts our process. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody asks before ``until``, seconds since the epoch."""

    until: float
    reason: str


def last(told: Iterable[Mapping[str, Any]], now: float) -> Pause | None:
    """From the journal: the last pause that was told, unless it was ended or is over."""
    pause = None
    for record in told:
        if record["event"] == "model.held":
            pause = None if record["until"] is None else Pause(record["until"], record["reason"])
        elif record["event"] == "model.released":
            pause = None
    return pause if pause is not None and pause.until > now else None
