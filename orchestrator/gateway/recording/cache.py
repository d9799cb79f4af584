"""Answers kept for requests that are made again to the letter; off unless asked for.

Only the names of a run and its folders may differ, because those can be put right in the answer; everything else that
is not the same asks the model. Only whole, good answers are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path

from orchestrator.gateway.answers import Answer, Answers, Question
from orchestrator.gateway.recording.exchange import ENDING, Exchange, pack, unpack
from orchestrator.gateway.recording.moving import moved
from orchestrator.gateway.recording.normal import Places, comparable, digest
from orchestrator.gateway.recording.redaction import Redaction
from orchestrator.gateway.rules.requests import is_billed
from orchestrator.gateway.rules.stream import StreamReader, message
from shared.clock import Clock
from shared.files import replace_file

MOST = 512 * 1024 * 1024  # bytes of all answers kept
OLDEST = 30 * 86_400.0  # seconds since an answer was last of use
LARGEST = 16 * 1024 * 1024  # bytes of one answer
_TRIMMED_EVERY = 100  # answers kept
_PARTS_OF_QUESTION = ("anthropic-version", "anthropic-beta")


class Cached:
    """Implements ``Answers`` over other ones. ``folder`` is shared by all runs of a repository."""

    def __init__(
        self,
        answers: Answers,
        folder: Path,
        places: Places,
        redaction: Redaction,
        clock: Clock,
        *,
        most: int = MOST,
        oldest: float = OLDEST,
    ) -> None:
        self._answers = answers
        self._folder = folder
        self._places = places
        self._redact = redaction
        self._clock = clock
        self._most = most
        self._oldest = oldest
        self._kept = 0

    async def ask(self, question: Question) -> Answer:
        if not is_billed(question.method, question.path):
            return await self._answers.ask(question)
        path = self._path(question)
        kept = await asyncio.to_thread(self._find, path)
        if kept is not None and kept.places is not None:
            body = moved(kept.answered, kept.places.elsewhere(self._places))
            return Answer(kept.status, kept.headers, _whole(body), "cached")
        answer = await self._answers.ask(question)
        if answer.status == 200 and answer.source == "model":
            answer.chunks = self._keeping(question, path, answer.headers, answer.chunks)
        return answer

    async def close(self) -> None:
        await self._answers.close()

    def _path(self, question: Question) -> Path:
        told = {name: question.headers.get(name, "") for name in _PARTS_OF_QUESTION}
        key = digest(question.path, told, comparable(question.body, self._places.named))
        return self._folder / key[:2] / f"{key}{ENDING}"

    async def _keeping(
        self, question: Question, path: Path, headers: Mapping[str, str], chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Hand on ``chunks`` and keep them when they were a whole answer."""
        body = bytearray()
        try:
            async for chunk in chunks:
                if len(body) <= LARGEST:
                    body += chunk
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        if len(body) <= LARGEST and _is_whole(bytes(body)):
            await asyncio.to_thread(self._keep, question, path, headers, bytes(body))

    def _find(self, path: Path) -> Exchange | None:
        """What is kept there; what cannot be read is as good as nothing."""
        try:
            packed = path.read_bytes()
            if self._clock.now() - path.stat().st_mtime > self._oldest:
                return None
            kept = unpack(packed)
            self._used(path)
        except (OSError, ValueError):
            return None
        return kept

    def _keep(self, question: Question, path: Path, headers: Mapping[str, str], body: bytes) -> None:
        if self._redact.answer(body) != body:
            return
        kind = {name: headers[name] for name in ("content-type",) if name in headers}
        now = self._clock.now()
        kept = Exchange(
            question.caller, 1, 1, now, "POST", question.path, b"", 200, kind, body, True, self._places
        )
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, pack(kept))
            self._used(path)
            if self._kept % _TRIMMED_EVERY == 0:
                self._trim()
            self._kept += 1

    def _used(self, path: Path) -> None:
        now = self._clock.now()
        os.utime(path, (now, now))

    def _trim(self) -> None:
        """Remove what has been of no use for long, then what has been for longest."""
        found = []
        for path in self._folder.glob(f"*/*{ENDING}"):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
        room = self._most
        for used, size, path in sorted(found, reverse=True):
            room -= size
            if room < 0 or self._clock.now() - used > self._oldest:
                path.unlink(missing_ok=True)


def _is_whole(body: bytes) -> bool:
    if body.lstrip()[:1] == b"{":
        return bool(message(body)[0])
    reader = StreamReader()
    reader.feed(body + b"\n")
    return reader.complete and reader.error is None


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
