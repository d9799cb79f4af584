"""Requests while they arrive: no agent can take the memory or the time of the others by what it sends."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from orchestrator.gateway.rules import requests
from orchestrator.gateway.rules.requests import Asked
from orchestrator.gateway.rules.room import Room
from shared.model import TaskId

_LARGEST = 32 * 1024 * 1024  # bytes of a request: as the API
_LONG = 64 * 1024  # bytes of a request that is understood beside the loop
_AT_ONCE = 4  # of those in all; of each task only one
_SLOWEST = 60.0  # seconds that a request may take to arrive: it comes from this machine


class NotTaken(Exception):
    """What is answered to a request that cannot be taken: a status, and the type and message of the error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


@dataclass(slots=True)
class Share:
    """The memory that one request holds."""

    task: TaskId
    room: Room
    size: int = 0

    def grow(self, size: int) -> None:
        """Raises NotTaken."""
        if self.size + size > _LARGEST:
            raise NotTaken(413, "request_too_large", "the request is too large")
        if not self.room.take(self.task, size):
            raise NotTaken(429, "rate_limit_error", "open requests hold too much already; try again later")
        self.size += size


class Arrivals:
    """Of all tasks."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._turns: dict[TaskId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._places = asyncio.Semaphore(_AT_ONCE)

    @contextmanager
    def share(self, task: TaskId) -> Iterator[Share]:
        """For as long as the request is held."""
        share = Share(task, self._room)
        try:
            yield share
        finally:
            self._room.give(task, share.size)

    async def read(self, request: web.BaseRequest, share: Share) -> bytes:
        """The body. Raises NotTaken."""
        if "content-encoding" in request.headers:
            raise NotTaken(415, "invalid_request_error", "compressed requests are not taken")
        if (request.content_length or 0) > _LARGEST:
            raise NotTaken(413, "request_too_large", "the request is too large")
        body = bytearray()
        try:
            async with asyncio.timeout(_SLOWEST):
                async for chunk in request.content.iter_any():
                    share.grow(len(chunk))
                    body += chunk
        except TimeoutError:
            raise NotTaken(408, "timeout_error", "the request did not arrive in time") from None
        return bytes(body)

    async def understand(self, task: TaskId, method: str, path: str, body: bytes) -> Asked:
        if method == "GET":
            return Asked()
        read = requests.read if requests.is_billed(method, path) else requests.read_counted
        return read(body) if len(body) < _LONG else await self._beside(task, read, body)

    async def _beside(self, task: TaskId, read: Callable[[bytes], Asked], body: bytes) -> Asked:
        """A thread goes on when nobody waits for it any more, so it keeps its turn until it has ended."""
        turn = self._turns[task]
        await turn.acquire()
        try:
            await self._places.acquire()
        except asyncio.CancelledError:
            turn.release()
            raise
        reading = asyncio.ensure_future(asyncio.to_thread(read, body))
        reading.add_done_callback(lambda _: turn.release())
        reading.add_done_callback(lambda _: self._places.release())
        return await asyncio.shield(reading)
