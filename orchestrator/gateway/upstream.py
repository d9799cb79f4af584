"""The real Messages API behind the port ``Answers``: the only place where the key is used."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from orchestrator.gateway.answers import Answer, CutOff, Question, Unreachable

_CONNECT = 30.0  # seconds
_SILENCE = 600.0  # seconds between two pieces of an answer; a model thinks for a long time before the first


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for a connection, and between two pieces of an answer."""

    connect: float = _CONNECT
    silence: float = _SILENCE


class Upstream:
    """``key`` goes to ``base_url`` and to no other address: redirects are not followed."""

    def __init__(self, base_url: str, key: str, patience: Patience = Patience()) -> None:
        self._base, self._key, self._patience = base_url.rstrip("/"), key, patience
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Upstream({self._base!r})"

    async def ask(self, question: Question) -> Answer:
        headers = {
            "accept-encoding": "identity",  # events are passed on as they come, not when a block is full
            **question.headers,
            "authorization": f"Bearer {self._key}",
        }
        url = URL(self._base + question.path, encoded=True)
        body = question.body or None
        try:
            response = await self._open().request(
                question.method, url, data=body, headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(_said(error)) from error
        told = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, told, _chunks(response))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Made in the loop that uses it; one for all requests, so that connections are used again."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=self._patience.connect, sock_read=self._patience.silence
            )
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=not _is_local(self._base),  # a proxy of the user's, but not to this machine
                auto_decompress=True,
            )
        return self._session


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise CutOff(_said(error)) from error
    finally:
        response.close()  # gives the connection back where it came to its end


def _said(error: BaseException) -> str:
    """In words, and without headers: some errors show the request."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} is not known"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return f"{error.host} could not prove who it is"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed without an answer"
        case aiohttp.ClientPayloadError():
            return "the connection broke in the middle of an answer"
        case OSError(errno=number) if number:
            return os.strerror(number).lower()
        case _:
            return "the connection failed"


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", socket.gethostname())
