"""One request to GitHub, from the first try to an answer: limits waited for, failures told apart.

A question may be asked again; a change only where it surely was not made: no connection, or a refusal for a limit.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared.clock import Clock
from shared.forge.github import rates, wire
from shared.forge.github.api import Host
from shared.forge.github.auth import Auth
from shared.forge.github.errors import AnswerLost, Refused, TooMuch, Unreachable
from shared.forge.github.limits import Kind
from shared.forge.github.transport import UNPROVEN, Lost, NotSent, Raw, TooLong, Transport
from shared.forge.github.waiting import PATIENCE, Turnstile
from shared.forge.github.wire import Broken, Data, Limited, Moved, NotModified, Outcome, Refusal
from shared.retry import TryAgain, trying

_REFUSALS = 30  # for limits, in a row, of one request


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as often as it is sent."""

    method: str
    url: str
    kind: Kind
    content: bytes = b""
    etag: str = ""
    again: bool = True  # it may be sent twice
    tail: int = 0  # bytes of the body that are wanted; 0 for all
    read: Callable[[Raw, float], Outcome] = field(
        default=lambda raw, now: wire.meaning(raw.status, raw.headers, raw.body, now), repr=False
    )

    def __str__(self) -> str:
        return f"{self.method} {urlsplit(self.url).path}"


class Asker:
    """Safe for several threads. ``calls`` counts requests that were sent: by method, ``graphql``, and of these those
    that counted against no hourly limit as ``304``."""

    def __init__(
        self,
        host: Host,
        auth: Auth,
        turnstile: Turnstile,
        clock: Clock,
        transport: Transport,
        check: Callable[[], None],
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.ahead = 0.0  # seconds that GitHub's clock is before ours, as of its last answer
        self._host, self._auth = host, auth
        self._turnstile, self._clock, self._transport, self._check = turnstile, clock, transport, check
        self._counting = threading.Lock()
        # github.com knows every version that there is; of another server it is found out by its first answer.
        self._version, self._settled = wire.VERSION, _is_githubs_own(host.name)

    def carry_out(self, asked: Asked) -> Data | NotModified | Moved:
        """Raises Refused, Unreachable, AnswerLost or Interrupted."""
        try:
            for attempt in trying("github").copy(sleep=self._turnstile.sleep):
                with attempt:
                    return self._tried(asked)
        except TryAgain as error:
            raise Unreachable(
                f"GitHub at {self._host.name} is not to be reached: {error.reason}", *_help(error.reason)
            ) from None
        raise AssertionError("a try returns or raises")

    def _tried(self, asked: Asked) -> Data | NotModified | Moved:
        """Once, however often a limit delays it."""
        try:
            outcome = self._in_a_version(asked)
        except NotSent as error:
            raise TryAgain(str(error)) from None
        except Lost as error:
            outcome = Broken(str(error), heavy=isinstance(error, TooLong))
        match outcome:
            case Refusal():
                raise self._refused(asked, outcome)
            case Broken(why) if not asked.again:
                raise AnswerLost(f"{asked}: {why}; it may or may not have been done")
            case Broken(why, heavy=True):
                raise TooMuch(f"{asked}: {why}")
            case Broken(why, delay) if delay is not None and delay > PATIENCE:
                raise Unreachable(f"GitHub asks to be left alone for {delay / 3600:.0f} hours: {why}")
            case Broken(why, delay):
                raise TryAgain(why, delay)
            case _:
                return outcome

    def _in_a_version(self, asked: Asked) -> Data | NotModified | Moved | Refusal | Broken:
        """What is refused as malformed was not done: it is said once more as an older server understands it."""
        outcome = self._within_limits(asked)
        if self._settled or not isinstance(outcome, Refusal | Data):
            return outcome
        if isinstance(outcome, Refusal) and outcome.status == 400:
            before, self._version = outcome, wire.OLDER
            outcome = self._within_limits(asked)
            if isinstance(outcome, Refusal) and outcome.status == 400:
                self._version = wire.VERSION  # that was not what it did not like
                return before
        self._settled = isinstance(outcome, Data)
        return outcome

    def _within_limits(self, asked: Asked) -> Data | NotModified | Moved | Refusal | Broken:
        since = None
        for _ in range(_REFUSALS):
            outcome = self._once(asked)
            if not isinstance(outcome, Limited):
                return outcome
            now = self._clock.monotonic()
            since = now if since is None else since
            if now - since > PATIENCE:
                break
        raise Unreachable(f"GitHub's limits have refused {asked} again and again", "go on with the run later")

    def _once(self, asked: Asked) -> Outcome:
        sent = self._turnstile.enter(asked.kind)
        try:
            token = self._auth.token()  # good now, after any wait
            headers = wire.headers(token, etag=asked.etag, version=self._version)
            if asked.content:
                headers["content-type"] = "application/json"
            if not asked.again:
                self._check()  # who was frozen while it waited may have been taken for dead
            self._count(asked)
            raw = self._transport.exchange(asked.method, asked.url, headers, asked.content, tail=asked.tail)
            now = self._clock.now()
            outcome = asked.read(raw, now)
            if (told := rates.server_time(raw.headers)) is not None:
                self.ahead = told - now
            limited = outcome if isinstance(outcome, Limited) else None
            self._turnstile.learn(sent, rates.rate(raw.headers, now, asked.kind.resource), limited)
            if isinstance(outcome, NotModified):
                self._count(asked, "304")
            return outcome
        finally:
            self._turnstile.leave(sent)

    def pause(self, seconds: float) -> None:
        """Raises Interrupted where the run stops."""
        self._turnstile.sleep(seconds)

    def elsewhere(self, asked: Asked) -> Data | Moved:
        """A file on another host: without the token, and outside of GitHub's limits."""
        try:
            for attempt in trying("github").copy(sleep=self._turnstile.sleep):
                with attempt:
                    return self._fetched(asked)
        except TryAgain as error:
            raise Unreachable(f"{urlsplit(asked.url).hostname}: {error.reason}") from None
        raise AssertionError("a try returns or raises")

    def _fetched(self, asked: Asked) -> Data | Moved:
        agent = {"user-agent": wire.headers()["user-agent"]}
        try:
            raw = self._transport.exchange("GET", asked.url, agent, tail=asked.tail)
        except (NotSent, Lost) as error:
            raise TryAgain(str(error)) from None
        if raw.status >= 500 or raw.status == 429:
            raise TryAgain(f"status {raw.status}")
        if 300 <= raw.status < 400 and "location" in raw.headers:
            return Moved(raw.headers["location"])
        if raw.status != 200:
            raise Refused(raw.status, f"{urlsplit(asked.url).hostname} refuses: status {raw.status}")
        return Data(raw.body)

    def _refused(self, asked: Asked, refusal: Refusal) -> Refused:
        status, why, hints = refusal.status, refusal.why, refusal.hints
        if status == 401:
            why = f"GitHub does not accept the token of {self._auth.source}: {why}"
            return Refused(status, why, "make a new one, or see that it is whole", codes=refusal.codes)
        if status == 404 and not hints:
            hints = (f"it is not there, or the token of {self._auth.source} may not see it",)
        return Refused(status, f"{asked}: {why}", *hints, codes=refusal.codes)

    def _count(self, asked: Asked, kind: str = "") -> None:
        with self._counting:
            self.calls[kind or ("graphql" if asked.kind.resource == "graphql" else asked.method)] += 1


def _is_githubs_own(name: str) -> bool:
    return name == "github.com" or name.endswith(".ghe.com")


def _help(reason: str) -> tuple[str, ...]:
    if reason == UNPROVEN:
        return ("where a company's own authority vouches for the server: export SSL_CERT_FILE=…",)
    return ("look at the network, or at https://www.githubstatus.com, and go on with the run later",)
