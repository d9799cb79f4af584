from __future__ import annotations

import errno
import logging
import socket
import ssl
import time
from collections.abc import Iterator

import httpx2
import pytest

from shared.forge.github import transport as module
from shared.forge.github.addresses import host_at
from shared.forge.github.auth import Given
from shared.forge.github.client import Client
from shared.forge.github.limits import Limiter
from shared.forge.github.transport import Lost, NotSent, Patience, Raw, Transport, _said
from shared.forge.github.waiting import Turnstile
from tests.support.github_script import TOKEN, scripted
from tests.support.wire_server import WireServer, answer, says, serving

HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Patience(connect=2.0, silence=0.3, whole=1.0))
    yield made
    made.close()


def get(transport: Transport, server: WireServer, path: str = "/x", tail: int = 0) -> Raw:
    return transport.exchange("GET", server.url + path, HEADERS, tail=tail)


def test_answer_comes_as_it_was_given(transport: Transport) -> None:
    with serving(answer(b"[1]", "201 Created", "ETag: W/x", "X-RateLimit-Remaining: 5")) as server:
        raw = transport.exchange("POST", server.url + "/x?a=1", HEADERS, b'{"a": 1}')
    assert (raw.status, raw.body) == (201, b"[1]")
    assert raw.headers["etag"] == "W/x"
    assert raw.headers["x-ratelimit-remaining"] == "5"
    [request] = server.requests
    assert request.startswith("POST /x?a=1 HTTP/1.1\r\n")
    assert request.endswith('\r\n\r\n{"a": 1}')


def test_one_connection_serves_one_request_after_another(transport: Transport) -> None:
    with serving(*[answer()] * 5) as server:
        for _ in range(5):
            get(transport, server)
        transport.close()
    assert server.connections == 1


def test_redirect_is_told_and_not_followed(transport: Transport) -> None:
    with serving(answer(b"", "302 Found", "location: https://example.org/")) as server:
        raw = get(transport, server)
    assert (raw.status, raw.headers["location"]) == (302, "https://example.org/")


def test_cookies_are_not_kept(transport: Transport) -> None:
    with serving(answer(b"{}", "200 OK", "set-cookie: a=b; Path=/"), answer()) as server:
        get(transport, server)
        get(transport, server)
    assert "cookie" not in server.requests[1].lower()


def test_last_bytes_of_a_long_answer_are_enough(transport: Transport) -> None:
    with serving(answer(b"x" * 5_000_000 + b"end")) as server:
        assert get(transport, server, tail=5).body == b"xxend"


def test_nobody_there_means_that_nothing_was_sent(transport: Transport) -> None:
    with serving() as server:
        url = server.url
    with pytest.raises(NotSent, match="connection refused"):
        transport.exchange("POST", url, HEADERS, b"{}")


@pytest.mark.parametrize("url", ["https://", "http://[::1", "https://exa\x00mple/", "gopher://x/"])
def test_address_without_sense_means_that_nothing_was_sent(transport: Transport, url: str) -> None:
    with pytest.raises(NotSent):
        transport.exchange("GET", url, {})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345",
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000,
    ],
)
def test_answer_that_is_not_whole_is_lost(transport: Transport, text: bytes) -> None:
    with serving(says(text)) as server, pytest.raises(Lost) as caught:
        get(transport, server)
    assert TOKEN not in str(caught.value)


def test_silent_server_is_not_waited_for(transport: Transport) -> None:
    with serving(lambda connection: None) as server, pytest.raises(Lost, match="no answer in time"):
        get(transport, server)


def test_answer_that_never_ends_is_given_up(transport: Transport) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not server.ended.wait(0.02):
            connection.sendall(b"1\r\nx\r\n")

    with serving(drip) as server:
        began = time.monotonic()
        with pytest.raises(Lost, match="did not end within 1 s"):
            get(transport, server)
        assert time.monotonic() - began < 5.0


def test_answer_without_measure_is_given_up(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1024**2)

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.ended.is_set():
            connection.sendall(b"x" * 65536)

    with serving(flood) as server, pytest.raises(Lost, match="longer than 1 MiB"):
        get(transport, server)


def test_proxy_of_the_environment_is_for_other_machines(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answer(b"of the proxy")) as proxy, serving(answer(b"direct")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert get(transport, server).body == b"direct"
        assert transport.exchange("GET", "http://git.example.org/x", {}).body == b"of the proxy"
        transport.close()
    assert proxy.requests[0].startswith("GET http://git.example.org/x ")


def test_logs_show_neither_addresses_nor_headers(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(answer()) as server:
        get(transport, server, "/x?signature=secret")
    assert caplog.text == ""


def test_netrc_is_not_read(
    transport: Transport, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password of-netrc\n")
    monkeypatch.setenv("HOME", str(home))
    with serving(answer()) as server:
        transport.exchange("GET", server.url, {})
    assert "authorization" not in server.requests[0].lower()


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (socket.gaierror(-2, "x"), "its name is not known"),
        (ssl.SSLCertVerificationError(1, "x"), "it could not prove who it is"),
        (OSError(errno.ENETUNREACH, "x"), "network is unreachable"),
        (httpx2.ConnectTimeout("x"), "no connection in time"),
        (httpx2.ProxyError("secret"), "the proxy refuses"),
        (httpx2.ConnectError("secret"), "the connection failed"),
    ],
)
def test_what_went_wrong_is_told_in_words_and_shows_nothing_of_the_request(
    cause: BaseException, words: str
) -> None:
    error = httpx2.ConnectError("secret")
    error.__cause__ = cause
    assert _said(error) == words


# The client over all of it


def client(server: WireServer, transport: Transport) -> Client:
    it = scripted([])
    turnstile = Turnstile(Limiter(), it.clock, it.stop)
    host = host_at(server.url)
    return Client(host, Given(TOKEN, "x"), turnstile=turnstile, clock=it.clock, transport=transport)


def test_token_stays_here_when_a_file_is_on_another_server(transport: Transport) -> None:
    with serving(answer(b"the log")) as other:
        where = f"location: {other.url}/file"
        with serving(answer(b"", "302 Found", where), answer(b"", "302 Found", where)) as server:
            api = client(server, transport)
            assert api.download("/x", limit=3) == b"log"
            with pytest.raises(Exception, match="the token does not go there"):
                api.get("/x")
            api.close()
    assert TOKEN in server.requests[0]
    assert TOKEN not in "".join(other.requests)
    assert len(other.requests) == 1


def test_change_whose_answer_was_cut_is_not_sent_again(transport: Transport) -> None:
    with serving(says(b"HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n{")) as server:
        api = client(server, transport)
        with pytest.raises(Exception, match="it may or may not have been done"):
            api.send("POST", "/x", {})
        api.close()
    assert len(server.requests) == 1
