"""The one client of the process: ``Api`` over HTTP, with pages, redirects and conditional questions.

The token goes to the API's own host and nowhere else.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from shared.clock import Clock
from shared.forge.github import wire
from shared.forge.github.addresses import is_loopback
from shared.forge.github.api import Host
from shared.forge.github.apps import Installation
from shared.forge.github.asking import Asked, Asker
from shared.forge.github.auth import App, Auth, Given
from shared.forge.github.cache import Cache
from shared.forge.github.errors import Refused, Unreachable
from shared.forge.github.limits import Kind, Limiter
from shared.forge.github.transport import Raw, Transport
from shared.forge.github.waiting import Tell, Turnstile
from shared.forge.github.wire import Data, Moved, NotModified, Outcome

_REDIRECTS = 5
_PAGE = 100  # items, the most that GitHub gives


def open_client(
    host: Host,
    who: Given | App,
    repository: str,
    *,
    clock: Clock,
    stop: threading.Event,
    tell: Tell = lambda waiting: None,
    check: Callable[[], None] = lambda: None,
) -> Client:
    """The client of a run: ``stop`` ends its waits, ``tell`` hears of them, ``check`` is as in ``Client``.

    ``repository`` (owner/name) is where an App must be installed. Nothing is asked yet.
    """
    transport = Transport()

    def opened(auth: Auth, check: Callable[[], None]) -> Client:
        turnstile = Turnstile(Limiter(), clock, stop, tell)
        return Client(host, auth, turnstile=turnstile, clock=clock, transport=transport, check=check)

    if isinstance(who, Given):
        return opened(who, check)
    # An App has limits of its own, apart from those of its installations; a new token changes nothing for anybody.
    auth = Installation(who, repository, lambda auth: opened(auth, lambda: None), clock)
    return opened(auth, check)


class Client:
    """Safe for several threads."""

    def __init__(
        self,
        host: Host,
        auth: Auth,
        *,
        turnstile: Turnstile,
        clock: Clock,
        transport: Transport | None = None,
        cache: Cache | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``check`` is asked right before each request that changes something, after any wait; it raises Interrupted
        where nothing may be changed any more."""
        self.host, self.auth = host, auth
        self._clock, self._cache = clock, cache or Cache()
        self._transport = transport or Transport()
        self._asker = Asker(host, auth, turnstile, clock, self._transport, check)

    def __repr__(self) -> str:
        return f"Client({self.host.name!r}, {self.auth.source!r})"

    @property
    def calls(self) -> Counter[str]:
        """Requests that were sent: by method, ``graphql``, and of these as ``304`` what counted against no limit."""
        return self._asker.calls

    def now(self) -> float:
        """Seconds since the epoch by GitHub's clock, to a second, as of its last answer."""
        return self._clock.now() + self._asker.ahead

    def get(self, path: str, **query: str | int) -> Any:
        return self._page(self._url(path, query)).value

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        url: str | None = self._url(path, {"per_page": _PAGE, **query})
        seen: set[str] = set()
        while url:
            seen.add(url)
            page = self._page(url)
            yield from _items(page.value)
            url = self._inside(url, page.next) if page.next else None
            if url in seen:
                raise Unreachable(f"GitHub's pages of {path} lead back to one another")

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, creates: bool = False
    ) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        kind = Kind.of(method, path, creates=creates)
        asked = Asked(method, self._url(path, {}), kind, content, again=False)
        match self._asker.carry_out(asked):
            case Data(value):
                return value
            case Moved(where):
                raise Refused(307, f"{asked}: it has moved to {_shown(where)}, and only questions follow")
            case NotModified():
                return None

    def graphql(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        mutates: bool = False,
        hidden: Callable[[wire.Path], object] = lambda path: None,
    ) -> Mapping[str, Any]:
        def read(raw: Raw, now: float) -> Outcome:
            return wire.meaning_of_graphql(raw.status, raw.headers, raw.body, now, mutates=mutates)

        content = json.dumps({"query": query, "variables": dict(variables)}).encode()
        kind = Kind.of_graphql(mutates=mutates)
        asked = Asked("POST", self.host.graphql, kind, content, again=not mutates, read=read)
        outcome = self._asker.carry_out(asked)
        if not isinstance(outcome, Data):
            raise Refused(307, f"{asked}: it has moved, and only questions by GET follow")
        for path in outcome.hidden:
            hidden(path)
        data: Mapping[str, Any] = outcome.value
        return data

    def download(self, path: str, *, limit: int) -> bytes:
        def read(raw: Raw, now: float) -> Outcome:
            if raw.status == 200:
                return Data(raw.body)
            return wire.meaning(raw.status, raw.headers, raw.body, now)

        asked = Asked("GET", self._url(path, {}), Kind.of("GET", path), tail=limit, read=read)
        for _ in range(_REDIRECTS):
            outcome = (
                self._asker.carry_out(asked) if self._is_ours(asked.url) else self._asker.elsewhere(asked)
            )
            if not isinstance(outcome, Moved):
                return outcome.value if isinstance(outcome, Data) else b""
            asked = replace(asked, url=_followed(asked.url, outcome.url))
        raise Refused(310, f"GET {path}: it is redirected again and again")

    def pause(self, seconds: float) -> None:
        self._asker.pause(seconds)

    def close(self) -> None:
        self._transport.close()

    def _page(self, url: str) -> Data:
        """By GET, from the cache where nothing has changed; redirects on this host are followed."""
        for _ in range(_REDIRECTS):
            kept = self._cache.get(url)
            kind = Kind.of("GET", url.removeprefix(self.host.api))
            outcome = self._asker.carry_out(Asked("GET", url, kind, etag=kept.etag if kept else ""))
            if isinstance(outcome, Data):
                self._cache.put(url, outcome.etag, outcome.value, outcome.next)
                return outcome
            if isinstance(outcome, Moved):
                url = self._inside(url, outcome.url)
            elif kept is not None:
                return Data(kept.value, kept.next)
            else:
                raise Unreachable("GitHub says that nothing changed, and was not asked about that")
        raise Refused(310, f"GET {urlsplit(url).path}: it is redirected again and again")

    def _url(self, path: str, query: Mapping[str, str | int]) -> str:
        return f"{self.host.api}{path}" + (f"?{urlencode(query)}" if query else "")

    def _is_ours(self, url: str) -> bool:
        return _origin(url) == _origin(self.host.api)

    def _inside(self, url: str, where: str) -> str:
        """Where ``where`` leads, seen from ``url``. Raises Refused where that is on another host."""
        found = _joined(url, where)
        if not self._is_ours(found):
            raise Refused(302, f"GitHub leads to {_shown(found)}; the token does not go there")
        return found


def _followed(url: str, where: str) -> str:
    """Raises Refused where it leads from an encrypted connection to one that is not."""
    found = _joined(url, where)
    before, after = urlsplit(url), urlsplit(found)
    near = before.scheme == after.scheme == "http" and is_loopback(after.netloc)
    if after.scheme != "https" and not near:
        raise Refused(302, f"GitHub leads to {_shown(found)}, where anybody could read along")
    return found


def _joined(url: str, where: str) -> str:
    """Raises Refused where it makes no sense."""
    try:
        found = urljoin(url, where)
        _ = urlsplit(found).netloc
    except ValueError:
        raise Refused(302, "GitHub leads to an address that makes no sense") from None
    return found


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _shown(url: str) -> str:
    """Without what may be a secret: names, passwords and signatures."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _items(value: object) -> Iterator[Any]:
    """Of a list, or of the list in an object that also counts them."""
    if isinstance(value, dict):
        value = next((part for part in value.values() if isinstance(part, list)), [])
    yield from value if isinstance(value, list) else []
