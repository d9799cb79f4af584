"""Requests over HTTP, one connection pool for the process: the only place that sends anything to GitHub's API.

Nothing is tried again here and no redirect is followed: whoever asks knows what may be done twice and what may be
sent where.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.forge.github.addresses import is_loopback

if TYPE_CHECKING:
    import httpx2

MOST = (
    32 * 1024 * 1024
)  # bytes of an answer; GitHub's largest, a page of a hundred long texts, has some 7 MiB


UNPROVEN = "it could not prove who it is"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a connection, between two pieces of an answer, and for all of it."""

    connect: float = 10.0
    silence: float = 30.0
    whole: float = 120.0


@dataclass(frozen=True, slots=True)
class Raw:
    status: int
    headers: Mapping[str, str]  # with names in lower case
    body: bytes


class NotSent(Exception):
    """It did not reach the server: no name, no connection, no proof of who it is."""


class Lost(Exception):
    """It may have reached the server, and no whole answer came."""


class TooLong(Lost):
    """The answer is longer than is taken."""


@dataclass(slots=True, eq=False)
class Transport:
    """Safe for several threads. The client is made when it is first needed: that takes 150 ms for its certificates."""

    patience: Patience = Patience()
    at_once: int = 100
    _clients: dict[bool, httpx2.Client] = field(default_factory=dict, init=False, repr=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"", *, tail: int = 0
    ) -> Raw:
        """The answer with its body, or where ``tail`` says so with its last bytes. Raises NotSent or Lost."""
        import httpx2

        try:
            client = self._client(url)
            request = client.build_request(method, url, headers=dict(headers), content=content or None)
        except (httpx2.InvalidURL, ValueError, UnicodeError):
            raise NotSent("the address makes no sense") from None
        with _said_in_words():
            response = client.send(request, stream=True)
        with contextlib.closing(response), _said_in_words():
            body = self._read(response, tail)
        return Raw(
            response.status_code, {name.lower(): value for name, value in response.headers.items()}, body
        )

    def _read(self, response: httpx2.Response, tail: int) -> bytes:
        """All of it, unless it is too long or never ends."""
        kept, length, end = bytearray(), 0, time.monotonic() + self.patience.whole
        for piece in response.iter_bytes():
            kept += piece
            length += len(piece)
            if tail:
                del kept[:-tail]
            elif length > MOST:
                raise TooLong(f"the answer is longer than {MOST // 1024**2} MiB")
            if time.monotonic() > end:
                raise Lost(f"the answer did not end within {self.patience.whole:.0f} s")
        return bytes(kept)

    def _client(self, url: str) -> httpx2.Client:
        """A proxy of the environment is used for other machines only."""
        near = is_loopback(urlsplit(url).netloc.rpartition("@")[2])
        with self._making:
            if near not in self._clients:
                self._clients[near] = _open(self.patience, self.at_once, near=near)
            return self._clients[near]

    def close(self) -> None:
        with self._making:
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def _open(patience: Patience, at_once: int, *, near: bool) -> httpx2.Client:
    import httpx2

    for name in ("httpx2", "httpcore2"):  # at their lower levels they show addresses and headers
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx2.Client(
        verify=httpx2.create_ssl_context(),  # who vouches for servers may be said by the environment for all of them
        trust_env=not near,
        follow_redirects=False,
        cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx2.Timeout(
            connect=patience.connect, read=patience.silence, write=patience.silence, pool=None
        ),
        limits=httpx2.Limits(
            max_connections=at_once,
            max_keepalive_connections=at_once,
            # Shorter than servers keep them: one that is closed while something is sent loses it or its answer.
            keepalive_expiry=20.0,
        ),
    )


@contextlib.contextmanager
def _said_in_words() -> Iterator[None]:
    """Errors of the network as ours, without headers: some of httpx2's show the request."""
    import httpx2

    try:
        yield
    except (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    ) as error:
        raise NotSent(_said(error)) from None
    except httpx2.TimeoutException:
        raise Lost("no answer in time") from None
    except httpx2.RemoteProtocolError:
        raise Lost("the connection was closed without a whole answer") from None
    except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise Lost(_said(error)) from None


def _said(error: BaseException) -> str:
    """In words, by what lies below."""
    import socket
    import ssl

    import httpx2

    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case socket.gaierror():
                return "its name is not known"
            case ssl.SSLError():
                return UNPROVEN
            case httpx2.TimeoutException():
                return "no connection in time"
            case httpx2.ProxyError():
                return "the proxy refuses"
            case OSError(errno=number) if number:
                return os.strerror(number).lower()
        cause = cause.__cause__ or cause.__context__
    return "the connection failed"
