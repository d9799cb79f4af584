"""The agents' side of the gateway: the Messages API on loopback and on a unix socket, for whoever has a token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict

from aiohttp import web

from orchestrator.gateway.answers import Question
from orchestrator.gateway.arriving import Arrivals, NotTaken
from orchestrator.gateway.beginning import error_body
from orchestrator.gateway.passing import Desk, Passing
from orchestrator.gateway.rules import requests
from orchestrator.gateway.rules.ledger import Ledger
from orchestrator.gateway.rules.room import Room
from orchestrator.gateway.rules.stops import Stop, Stopped
from orchestrator.gateway.standing import Standing, Standings
from shared import callers
from shared.callers import Caller
from shared.model import TaskId, Usage

_MOST = 64  # open requests of one execution of an agent
_TAKING = (
    60.0  # seconds that an agent may let a piece of its answer wait: it holds its place and its money so long
)
_LEAVING = 1.0  # seconds for open requests to see that it is over


class Server:
    """``secret_of`` a task signs its agents' tokens; None for tasks that are not of this run."""

    def __init__(self, desk: Desk, secret_of: Callable[[TaskId], str | None]) -> None:
        self._desk, self._secret_of = desk, secret_of
        self._standings = Standings(desk.clock)
        self._arrivals = Arrivals(Room())
        self._runner: web.ServerRunner | None = None

    async def start(self, socket_path: str) -> str:
        """Returns the address on loopback."""
        server = web.Server(self._answer, auto_decompress=False, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_LEAVING)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        await web.UnixSite(self._runner, socket_path).start()
        host, port = site._server.sockets[0].getsockname()[:2]  # type: ignore[union-attr]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Refuse what waits, and end what is open."""
        self._desk.turnstile.stop(Stop("stopped", "the run has been stopped"))
        await asyncio.sleep(0)  # those that wait say so
        everyone = self._standings.everyone()
        for task in everyone:
            task.cancel()
        if everyone:
            await asyncio.wait(everyone, timeout=_LEAVING)
        if self._runner is not None:
            await self._runner.cleanup()

    # --- requests

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        caller = callers.read(_token(request.headers), self._secret_of)
        if caller is None:
            return _error(401, "authentication_error", "this is no token of an agent of this run")
        path = request.raw_path
        if path.startswith("/spinney/"):
            return self._own(request.method, path, request.query, caller)
        if not requests.passes(request.method, path):
            return _error(404, "not_found_error", f"{request.method} {path[:200]} is not passed on")
        standing = self._standings.of(caller)
        if standing.busy >= _MOST:
            return _error(429, "rate_limit_error", f"{_MOST} requests of this agent are open already")
        standing.busy += 1
        try:
            with self._arrivals.share(caller.task) as share:
                body = await self._arrivals.read(request, share)
                return await self._exchange(request, caller, body)
        except NotTaken as why:
            return _error(why.status, why.kind, why.message)
        finally:
            standing.busy -= 1

    def _own(self, method: str, path: str, query: Mapping[str, str], caller: Caller) -> web.Response:
        match method, path.partition("?")[0]:
            case "GET", "/spinney/standing":
                return web.json_response(self._standings.of(caller).said())
            case "GET", "/spinney/usage":
                return web.json_response(_said(_usage(self._desk.ledger, caller, query)))
            case "POST", "/spinney/cancel":
                open_ = list(self._standings.of(caller).open)
                for task in open_:
                    task.cancel()
                return web.json_response({"cancelled": len(open_)})
            case _:
                return _error(404, "not_found_error", f"there is no {method} {path[:200]}")

    async def _exchange(self, request: web.BaseRequest, caller: Caller, body: bytes) -> web.StreamResponse:
        standing = self._standings.of(caller)
        standing.asked += 1
        question = Question(caller, standing.asked, request.method, request.raw_path, _passed(request), body)
        billed = requests.is_billed(request.method, request.raw_path)
        billed = requests.is_billed(request.method, request.raw_path)
        asked = await self._arrivals.understand(caller.task, request.method, request.raw_path, body)
        if asked.refusal:
            return _error(400, "invalid_request_error", asked.refusal)
        sink = _Response(request)
        passing = Passing(self._desk, question, asked, standing, billed=billed)
        return await _run(passing, sink, standing)


async def _run(passing: Passing, sink: _Response, standing: Standing) -> web.StreamResponse:
    """In a task of its own, which ends when the agent goes away, or asks for it."""
    task = asyncio.ensure_future(passing.run(sink))
    standing.open.add(task)
    try:
        await asyncio.shield(task)
    except Stopped as stopped:
        return refusal(stopped.stop)
    except ConnectionError:
        sink.cut()
    except asyncio.CancelledError:
        sink.cut()
        if not task.done():  # it is the agent that has gone
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, Stopped):
                await task
            raise
    finally:
        standing.open.discard(task)
    return sink.response


class _Response:
    """The sink of an exchange: an answer to one request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.response = web.StreamResponse()

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.response.set_status(status)
        self.response.headers.update(headers)
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(_TAKING):
                await self.response.write(data)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()  # with what nobody takes
            raise ConnectionResetError("the agent does not read its answer") from None

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.close()


def refusal(stop: Stop) -> web.Response:
    """What every request gets from then on."""
    return _error(402, "billing_error", stop.reason, {"x-spinney-stop": stop.kind, "x-should-retry": "false"})


def _error(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=error_body(kind, message), content_type="application/json", headers=headers
    )


def _token(headers: Mapping[str, str]) -> str:
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")


def _passed(request: web.BaseRequest) -> dict[str, str]:
    return {name: request.headers[name] for name in requests.PASSED_ON if name in request.headers}


def _usage(ledger: Ledger, caller: Caller, query: Mapping[str, str]) -> Usage:
    if "phase" in query:
        return ledger.of_phase(caller.task, query["phase"])
    return ledger.of_task(caller.task) if "task" in query else ledger.of_call(caller)


def _said(usage: Usage) -> dict[str, object]:
    return {**asdict(usage.tokens), "cost_usd": usage.cost_usd, "calls": usage.calls}
