"""How an answer begins: read as far as it takes to know what it means.

An answer in one piece is read whole. A stream is read up to its first event, as it can begin with an error although
its status said that all is well; until then nothing has been passed on, and it may be tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field

from orchestrator.gateway.answers import Answer, CutOff
from orchestrator.gateway.rules import outcomes, stream

_LONGEST = 64 * 1024 * 1024  # bytes of an answer that comes in one piece


@dataclass(slots=True)
class Begun:
    """An answer whose beginning is known to be good, or final. ``rest`` follows ``head``."""

    status: int
    headers: Mapping[str, str]
    head: bytes
    source: str
    rest: AsyncIterator[bytes] | None = None
    reader: stream.StreamReader | None = None  # of a stream
    sum: bytearray = field(default_factory=bytearray)  # everything, where it is recorded

    @property
    def complete(self) -> bool:
        return self.reader is None or self.reader.complete


async def begin(answer: Answer, asked: bytes, now: float) -> tuple[Begun | None, outcomes.Outcome]:
    """What ``answer`` to the body ``asked`` means; without a beginning where nothing of it can be passed on.

    ``now`` is seconds since the epoch.
    """
    good = 200 <= answer.status < 300
    if good and answer.headers.get("content-type", "").startswith("text/event-stream"):
        return await _stream_head(answer)
    return await _whole(answer, asked, now)


async def _whole(answer: Answer, asked: bytes, now: float) -> tuple[Begun | None, outcomes.Outcome]:
    body = bytearray()
    try:
        async for chunk in answer.chunks:
            body += chunk
            if len(body) > _LONGEST:
                await let_go(answer.chunks)
                return None, outcomes.Transient("the answer has no end")
    except CutOff as error:
        return None, outcomes.Transient(f"the answer broke off: {error}")
    outcome = outcomes.meaning(answer.status, answer.headers, bytes(body), now, asked)
    if 300 <= answer.status < 400 and isinstance(outcome, outcomes.ClientFault):
        return Begun(502, {}, error_body("api_error", outcome.reason), answer.source), outcome
    return Begun(answer.status, answer.headers, bytes(body), answer.source), outcome


async def _stream_head(answer: Answer) -> tuple[Begun | None, outcomes.Outcome]:
    reader, head = stream.StreamReader(), bytearray()
    try:
        async for chunk in answer.chunks:
            head += chunk
            reader.feed(chunk)
            if reader.settled:
                break
    except CutOff as error:
        return None, outcomes.Transient(f"the answer broke off: {error}")
    except BaseException:
        await let_go(answer.chunks)
        raise
    if reader.begun:
        begun = Begun(answer.status, answer.headers, bytes(head), answer.source, answer.chunks, reader)
        return begun, outcomes.Answered()
    if reader.error is None:
        return None, outcomes.Transient("the stream ended before it began")
    await let_go(answer.chunks)
    outcome = outcomes.error_event(*reader.error)
    status = 400 if isinstance(outcome, outcomes.ClientFault) else 503
    return Begun(status, {}, error_body(*reader.error), answer.source), outcome


def error_body(kind: str, message: str) -> bytes:
    """As the Messages API says what went wrong."""
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


async def let_go(chunks: AsyncIterator[bytes]) -> None:
    """End an answer before its end, and its connection with it."""
    if isinstance(chunks, AsyncGenerator):
        with contextlib.suppress(CutOff, RuntimeError, asyncio.CancelledError):
            await chunks.aclose()
