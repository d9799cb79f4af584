"""One exchange as it is kept, and its file: what was asked, what was answered, whether that was all."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.gateway.answers import Question
from orchestrator.gateway.recording.normal import Places
from shared.callers import Caller

FORMAT = 1
ENDING = ".json.gz"
LARGEST = 256 * 1024 * 1024  # bytes of a file when it is unpacked


@dataclass(frozen=True, slots=True)
class Exchange:
    """``session`` tells the gateways of one run apart: each resume has a new one."""

    caller: Caller
    number: int  # in the order in which the caller's answers ended, sessions before this one included
    session: int  # from 1
    at: float  # seconds since the epoch
    method: str
    path: str
    asked: bytes
    status: int
    headers: Mapping[str, str]
    answered: bytes
    complete: bool
    places: Places | None = None  # where it was said, where no run's record tells

    @property
    def name(self) -> str:
        """How people are told of it."""
        caller = self.caller
        return f"request {self.number} of {caller.agent} in {caller.task}, phase {caller.phase}, try {caller.attempt}"

    def question(self) -> Question:
        return Question(self.caller, self.number, self.method, self.path, {}, self.asked)


def pack(exchange: Exchange) -> bytes:
    data: dict[str, Any] = {
        "version": FORMAT,
        "caller": asdict(exchange.caller),
        "number": exchange.number,
        "session": exchange.session,
        "at": exchange.at,
        "complete": exchange.complete,
        "request": {"method": exchange.method, "path": exchange.path, **_body(exchange.asked)},
        "answer": {"status": exchange.status, "headers": dict(exchange.headers), **_body(exchange.answered)},
    }
    if exchange.places is not None:
        data["places"] = {"run": exchange.places.run, "folders": dict(exchange.places.folders)}
    # Without a time of its own, so that the same exchange is the same file.
    return gzip.compress(json.dumps(data, ensure_ascii=False).encode(errors="replace"), 6, mtime=0)


def unpack(packed: bytes) -> Exchange:
    """Raises ValueError where ``packed`` is damaged, of another format, or larger than anything that is kept."""
    try:
        data = json.loads(_unzipped(packed))
        if data["version"] != FORMAT:
            raise ValueError(f"its format is {data['version']}, this program reads {FORMAT}")
        request, answer = data["request"], data["answer"]
        return Exchange(
            Caller(**data["caller"]),
            int(data["number"]),
            int(data["session"]),
            float(data["at"]),
            str(request["method"]),
            str(request["path"]),
            _bytes(request),
            int(answer["status"]),
            {str(name): str(value) for name, value in answer["headers"].items()},
            _bytes(answer),
            bool(data["complete"]),
            Places(**data["places"]) if "places" in data else None,
        )
    except (KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise ValueError(f"it is no exchange: {error!r}") from None


def _unzipped(packed: bytes) -> bytes:
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        data = unzip.decompress(packed, LARGEST)
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from None
    if not unzip.eof:
        raise ValueError("it is too large" if unzip.unconsumed_tail else "its end is missing")
    return data


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _bytes(part: Mapping[str, Any]) -> bytes:
    if "text" in part:
        return str(part["text"]).encode()
    return base64.b64decode(part["base64"], validate=True)
