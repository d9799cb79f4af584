"""The front of the gateway: a thread with a loop of its own, and how the agents of each task reach it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.gateway import sockets
from orchestrator.gateway.answers import Answers, Recorder
from orchestrator.gateway.rules.admission import Admitted
from orchestrator.gateway.rules.breaker import Breaker
from orchestrator.gateway.rules.ledger import Charge, Ledger
from orchestrator.gateway.rules.limits import Limiter
from orchestrator.gateway.rules.pauses import Pause
from orchestrator.gateway.rules.prices import Prices
from orchestrator.gateway.rules.rights import Rights
from orchestrator.gateway.turnstile import Tell, Turnstile
from shared import retry
from shared.clock import Clock
from shared.errors import SpinneyError
from shared.model import GatewayAccess, ModelSettings, RunId, Spending, TaskId, Usage

if TYPE_CHECKING:
    from orchestrator.gateway.server import Server

_STARTING = 30.0  # seconds


class Gateway:
    """Makes the server; ``start`` before use, ``close`` in every case.

    ``spent`` are the charges of earlier sessions of the run, from the journal (``Charge.of_event``), and ``pause`` is
    the one that they left it in. ``tell`` is called from the gateway's own thread.
    """

    def __init__(
        self,
        *,
        run: RunId,
        settings: ModelSettings,
        answers: Answers,
        recorder: Recorder | None,
        budget: Spending,
        task_budgets: Mapping[TaskId, Spending],
        spent: Iterable[Charge],
        tell: Tell,
        clock: Clock,
        pause: Pause | None = None,
        breaker: Breaker | None = None,
        policy: retry.Policy = retry.POLICIES["model"],
    ) -> None:
        # Here and not above: aiohttp is only for runs that use models.
        from orchestrator.gateway.passing import Desk
        from orchestrator.gateway.server import Server

        prices = Prices(settings.prices)
        self._ledger = Ledger(prices, budget, task_budgets, spent)
        limiter = Limiter(
            settings.requests_per_minute,
            settings.input_tokens_per_minute,
            settings.output_tokens_per_minute,
            settings.at_once,
        )
        breaker = breaker or Breaker()
        if pause is not None:
            rest = pause.until - clock.now()
            breaker.limited(clock.monotonic(), Admitted(), max(rest, 0.0), pause.reason)
        turnstile = Turnstile(limiter, breaker, self._ledger, clock=clock, tell=tell, outage=settings.outage)
        desk = Desk(
            answers,
            recorder,
            turnstile,
            limiter,
            Rights(),
            self._ledger,
            prices,
            clock,
            tell,
            policy,
            settings.outage,
        )
        self._answers = answers
        self._server: Server = Server(desk, lambda task: self._secrets.get(task))
        self._secrets: dict[TaskId, str] = {}
        self._url = ""
        self._folder: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name=f"spinney-gateway-{run}", daemon=True)
        self._closing = threading.Lock()

    def start(self) -> None:
        """Raises SpinneyError where there is no place to listen."""
        sockets.remove_dead()
        self._folder = sockets.private_folder()
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(
            self._server.start(str(self._folder / sockets.NAME)), self._loop
        )
        try:
            self._url = starting.result(_STARTING)
        except (OSError, TimeoutError) as error:
            self.close()
            raise SpinneyError(f"the gateway to the models cannot listen: {error}") from error

    def access(self, task: TaskId) -> GatewayAccess:
        """How agents of ``task`` reach the models; the same for every attempt."""
        assert self._folder is not None, "the gateway has been started"
        secret = self._secrets.setdefault(task, secrets.token_urlsafe(32))
        return GatewayAccess(self._url, str(self._folder / sockets.NAME), secret)

    def usage(self) -> Usage:
        """Of the whole run, earlier sessions included."""
        return self._ledger.of_run()

    def close(self) -> None:
        """Refuse what waits, end what is open, and let go of everything. May be called twice."""
        with self._closing:
            loop, self._loop = self._loop, None
            if loop is not None:
                asyncio.run_coroutine_threadsafe(self._end(), loop).result()
                loop.call_soon_threadsafe(loop.stop)
                self._thread.join()
                loop.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self) -> None:
        try:
            await self._server.close()
        finally:
            await self._answers.close()
            await asyncio.get_running_loop().shutdown_default_executor()

    def _work(self) -> None:
        loop = self._loop
        assert loop is not None
        loop.run_forever()


def upstream(settings: ModelSettings, key: str) -> Answers:
    """The real API; made here so that nobody else pays for what it imports."""
    from orchestrator.gateway.upstream import Upstream

    return Upstream(settings.base_url, key)
