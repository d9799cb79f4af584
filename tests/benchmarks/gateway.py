"""What the gateway adds to a streamed request, 32 at once: the same requests straight at a stand-in and through it.

Stand-in, gateway and clients are a process each, as they are in a run. The stand-in thinks for a while and then
says a word now and then, so that what is measured is the way and not the queue for two processors.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import aiohttp
from aiohttp import web

from orchestrator.gateway.gateway import Gateway, upstream
from shared.callers import Caller, mint
from shared.clock import SystemClock
from shared.model import AgentName, ModelSettings, RunId, Spending, TaskId
from tests.benchmarks.measure import Figure

_AT_ONCE = 32
_REQUESTS = 4  # of each
_THINKING, _SPEAKING, _WORDS = (
    0.5,
    0.05,
    20,
)  # seconds, seconds between events, events: as a quick model has it
_MODEL = "claude-haiku-5-5"
_BODY = json.dumps(
    {
        "model": _MODEL,
        "max_tokens": 1000,
        "stream": True,
        "messages": [{"role": "user", "content": "a sentence of ordinary words. " * 300}],
    }
).encode()


def _event(kind: str, fields: dict[str, object]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, separators=(',', ':'))}\n\n".encode()


_USAGE = {"input_tokens": 2000, "output_tokens": 1}
_START = _event("message_start", {"message": {"model": _MODEL, "usage": _USAGE}})
_WORD = _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "word "}})
_END = _event("message_delta", {"usage": {"output_tokens": 60}}) + _event("message_stop", {})


async def _stand_in(request: web.Request) -> web.StreamResponse:
    await request.read()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await asyncio.sleep(_THINKING)
    await response.prepare(request)
    await response.write(_START)
    for _ in range(_WORDS):
        await asyncio.sleep(_SPEAKING)
        await response.write(_WORD)
    await response.write(_END)
    return response


async def _serve_stand_in() -> None:
    application = web.Application()
    application.router.add_post("/v1/messages", _stand_in)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]} token", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _serve_gateway(base_url: str) -> None:
    settings = ModelSettings(base_url=base_url)
    gateway = Gateway(
        run=RunId("bench"),
        settings=settings,
        answers=upstream(settings, "key"),
        recorder=None,
        budget=Spending(usd=1000),
        task_budgets={},
        spent=(),
        tell=lambda event, fields: None,
        clock=SystemClock(),
    )
    gateway.start()
    access = gateway.access(TaskId("a"))
    print(access.url, mint(access.secret, Caller(TaskId("a"), "p", AgentName("A"))), flush=True)
    sys.stdin.read()
    gateway.close()


@contextmanager
def _process(*arguments: str) -> Iterator[tuple[str, str]]:
    """The address and the token that it says, until it is not needed any more."""
    argv = [sys.executable, "-m", "tests.benchmarks.gateway", *arguments]
    with Popen(argv, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        url, token = process.stdout.readline().split()
        yield url, token
        process.communicate()


async def _first_bytes(url: str, token: str) -> list[float]:
    """Seconds to the first byte of each answer."""
    taken: list[float] = []
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    async def caller(session: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(number * (_THINKING + _SPEAKING * _WORDS) / _AT_ONCE)  # not all in one moment
        for _ in range(_REQUESTS):
            begun = time.perf_counter()
            async with session.post(url + "/v1/messages", data=_BODY, headers=headers) as response:
                assert response.status == 200
                await response.content.readany()
                taken.append(time.perf_counter() - begun)
                assert (await response.content.read()).endswith(_END)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(caller(session, number) for number in range(_AT_ONCE)))
    return taken


def overhead(_scratch: Path) -> Figure:
    """The median of what it adds to the first byte, of three rounds in turn."""
    with _process("stand-in") as (straight, nothing), _process("gateway", straight) as (through, token):
        rounds = [
            (
                statistics.median(asyncio.run(_first_bytes(straight, nothing))),
                statistics.median(asyncio.run(_first_bytes(through, token))),
            )
            for _ in range(4)
        ][1:]
    added = statistics.median(b - a for a, b in rounds) * 1000
    direct, via = (statistics.median(times) * 1000 for times in zip(*rounds, strict=True))
    return Figure(
        "what the gateway adds to the first byte of a streamed request, 32 at once",
        added,
        5.0,
        "ms",
        f"p50 {via:.1f} ms against {direct:.1f} ms ({via / direct:.3f} ×)",
    )


if __name__ == "__main__":
    if sys.argv[1] == "stand-in":
        asyncio.run(_serve_stand_in())
    else:
        _serve_gateway(sys.argv[2])
