"""A scripted Messages server: real HTTP on loopback, strict about the API, and it keeps the bill.

Agents and their gateway are tested against it with the real SDK and real programs; no test needs the internet. What
it says is a script, a function of what it is asked (``messages_script``); faults are answers like others.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from shared.model import PRICES, Price, Tokens
from tests.support import messages_wire as wire
from tests.support.messages_cache import PromptCache, canonical, cost, prompt_tokens
from tests.support.messages_limits import Buckets, RateLimits
from tests.support.messages_rules import merged, violation
from tests.support.messages_script import (
    Asked,
    Body,
    Fault,
    Reply,
    Script,
    ToolUse,
    by_task,
    first,
)

__all__ = ["Asked", "Fault", "MessagesServer", "RateLimits", "Reply", "Script", "ToolUse", "by_task", "first"]

KEY = "sk-ant-test-0123456789abcdefghijklmnopqrstuvwxyz"
_LARGEST = 32 * 1024 * 1024  # bytes of a request, as the real one has it
_BLOCKING = 64  # scripts that may wait at once
_OPENING = "Let me have a look at that first, and then do what is to be done."


class MessagesServer:
    """A context manager. Scripts run in threads and may wait; everything else happens in one loop.

    ``asked`` are the requests for messages in order of arrival, refused ones included; ``violations`` what they
    broke of the API's rules; ``billed`` and ``billed_usd`` what was sent to clients, in streams up to the last
    event. ``limits`` are enforced where they are given.
    """

    def __init__(
        self,
        script: Script,
        *,
        key: str = KEY,
        prices: Sequence[Price] = PRICES,
        limits: RateLimits | None = None,
        cache_least: int = 512,
    ) -> None:
        self.key = key
        self.url = ""
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self.at_once = 0  # the most requests that were open at a time
        self._script = script
        self._prices = prices
        self._bills: dict[int, tuple[str, Tokens]] = {}
        self._cache = PromptCache(cache_least)
        self._enforced = limits is not None
        self._buckets = Buckets(limits or RateLimits(), time.monotonic())
        self._issued: dict[str, str] = {}  # the signature of the thought that each use of a tool came with
        self._paused: set[str] = set()  # turns that may be gone on with
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._threads = ThreadPoolExecutor(_BLOCKING, "messages-script")
        self._thread = threading.Thread(target=self._loop.run_forever, name="messages-server")

    # --- what tests read

    @property
    def bills(self) -> dict[int, tuple[str, Tokens]]:
        """(model, tokens) by the number of the request, from 1; refused requests have none."""
        return dict(self._bills)

    @property
    def billed(self) -> Tokens:
        return sum((tokens for _, tokens in self.bills.values()), Tokens())

    @property
    def billed_usd(self) -> float:
        return sum(cost(self._prices, model, tokens) for model, tokens in self.bills.values())

    @property
    def limit_refusals(self) -> int:
        """How many requests came before the limits allowed them."""
        return self._buckets.refusals

    # --- its life

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _start(self) -> str:
        application = web.Application(client_max_size=_LARGEST)
        application.router.add_post("/v1/messages", self._messages)
        application.router.add_post("/v1/messages/count_tokens", self._count)
        application.router.add_get("/v1/models", self._models)
        application.router.add_get("/v1/models/{model}", self._model)
        self._runner = web.AppRunner(
            application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _stop(self) -> None:
        self._closing.set()
        await self._runner.cleanup()

    # --- requests

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        if isinstance(asked, web.Response):
            return asked
        if problem := violation(asked.body, asked.headers) or self._broken_conversation(asked.body):
            return self._violated(problem)
        if not self._known(asked.model):
            return self._error(404, f"model: {asked.model}")
        prompt = self._cache.billed(asked.body, asked.at)
        if early := self._too_early(prompt):
            return self._error(429, "This request would exceed your rate limit.", {"retry-after": early})
        self._open += 1
        self.at_once = max(self.at_once, self._open)
        try:
            answer = await self._loop.run_in_executor(self._threads, self._script, asked)
            if isinstance(answer, Fault):
                return await self._break(request, asked, prompt, answer)
            await asyncio.sleep(answer.seconds)
            return await self._answer(request, asked, prompt, answer)
        finally:
            self._open -= 1

    async def _count(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        if problem := violation(body, _lower(request), counting=True):
            return self._violated(problem)
        return web.json_response({"input_tokens": prompt_tokens(body)})

    async def _models(self, request: web.Request) -> web.Response:
        names = dict.fromkeys(price.model for price in self._prices)
        data = [_described(name) for name in names]
        return self._key_problem(request) or web.json_response({"data": data, "has_more": False})

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if not self._known(name):
            return self._error(404, f"model: {name}")
        return self._key_problem(request) or web.json_response(_described(name))

    async def _read(self, request: web.Request) -> Asked | web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        number = len(self.asked) + 1
        asked = Asked(number, time.monotonic(), request.path_qs, _lower(request), body)
        self.asked.append(asked)
        return asked

    async def _body(self, request: web.Request) -> Body | web.Response:
        raw = await request.read()
        if refused := self._key_problem(request):
            return refused
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        return body if isinstance(body, dict) else self._violated("The request body is not valid JSON")

    # --- its rules

    def _key_problem(self, request: web.Request) -> web.Response | None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key in (request.headers.get("x-api-key"), bearer):
            return None
        self.violations.append("a request without the key")
        return self._error(401, "invalid x-api-key")

    def _known(self, model: str) -> bool:
        return model.startswith("claude-") or any(model == price.model for price in self._prices)

    def _too_early(self, prompt: Tokens) -> str:
        """Seconds to wait, as the header says them; empty where the request is in time."""
        counted = prompt.input + prompt.cache_write + prompt.cache_write_1h
        early = self._buckets.take(time.monotonic(), counted) if self._enforced else 0.0
        return str(math.ceil(early)) if early else ""

    def _broken_conversation(self, body: Body) -> str:
        """Whether thoughts came back as they were, and turns are gone on with that were not paused."""
        turns = merged(body["messages"])
        for _, blocks in turns:
            for block in blocks:
                if block["type"] == "thinking" and block["signature"] != wire.signature(block["thinking"]):
                    return "Invalid `signature` in `thinking` block"
        if turns[-1][0] == "assistant" and _digest(turns[-1][1]) not in self._paused:
            return "This model does not support assistant message prefill."
        last = next((blocks for role, blocks in reversed(turns) if role == "assistant"), [])
        here = {block["signature"] for block in last if block["type"] == "thinking"}
        needed = {self._issued.get(block["id"], "") for block in last if block["type"] == "tool_use"} - {""}
        return "Expected `thinking`, but found `tool_use`" if needed - here else ""

    def _remember(self, asked: Asked, reply: Reply) -> None:
        whole = wire.message(asked, reply, Tokens())
        if reply.thinking:
            for use in wire.identified(asked, reply):
                self._issued[use.id] = wire.signature(reply.thinking)
        if reply.stop_reason == "pause_turn":
            self._paused.add(_digest(whole["content"]))

    # --- answers

    async def _answer(
        self, request: web.Request, asked: Asked, prompt: Tokens, reply: Reply, fault: Fault | None = None
    ) -> web.StreamResponse:
        """``reply``, up to where ``fault`` breaks it."""
        self._remember(asked, reply)
        if reply.usage is not None:
            prompt = replace(reply.usage, output=0)
        if not asked.body.get("stream") and fault is None:
            self._bill(asked, prompt, wire.output_of(reply))
            return web.json_response(wire.message(asked, reply, prompt), headers=self._headers())
        response = web.StreamResponse(headers={**self._headers(), "content-type": "text/event-stream"})
        await response.prepare(request)
        left = math.inf if fault is None else fault.after_events
        for event in wire.events(asked, reply, prompt):
            if not left:
                break
            left -= event.name != "ping"
            self._bill(asked, prompt, event.output)
            # In two writes, as the network splits them.
            await response.write(event.wire[:-20])
            await response.write(event.wire[-20:])
        return response

    async def _break(
        self, request: web.Request, asked: Asked, prompt: Tokens, fault: Fault
    ) -> web.StreamResponse:
        if fault.kind == "status":
            return self._error(fault.status, fault.message, fault.headers, fault.error_type)
        if fault.kind == "no-connection":
            _reset(request)
        if fault.kind == "no-connection" or (fault.kind == "hang" and not fault.after_events):
            return await self._never()
        response = await self._answer(request, asked, prompt, fault.of or Reply(_OPENING), fault)
        match fault.kind:
            case "cut":
                if request.transport is not None:
                    request.transport.close()
            case "error-event":
                told = wire.error_body(500, fault.error_type, fault.message)
                await response.write(wire.Event("error", told, 0).wire)
            case "hang":
                await self._never()
        return response

    async def _never(self) -> web.StreamResponse:
        """Until the client has gone, which cancels this, or the server closes."""
        await self._closing.wait()
        return web.Response(status=503)

    def _bill(self, asked: Asked, prompt: Tokens, output: int) -> None:
        _, before = self._bills.get(asked.number, ("", Tokens()))
        self._bills[asked.number] = (asked.model, replace(prompt, output=output))
        self._buckets.put_out(output - before.output)

    def _violated(self, problem: str) -> web.Response:
        self.violations.append(problem)
        return self._error(400, problem)

    def _error(self, status: int, message: str, headers: Any = (), kind: str = "") -> web.Response:
        body = wire.error_body(status, kind, message)
        return web.json_response(body, status=status, headers={**self._headers(), **dict(headers)})

    def _headers(self) -> dict[str, str]:
        number = len(self.asked)
        return {"request-id": f"req_{number:022d}", **self._buckets.headers(time.monotonic(), time.time())}


def _lower(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _digest(blocks: Sequence[Body]) -> str:
    return canonical([{k: v for k, v in block.items() if k != "cache_control"} for block in blocks])


def _described(name: str) -> Body:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2026-09-22T00:00:00Z"}


def _reset(request: web.Request) -> None:
    """Close the connection so that the client's system says that nobody is there."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
