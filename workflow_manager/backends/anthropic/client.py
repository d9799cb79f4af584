"""Asking the model through the SDK: one request, streamed, that can be stopped at any moment.

The SDK tries nothing again (``max_retries=0``); the gateway does, up to the first byte of an answer, and ``ask``
sends a step again whose answer broke off after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import anthropic
import httpx2  # the SDK's own

from shared.model import Tokens
from shared.process import Cancel
from shared.retry import trying
from workflow_manager.backends.anthropic.conversation import (
    Answer,
    Message,
    blocks_of,
    messages_to_wire,
    stop_of,
    system_to_wire,
)
from workflow_manager.backends.anthropic.ending import (
    STOP_HEADER,
    BrokenStep,
    judged,
    stopped,
    timed_out,
)
from workflow_manager.backends.anthropic.patience import Patience

_TICK = 1.0  # seconds between looks at how a request stands
_SHORTEST = 0.05  # seconds between them, however little time is left
_CONNECT_SECONDS = 10.0
_BEAT_SECONDS = 1.0  # at most one sign of life for this much of a stream


class Asks(Protocol):
    """What the loop needs of a model."""

    def ask(
        self, system: str, tools: Sequence[dict[str, Any]], messages: Sequence[Message], max_tokens: int
    ) -> Answer: ...


class Client:
    """One agent's conversation with one model, over one connection. A context manager."""

    def __init__(self, url: str, token: str, model: str, cancel: Cancel, patience: Patience) -> None:
        self._model, self._cancel, self._patience = model, cancel, patience
        self._runner = asyncio.Runner()
        self._sdk = make_sdk(url, token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):
            self._runner.run(self._sdk.close())
        self._runner.close()

    def ask(
        self, system: str, tools: Sequence[dict[str, Any]], messages: Sequence[Message], max_tokens: int
    ) -> Answer:
        """The model's whole answer. Raises Ended, WindowFull, or BrokenStep after the last try."""
        request: dict[str, Any] = {
            "model": self._model,
            "max_tokens": max_tokens,
            "system": system_to_wire(system),
            "messages": messages_to_wire(messages),
        }
        if tools:
            request["tools"] = list(tools)
        return trying("model-step", BrokenStep).copy(sleep=self._sleep)(
            lambda: self._runner.run(self._watched(request))
        )

    def _sleep(self, seconds: float) -> None:
        """Between two tries; the user's stop ends it early."""
        select.select([self._cancel], [], [], seconds)

    async def _watched(self, request: dict[str, Any]) -> Answer:
        """One try, cancelled where the user or the time says so, which closes its connection."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        switch = self._cancel.fileno()

        def thrown() -> None:
            loop.remove_reader(switch)
            stop.set()

        loop.add_reader(switch, thrown)
        asked = asyncio.ensure_future(self._asked(request))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not asked.done():
                await asyncio.wait(
                    {asked, stopping},
                    timeout=min(_TICK, max(self._patience.left(), _SHORTEST)),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if asked.done():
                    break
                if self._cancel.is_set:
                    await self._hang_up(asked)
                    raise stopped()
                await asyncio.to_thread(self._patience.look)
                if self._patience.left() <= 0:
                    await self._hang_up(asked)
                    raise timed_out(self._patience.taken)
            return asked.result()
        finally:
            loop.remove_reader(switch)
            stopping.cancel()

    async def _hang_up(self, asked: asyncio.Future[Answer]) -> None:
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await asked
        await asyncio.to_thread(self._patience.hang_up)

    async def _asked(self, request: dict[str, Any]) -> Answer:
        try:
            return await self._streamed(request)
        except anthropic.APIStatusError as error:
            told = error.api_message or error.message
            raise judged(
                error.status_code, error.type or "", told, error.response.headers.get(STOP_HEADER, "")
            ) from error
        except anthropic.APIConnectionError as error:
            raise BrokenStep(f"the gateway could not be reached: {error.__cause__ or error}") from error
        except (anthropic.AnthropicError, ValueError, RuntimeError, AssertionError) as error:
            raise BrokenStep(f"the model's answer made no sense: {error}") from error
        except httpx2.HTTPError as error:  # the SDK passes these on where a connection breaks
            raise BrokenStep(f"the model's answer broke off: {str(error) or type(error).__name__}") from error

    async def _streamed(self, request: dict[str, Any]) -> Answer:
        beaten = 0.0
        async with self._sdk.messages.stream(**request) as stream:
            async for _ in stream:
                if time.monotonic() - beaten > _BEAT_SECONDS:
                    beaten = time.monotonic()
                    self._patience.alive()
            message = await stream.get_final_message()
        answer = answer_of(message)
        if not answer.stop:
            raise BrokenStep("the model's answer ended early")
        return answer


def make_sdk(url: str, token: str, **options: Any) -> anthropic.AsyncAnthropic:
    """The SDK's client. To an address without TLS it loads no certificates, which would take most of its time.

    Nothing in the environment (proxies, keys, profiles) changes where it asks, and as whom.
    """
    http = anthropic.DefaultAsyncHttpxClient(
        trust_env=False, verify=url.startswith("https:"), follow_redirects=False, **options
    )
    timeout = anthropic.Timeout(None, connect=_CONNECT_SECONDS)
    return anthropic.AsyncAnthropic(
        base_url=url, api_key=token, max_retries=0, timeout=timeout, http_client=http, open_telemetry=False
    )


def answer_of(message: anthropic.types.Message) -> Answer:
    detail = message.stop_details.explanation if message.stop_details is not None else ""
    return Answer(
        blocks_of(block.to_dict() for block in message.content),
        stop_of(message.stop_reason),
        _tokens(message.usage),
        detail or "",
    )


def _tokens(usage: anthropic.types.Usage) -> Tokens:
    created = usage.cache_creation
    hour = created.ephemeral_1h_input_tokens if created is not None else 0
    return Tokens(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_write=(usage.cache_creation_input_tokens or 0) - hour,
        cache_write_1h=hour,
        cache_read=usage.cache_read_input_tokens or 0,
    )
