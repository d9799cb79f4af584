"""The stand-in on the network: a thread with an HTTP server on loopback, and another host where logs are kept."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import threading
import traceback
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.support.github import answering, githttp, graph
from tests.support.github.answering import Admitted, Request
from tests.support.github.asking import Answer, Problem
from tests.support.github.calls import Call
from tests.support.github.faults import Fault
from tests.support.github.settling import settle
from tests.support.github.state import may

if TYPE_CHECKING:
    import ssl

    from tests.support.github.standin import GitHub

_GIT = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")
_LARGEST = 1 << 30


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Server:
    def __init__(self, github: GitHub, tls: ssl.SSLContext | None = None) -> None:
        self.address = ""  # host and port
        self.storage = ""
        self._github, self._tls = github, tls
        self._ids = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="github-server")
        self._runners: list[web.AppRunner] = []

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        host = "localhost" if self._tls else "127.0.0.1"
        self.address = f"{host}:{await self._listen(self._handle, self._tls)}"
        self.storage = f"http://localhost:{await self._listen(self._stored, None)}"

    async def _listen(self, handler: Any, tls: ssl.SSLContext | None) -> int:
        application = web.Application(client_max_size=_LARGEST)
        application.router.add_route("*", "/{rest:.*}", handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def _stop(self) -> None:
        self._closing.set()
        for runner in self._runners:
            await runner.cleanup()
        await self._loop.shutdown_default_executor()

    # --- requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path, body = request.rel_url.raw_path, await request.read()
        try:
            if match := _GIT.fullmatch(path):
                return await self._git(request, match[1], match[2], body)
            prefix = next(one for one in ("/api/v3", "/api", "") if f"{path}/".startswith(f"{one}/"))
            inner = path.removeprefix(prefix) or "/"
            base = f"{self._github.url}{'/api/v3' if prefix else ''}"
            if inner == "/graphql":
                return await self._graphql(request, body, base)
            return await self._rest(request, inner, body, base)
        except Dropped:
            _close(request)
            return web.Response(status=500)
        except Exception:  # noqa: BLE001 its own mistakes fail the test, and must not look like GitHub's
            self._github.violated(f"the stand-in broke: {traceback.format_exc()}")
            return web.Response(status=500)

    def _request(self, request: web.Request, path: str, body: bytes, base: str) -> Request:
        headers = {name.lower(): value for name, value in request.headers.items()}
        id = f"{next(self._ids):04X}:2F7A1B:9C3D"
        return Request(request.method, path, request.rel_url.raw_query_string, headers, body, base, id)

    async def _rest(self, request: web.Request, path: str, body: bytes, base: str) -> web.StreamResponse:
        github, asked = self._github, self._request(request, path, body, base)
        call = Call(
            "rest",
            request.method,
            path,
            github.clock.now(),
            query=asked.query,
            agent=asked.headers.get("user-agent", ""),
        )
        github.calls.append(call)
        faults = github.faults.pick(f"{request.method} {path}")
        if path == "/":
            return self._send(call, asked, Answer({"current_user_url": f"{base}/user"}), {})
        headers: dict[str, str] = {}
        admitted: Admitted | None = None
        made = Answer(status=500)
        try:
            with github.lock:
                admitted = answering.admit(github, asked, call)
            headers |= answering.accepted(admitted.route)
            early = await self._before(faults, asked)
            if early is None:
                with github.lock:
                    made = answering.answer(github, admitted)
            else:
                made = early
            made = await self._after(faults, made)
        except Problem as problem:
            made = problem.answer
            call.counts = False
        finally:
            if admitted is not None:
                call.counts = made.status != 304 and admitted.route.limit != "none"
                with github.lock:
                    github.limits.leave(admitted.token, admitted.route.limit, int(call.counts))
        if admitted is not None:
            headers |= github.limits.headers(admitted.token, admitted.route.limit)
        return self._send(call, asked, made, headers)

    async def _graphql(self, request: web.Request, body: bytes, base: str) -> web.StreamResponse:
        github, asked = self._github, self._request(request, "/graphql", body, base)
        call = Call("graphql", "QUERY", "", github.clock.now(), agent=asked.headers.get("user-agent", ""))
        github.calls.append(call)
        token, entered, cost, made = None, False, 0, Answer(status=500)
        try:
            with github.lock:
                token, question = graph.admit(github, asked, call)
                github.limits.enter(token, "graphql", question.mutates, question.creates, asked.id)
                entered, cost = True, question.cost
            faults = github.faults.pick(f"GRAPHQL {question.text}")
            early = await self._before(faults, asked)
            if early is None:
                with github.lock:
                    made = graph.answer(github, token, question, base)
            else:
                made = early
            made = await self._after(faults, made)
        except Problem as problem:
            made = problem.answer
            call.counts = False
        finally:
            if entered:
                with github.lock:
                    github.limits.leave(token, "graphql", cost)
        return self._send(call, asked, made, github.limits.headers(token, "graphql"))

    # --- git

    async def _git(self, request: web.Request, name: str, service: str, body: bytes) -> web.StreamResponse:
        github, query = self._github, dict(request.query)
        write = githttp.wants_write(service, query)
        call = Call("git", request.method, service, github.clock.now(), query=request.query_string)
        call.changed = githttp.commands(body) if service == "git-receive-pack" else ()
        github.calls.append(call)
        faults = github.faults.pick(f"GIT {service} {query.get('service', '')}")
        asked = self._request(request, service, body, github.url)
        refused = self._git_refusal(name, write, asked, call)
        if refused is not None:
            return self._send(call, asked, refused, {})
        made = await self._before(faults, asked)
        if made is None:
            repository, token = (
                github.world.repository(name),
                github.world.tokens.get(githttp.credential(asked.headers.get("authorization", ""))),
            )
            assert repository is not None
            made = await asyncio.to_thread(
                githttp.serve,
                repository,
                service,
                request.method,
                request.query_string,
                asked.headers,
                body,
                token,
            )
            with github.lock:
                settle(repository, github.clock.now())
        made = await self._after(faults, made)
        return self._send(call, asked, made, {})

    def _git_refusal(self, name: str, write: bool, asked: Request, call: Call) -> Answer | None:
        github = self._github
        secret = githttp.credential(asked.headers.get("authorization", ""))
        token = github.world.tokens.get(secret)
        if secret and (token is None or (token.expires is not None and token.expires < github.clock.now())):
            return githttp.refused(
                401, "Invalid username or token. Password authentication is not supported for Git operations."
            )
        call.user = token.user.login if token else ""
        repository = github.world.repository(name)
        if repository is None and (former := github.world.formerly(name)):
            rest = asked.path + (f"?{asked.query}" if asked.query else "")
            return Answer(
                status=301, headers={"Location": f"{github.url}/{former.full_name}.git/{rest}"}, raw=b""
            )
        held = repository.permission(token.user if token else None) if repository else "none"
        if token and token.installation and repository:
            held = "write" if token.may("contents", "write") else "read"
        if repository is None or not may(held, "read"):
            return githttp.refused(404 if token else 401, "Repository not found.")
        if not write:
            return (
                None
                if token is None or token.may("contents", "read")
                else githttp.refused(403, "Write access to repository not granted.")
            )
        if token is None:
            return githttp.refused(401, "Authentication required")
        if repository.archived:
            return githttp.refused(403, "This repository was archived so it is read-only.")
        if not may(held, "write") or not token.may("contents", "write"):
            return githttp.refused(
                403, f"Permission to {repository.full_name}.git denied to {token.user.login}."
            )
        return None

    # --- what goes wrong

    async def _before(self, faults: list[Fault], asked: Request) -> Answer | None:
        """An answer that is given instead of the real one."""
        for fault in faults:
            match fault.kind:
                case "act" if fault.when == "before" and fault.act is not None:
                    await asyncio.to_thread(fault.act)
                case "drop":
                    raise Dropped
                case "slow":
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), fault.seconds)
                case "status":
                    return _bad(fault)
                case "secondary":
                    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
                    headers = fault.headers or {"Retry-After": "60"}
                    return Problem(
                        fault.status if fault.status in (403, 429) else 403, words, headers=headers
                    ).answer
                case "redirect":
                    return Answer(status=302, headers={"Location": fault.address}, raw=b"")
        return None

    async def _after(self, faults: list[Fault], made: Answer) -> Answer:
        for fault in faults:
            match fault.kind:
                case "act" if fault.when == "after" and fault.act is not None:
                    await asyncio.to_thread(fault.act)
                case "lose":
                    raise Dropped
                case "late-status":
                    return _bad(fault)
                case "junk":
                    return Answer(status=200, raw=b'{"id": 12, "tit')
        return made

    # --- answers

    def _send(self, call: Call, asked: Request, made: Answer, more: dict[str, str]) -> web.StreamResponse:
        call.status = made.status
        headers = {
            "Content-Type": "application/json; charset=utf-8", "X-GitHub-Request-Id": asked.id,
            "Date": formatdate(self._github.clock.now(), usegmt=True), "X-GitHub-Media-Type": "github.v3; format=json",
            **more, **made.headers,
        }  # fmt: skip
        if call.kind == "rest" and asked.headers.get("authorization"):
            headers.update(self._github.scopes(asked.headers["authorization"]))
        if call.kind == "rest":
            headers["X-GitHub-Api-Version-Selected"] = asked.headers.get("x-github-api-version", "2022-11-28")
        return web.Response(status=made.status, body=made.body(), headers=headers)

    async def _stored(self, request: web.Request) -> web.StreamResponse:
        """The other host: it must never see a token."""
        github = self._github
        github.calls.append(Call("storage", request.method, request.path, github.clock.now(), status=200))
        if "authorization" in request.headers:
            github.violated("the token was sent to another host")
        stored = github.stored.get(request.path)
        if stored is None:
            return web.Response(status=404)
        return web.Response(body=stored, headers={"Content-Type": "text/plain"})


def _bad(fault: Fault) -> Answer:
    page = (
        f"<html><title>{fault.status}</title><h1>This page is taking too long to load.</h1></html>".encode()
    )
    return Answer(status=fault.status, headers={"Content-Type": "text/html", **fault.headers}, raw=page)


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
