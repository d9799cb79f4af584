from __future__ import annotations

import errno
from ssl import SSLError

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from orchestrator.gateway.upstream import _said

_KEY = ConnectionKey("api.example", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (aiohttp.ServerTimeoutError(), "no answer in time"),
        (aiohttp.ClientConnectorDNSError(_KEY, OSError("x")), "the name api.example is not known"),
        (aiohttp.ClientConnectorSSLError(_KEY, SSLError("x")), "api.example could not prove who it is"),
        (aiohttp.ClientConnectorError(_KEY, OSError(errno.ECONNREFUSED, "x")), "connection refused"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "x"), "connection reset by peer"),
        (aiohttp.ServerDisconnectedError(), "the connection was closed without an answer"),
        (aiohttp.ClientPayloadError("secret"), "the connection broke in the middle of an answer"),
        (aiohttp.ClientError("secret"), "the connection failed"),
    ],
)
def test_what_went_wrong_is_told_in_words_and_shows_nothing_of_the_request(
    error: BaseException, words: str
) -> None:
    assert _said(error) == words
