"""One request of an agent, from its arrival to its bill.

Until the first byte of an answer has been passed on, whatever goes wrong is waited for or tried again here, and
nowhere else. After that nothing is: a broken answer reaches the agent as a broken one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestrator.gateway.answers import Answers, CutOff, Question, Recorder, Refused, Unreachable
from orchestrator.gateway.beginning import Begun, begin, error_body, let_go
from orchestrator.gateway.rules import outcomes, stream
from orchestrator.gateway.rules.admission import Estimate
from orchestrator.gateway.rules.leaving import untold
from orchestrator.gateway.rules.ledger import NOTHING, Ledger, Worst
from orchestrator.gateway.rules.limits import Limiter
from orchestrator.gateway.rules.prices import Prices
from orchestrator.gateway.rules.refusals import Refusals
from orchestrator.gateway.rules.requests import Asked
from orchestrator.gateway.rules.rights import Rights
from orchestrator.gateway.rules.stops import GivenUp, Stop, Stopped
from orchestrator.gateway.standing import Standing
from orchestrator.gateway.turnstile import Pass, Tell, Turnstile, Wish
from shared import retry
from shared.clock import Clock
from shared.model import Tokens

_REFUSED, _LEFT = 402, 499  # what is told as the status where there was no answer
# Tokens of a request that an agent can do its work with: a budget without room for one is used up for everybody.
_MODEST_INPUT, _MODEST_OUTPUT = 32_000, 8_192
_PASSED_BACK = ("content-type", "request-id")
EARLY_END = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"the stream ended early"}}\n\n'


class Sink(Protocol):
    """The agent's side of an exchange. Raises ConnectionError where it has gone, or does not read."""

    async def begin(self, status: int, headers: Mapping[str, str]) -> None: ...
    async def write(self, data: bytes) -> None: ...
    def cut(self) -> None:
        """Break the connection, so that nobody takes what was passed on for the whole."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What all exchanges share."""

    answers: Answers
    recorder: Recorder | None
    turnstile: Turnstile
    limiter: Limiter
    rights: Rights
    ledger: Ledger
    prices: Prices
    clock: Clock
    tell: Tell
    policy: retry.Policy
    outage: float  # seconds


class Passing:
    """Made for one question; ``run`` once. ``billed`` where it is one that is paid for."""

    def __init__(
        self, desk: Desk, question: Question, asked: Asked, standing: Standing, *, billed: bool
    ) -> None:
        self._desk, self._question, self._asked, self._standing = desk, question, asked, standing
        self._billed = billed
        modest = self._worst(_MODEST_INPUT, _MODEST_OUTPUT)
        self._wish = Wish(question.caller, asked.model, self._estimate(), self._worst(), modest)
        self._turn: Pass | None = None  # while a request is on its way
        self._untold = NOTHING  # what it may have cost without saying so
        self._tries = 0
        self._refusals = Refusals(desk.outage)
        self._arrived = self._sent = desk.clock.monotonic()
        self._failed: tuple[int, bytes] = (503, b"")  # what to say when all tries have failed

    def _estimate(self) -> Estimate:
        """What the provider has kept of the last prompt does not count against its limits."""
        return Estimate(max(self._asked.input - self._standing.prefix, 0), self._asked.output)

    def _worst(self, most_in: int = sys.maxsize, most_out: int = sys.maxsize) -> Worst | None:
        """Of what it asks, but of no more than so many tokens."""
        if not self._billed:
            return None
        asked = self._asked
        read, written = min(asked.input, most_in), min(asked.output, most_out)
        return Worst(read + written, self._desk.prices.worst(asked.model, read, written, asked.caching))

    # --- until it begins

    async def run(self, sink: Sink) -> None:
        """Raises Stopped, and ConnectionError where the agent has gone."""
        self._standing.wishes.append(self._wish)
        self._standing.hold()
        try:
            begun = await self._begun()
        except retry.TryAgain as error:
            begun = self._failure(error.reason)
        except GivenUp as error:
            begun = self._failure(str(error))
        except Stopped:
            if self._tries:  # what is refused without having been sent is no call
                self._end(None)
            raise
        except asyncio.CancelledError:
            if self._untold != NOTHING:
                self._end(None)
            raise
        finally:
            self._standing.release()
            self._standing.wishes.remove(self._wish)
        try:
            await self._pass_on(begun, sink)
        finally:
            self._end(begun)
            if begun.rest is not None:
                await let_go(begun.rest)

    async def _begun(self) -> Begun:
        async for attempt in retry.trying_async(self._desk.policy):
            with attempt:
                return await self._try()
        raise AssertionError("a policy ends with an answer or an error")

    async def _try(self) -> Begun:
        """Once; pauses and probes that fail are waited for. Raises TryAgain, GivenUp and Stopped."""
        while True:
            turn = await self._desk.turnstile.enter(self._wish)
            self._standing.release()
            self._tries += 1
            self._sent = self._desk.clock.monotonic()
            try:
                begun, outcome = await self._ask(turn)
            except BaseException as error:
                self._standing.hold()
                if isinstance(error, asyncio.CancelledError):
                    self._left()
                self._desk.turnstile.leave(turn)
                raise
            match outcome:
                case outcomes.Answered() | outcomes.ClientFault() if begun is not None:
                    self._standing.hold()  # given back at once by ``run``
                    self._turn = turn
                    self._desk.turnstile.succeeded(turn)
                    return begun
            self._standing.hold(self._desk.clock.monotonic() - self._sent)
            self._give_back(turn, outcome)

    def _give_back(self, turn: Pass, outcome: outcomes.Outcome) -> None:
        """After a try that came to nothing. Raises what ends it; returns where it is to be waited."""
        turnstile = self._desk.turnstile
        match outcome:
            case outcomes.Limited(delay, reason):
                turnstile.limited(turn, delay, reason)
                answered = turnstile.answered(self._asked.model)
                if self._refusals.is_last(self._desk.clock.monotonic(), answered):
                    raise GivenUp(reason)
            case outcomes.Transient(reason, delay):
                turnstile.failed(turn, reason, delay)
                if not turn.admitted.probe:
                    raise retry.TryAgain(reason, delay)
            case outcomes.SpendLimit(reason):
                turnstile.leave(turn)
                raise turnstile.stop(Stop("spend-limit", reason))
            case outcomes.BadKey(reason):
                turnstile.leave(turn)
                raise turnstile.stop(Stop("key", reason))
            case outcomes.Answered() | outcomes.ClientFault():
                raise AssertionError("these come with an answer")

    async def _ask(self, turn: Pass) -> tuple[Begun | None, outcomes.Outcome]:
        """Send it, and read until it is known what becomes of it."""
        desk = self._desk
        try:
            answer = await desk.answers.ask(self._question)
        except Unreachable as error:
            return None, outcomes.Transient(str(error))
        except Refused as refused:
            raise desk.turnstile.stop(Stop(refused.kind, refused.reason)) from refused
        told = outcomes.rates(answer.headers, desk.clock.now())
        desk.limiter.learn(desk.clock.monotonic(), turn.sent, told)
        begun, outcome = await begin(answer, self._question.body, desk.clock.now())
        if answer.source != "model" and begun is not None:
            return begun, outcomes.Answered()  # it ended so before; to ask again changes nothing
        if self._billed:
            outcome = desk.rights.judge(outcome, self._question.caller)
        elif isinstance(outcome, outcomes.BadKey) and not outcome.sure:
            outcome = outcomes.ClientFault(outcome.reason)  # agents can do without it
        if not isinstance(outcome, outcomes.Answered) and begun is not None:
            self._failed = begun.status, begun.head
        return begun, outcome

    def _failure(self, reason: str) -> Begun:
        """What the server said last."""
        status, body = self._failed
        told = error_body("api_error", f"no answer after {self._tries} tries: {reason}")
        return Begun(status, {}, body or told, "model")

    # --- from then on

    async def _pass_on(self, begun: Begun, sink: Sink) -> None:
        headers = {name: begun.headers[name] for name in _PASSED_BACK if name in begun.headers}
        if begun.status >= 400:
            headers = {"content-type": "application/json", **headers, "x-should-retry": "false"}
        await sink.begin(begun.status, headers)
        await self._write(begun, sink, begun.head)
        if begun.rest is None or begun.reader is None:
            return
        try:
            async for chunk in begun.rest:
                begun.reader.feed(chunk)
                await self._write(begun, sink, chunk)
        except CutOff:
            sink.cut()
            return
        if not begun.reader.complete and begun.reader.error is None:
            await self._write(begun, sink, EARLY_END)

    async def _write(self, begun: Begun, sink: Sink, data: bytes) -> None:
        if self._desk.recorder is not None:
            begun.sum += data
        await sink.write(data)

    # --- the bill

    def _end(self, begun: Begun | None) -> None:
        """Once for each exchange, however it ended."""
        tokens = Tokens() if begun is None else self._used(begun)
        if self._turn is not None:
            self._desk.turnstile.leave(self._turn, tokens.output)
            self._turn = None
        if self._billed:
            self._tell(begun, tokens)
        if begun is not None and self._desk.recorder is not None:
            self._desk.recorder.exchanged(
                self._question, begun.status, begun.headers, bytes(begun.sum), begun.complete
            )

    def _left(self) -> None:
        """The agent has gone, and whether what was sent is being paid for, nobody will tell."""
        if self._billed:
            seconds = self._desk.clock.monotonic() - self._sent
            self._suspect(untold(self._asked, seconds, self._desk.prices))

    def _suspect(self, untold: Worst) -> None:
        self._desk.ledger.suspect(self._question.caller, untold)
        self._untold = untold

    def _used(self, begun: Begun) -> Tokens:
        """Enter it in the books; what a record or a cache answers costs nothing."""
        if not self._billed or begun.source != "model" or begun.status >= 400:
            return Tokens()
        tokens = begun.reader.tokens if begun.reader else stream.message(begun.head)[1]
        self._desk.ledger.charge(self._question.caller, self._asked.model, tokens)
        if begun.reader is not None and not begun.reader.complete:
            unsaid = begun.reader.output_seen - tokens.output
            self._suspect(self._desk.ledger.unsaid(self._asked.model, unsaid))
        cached = tokens.cache_read + tokens.cache_write + tokens.cache_write_1h
        self._standing.prefix = cached
        return tokens

    def _tell(self, begun: Begun | None, tokens: Tokens) -> None:
        caller = self._question.caller
        now = self._desk.clock.monotonic()
        unanswered = _REFUSED if self._untold == NOTHING else _LEFT
        fields = {
            "task": caller.task,
            "phase": caller.phase,
            "agent": caller.agent,
            "attempt": caller.attempt,
            "model": self._asked.model,
            "status": unanswered if begun is None else begun.status,
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "cache_write_tokens": tokens.cache_write,
            "cache_write_1h_tokens": tokens.cache_write_1h,
            "cache_read_tokens": tokens.cache_read,
            "cost_usd": self._desk.prices.cost(self._asked.model, tokens),
            "seconds": round(now - self._sent, 3),
            "held": round(self._sent - self._arrived, 3),
            "tries": self._tries,
            "complete": begun is not None and begun.status < 400 and begun.complete,
        }
        if begun is not None and begun.source != "model":
            fields["source"] = begun.source
        if self._untold != NOTHING:
            fields["reserved_tokens"], fields["reserved_usd"] = self._untold.tokens, self._untold.cost
        self._desk.tell("model.called", fields)
