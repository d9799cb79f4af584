"""The port between the gateway and whatever answers a question: the real API, or the record of an earlier run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from shared.callers import Caller


@dataclass(frozen=True, slots=True)
class Question:
    """One request of an agent, without whatever it proved itself with."""

    caller: Caller
    number: int  # of this caller's requests, from 1
    method: str
    path: str  # with its query
    headers: Mapping[str, str]  # names in lower case; only those that are passed on
    body: bytes = field(repr=False)


Source = Literal["model", "replayed", "cached"]


@dataclass(slots=True)
class Answer:
    """The beginning of an answer; ``chunks`` is the rest as it comes and raises ``CutOff`` where it breaks.

    Only what a model said just now is paid for.
    """

    status: int
    headers: Mapping[str, str]  # names in lower case
    chunks: AsyncIterator[bytes]
    source: Source = "model"


class CutOff(Exception):
    """The connection broke in the middle of an answer."""


class Unreachable(Exception):
    """There was no answer at all."""


class Refused(Exception):
    """There will never be an answer: a replay differs from its record."""

    def __init__(self, kind: Literal["replay"], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Answers(Protocol):
    """Whoever answers. Leaving ``chunks`` before their end (``aclose``) lets go of the connection at once."""

    async def ask(self, question: Question) -> Answer:
        """Raises Unreachable, or Refused, which ends the run."""
        ...

    async def close(self) -> None: ...


class Recorder(Protocol):
    """Whoever keeps what was said. Called in the gateway's loop, so it must not wait for a disk."""

    def exchanged(
        self, question: Question, status: int, headers: Mapping[str, str], body: bytes, complete: bool
    ) -> None:
        """Called once for each exchange that a caller has seen; not complete where it was cut."""
        ...
