"""For the forkserver only: importing this loads the backend and has the SDK take one answer, made up by ourselves.

The SDK builds its types and picks its network backend at its first request, which takes longer than importing some
packages; managers that are forked afterwards find all of it done, in memory that they share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from workflow_manager.backends.anthropic import backend, client

__all__ = ["backend"]  # loaded with everything it needs


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def _answer() -> bytes:
    """A stream with each kind of event that an agent's answer is made of."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    use = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    thought = {"type": "thinking", "thinking": "", "signature": ""}
    parts = [
        _event("message_start", message={**message, "stop_reason": None, "stop_sequence": None}),
        _event("content_block_start", index=0, content_block=thought),
        _event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "t"}),
        _event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"}),
        _event("content_block_stop", index=0),
        _event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
        _event("content_block_delta", index=1, delta={"type": "text_delta", "text": "t"}),
        _event("content_block_stop", index=1),
        _event("content_block_start", index=2, content_block=use),
        _event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": "{}"}),
        _event("content_block_stop", index=2),
        _event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage=usage),
        _event("message_stop"),
    ]
    body = "".join(parts).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(int(length.partition(b":")[2]))
    writer.write(_answer())
    await writer.drain()


async def _rehearse() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sdk = client.make_sdk(f"http://127.0.0.1:{port}", "nobody")
    try:
        messages: Any = [{"role": "user", "content": "hello"}]
        async with sdk.messages.stream(model="m", max_tokens=1, messages=messages) as stream:
            async for _ in stream:
                pass
            client.answer_of(await stream.get_final_message())
    finally:
        await sdk.close()
        server.close()


with contextlib.suppress(OSError):  # without a loopback the first manager takes that time itself
    asyncio.run(_rehearse())
