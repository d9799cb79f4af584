"""Answers from the record of an earlier run, and an end at the first difference.

An agent's request holds its whole conversation so far, so a request that equals a recorded one comes after the same
steps. It is looked for among those of the same caller, whatever their order: programs ask several things at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestrator.gateway.answers import Answer, CutOff, Question, Refused
from orchestrator.gateway.recording.exchange import Exchange, unpack
from orchestrator.gateway.recording.moving import Rewrite, moved
from orchestrator.gateway.recording.normal import Places, comparable, difference, digest, steady
from orchestrator.gateway.recording.record import exchanges_of, places_of
from orchestrator.gateway.recording.redaction import Redaction
from shared.callers import Caller

_Who = tuple[str, str, str, int]
_PIECE = 64 * 1024  # bytes handed on at once
_TEXTS = 8192


class Replay:
    """Implements ``Answers``. Nothing is asked of anybody, nothing is paid."""

    def __init__(
        self, recorded: Iterable[tuple[Exchange, bytes]], then: Places, now: Places, redaction: Redaction
    ) -> None:
        """``recorded`` exchanges come with what they are when packed."""
        self._redact = redaction
        self._rewrite = then.elsewhere(now)
        self._then, self._now = _comparing(then), _comparing(now)
        self._difference: Refused | None = None
        # By caller and key: not asked for yet, in order; packed, as each holds all that was said before it.
        self._open: dict[_Who, dict[str, bytes]] = defaultdict(dict)
        self._answers: dict[str, list[Exchange]] = defaultdict(list)  # by key, in order
        for exchange, packed in recorded:
            key = self._key(exchange.question(), self._then)
            self._open[_who(exchange.caller)][key] = packed
            self._answers[key].append(replace(exchange, asked=b""))
        for key, answers in self._answers.items():
            self._answers[key] = list(_valid(answers))

    @classmethod
    def read(cls, run_dir: Path, now: Places, redaction: Redaction) -> Replay:
        """Of the run in ``run_dir``. Raises UserError where there is no record, StateError where it is damaged."""
        return cls(exchanges_of(run_dir), places_of(run_dir), now, redaction)

    async def ask(self, question: Question) -> Answer:
        if self._difference is not None:
            raise self._difference
        key = self._key(question, self._now)
        answers = self._answers.get(key)
        if not answers:
            self._difference = Refused("replay", self._explain(question))
            raise self._difference
        self._open[_who(question.caller)].pop(key, None)
        # The last one answers for good: whoever was killed asks again.
        exchange = answers.pop(0) if len(answers) > 1 else answers[0]
        body = moved(exchange.answered, self._rewrite)
        headers = dict(exchange.headers)
        if exchange.status >= 400:
            headers["x-should-retry"] = "false"  # whatever was to be tried again was, before it was recorded
        return Answer(exchange.status, headers, _pieces(body, exchange.complete), "replayed")

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _key(self, question: Question, rewrite: Rewrite) -> str:
        asked = self._comparable(question, rewrite)
        return digest(_who(question.caller), question.method, question.path, asked)

    def _comparable(self, question: Question, rewrite: Rewrite) -> Any:
        return comparable(self._redact(question.body), rewrite)

    def _explain(self, question: Question) -> str:
        """What the request was to be, and where it is something else."""
        caller = question.caller
        asked = self._comparable(question, self._now)
        expected = self._expected(question, asked)
        if expected is None:
            return (
                f"the record has no further answer for {caller.agent} in {caller.task},"
                f" phase {caller.phase}, try {caller.attempt}"
            )
        if (expected.method, expected.path) != (question.method, question.path):
            return f"the replay differs from {expected.name}: it asks for {question.method} {question.path}"
        found = difference(self._comparable(expected.question(), self._then), asked)
        return f"the replay differs from {expected.name} {found}"

    def _expected(self, question: Question, asked: Any) -> Exchange | None:
        """What the caller was to ask next: of all that is open, what comes after as many steps."""
        left = [unpack(packed) for packed in self._open[_who(question.caller)].values()]
        fitting = [e for e in left if _steps(self._comparable(e.question(), self._then)) == _steps(asked)]
        return next(iter(fitting[-1:] or left), None)


def _comparing(places: Places) -> Rewrite:
    """Known for a while: a conversation repeats itself in every request, but for its end."""
    return lru_cache(_TEXTS)(lambda text: steady(places.named(text)))


def _steps(body: Any) -> int:
    messages = body.get("messages") if isinstance(body, dict) else None
    return len(messages) if isinstance(messages, list) else 0


def _who(caller: Caller) -> _Who:
    return caller.task, caller.phase, caller.agent, caller.attempt


def _valid(answers: list[Exchange]) -> Iterator[Exchange]:
    """Of answers to the same question: those of the last session that got whole ones, else the last broken one.

    A later session asks again what an earlier one did not live to use; a broken answer was asked for again at once.
    """
    whole = [answer for answer in answers if answer.complete and answer.status == 200]
    if not whole:
        yield answers[-1]
        return
    last = max(answer.session for answer in whole)
    yield from (answer for answer in whole if answer.session == last)


async def _pieces(body: bytes, complete: bool) -> AsyncIterator[bytes]:
    for at in range(0, len(body), _PIECE):
        yield body[at : at + _PIECE]
    if not complete:
        raise CutOff("the answer was cut when it was recorded")
