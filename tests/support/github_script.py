"""A client of GitHub whose answers are written beforehand, with a clock that moves as far as somebody waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.clock import ManualClock
from shared.forge.github.addresses import host_named
from shared.forge.github.api import Host
from shared.forge.github.auth import Auth, Given
from shared.forge.github.cache import Cache
from shared.forge.github.client import Client
from shared.forge.github.limits import Limiter
from shared.forge.github.transport import Raw, Transport
from shared.forge.github.waiting import Turnstile, Waiting

TOKEN = "ghp_0123456789secret"
GITHUB = host_named("github.com")
JSON = {"content-type": "application/json; charset=utf-8"}


def raw(status: int = 200, body: object = None, **told: str) -> Raw:
    """``told`` are headers, with underlines for dashes."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in told.items()}
    return Raw(status, {**JSON, **headers}, content)


@dataclass(frozen=True, slots=True)
class Request:
    at: float  # seconds since the beginning
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes


Answer = Raw | Exception | Callable[[], Raw]


@dataclass(slots=True, eq=False)
class Script(Transport):
    """Gives its answers in order, each taking ``takes`` seconds; an exception is raised, what can be called is."""

    answers: list[Answer] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)
    takes: float = 0.0
    requests: list[Request] = field(default_factory=list)
    began: float = 0.0

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"", *, tail: int = 0
    ) -> Raw:
        self.requests.append(Request(self.clock.now() - self.began, method, url, dict(headers), content))
        self.clock.advance(self.takes)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Raw):
            answer = answer()
        return Raw(answer.status, answer.headers, answer.body[-tail:] if tail else answer.body)

    @property
    def times(self) -> list[float]:
        return [round(request.at, 3) for request in self.requests]


@dataclass(slots=True)
class Scripted:
    """What a test has in its hands."""

    client: Client
    script: Script
    clock: ManualClock
    stop: threading.Event
    told: list[Waiting | None]
    when_told: Callable[[], object] = lambda: None


def scripted(
    answers: Sequence[Answer],
    *,
    host: Host = GITHUB,
    auth: Auth | None = None,
    cache: Cache | None = None,
    limiter: Limiter | None = None,
    check: Callable[[], None] = lambda: None,
) -> Scripted:
    clock, stop = ManualClock(), threading.Event()
    script = Script(answers=list(answers), clock=clock, began=clock.now())

    def tell(waiting: Waiting | None) -> None:
        it.told.append(waiting)
        it.when_told()

    def wait(_: threading.Condition, seconds: float) -> None:
        clock.advance(seconds)

    turnstile = Turnstile(limiter or Limiter(), clock, stop, tell, wait)
    who = auth or Given(TOKEN, "$GITHUB_TOKEN")
    client = Client(host, who, turnstile=turnstile, clock=clock, transport=script, cache=cache, check=check)
    it = Scripted(client, script, clock, stop, [])
    return it
