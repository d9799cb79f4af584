"""A thread beside the integration's that carries wishes out: a slow forge holds nobody up."""

from __future__ import annotations

import threading
from collections.abc import Callable

from orchestrator.inbox import Broken
from orchestrator.publishing.delivery import Delivery
from orchestrator.publishing.outbox import Outbox, Wish
from shared.clock import Clock


class Publisher:
    """``want`` and the rest are for the engine's thread; what came of it arrives in the engine's inbox."""

    def __init__(self, delivery: Delivery, clock: Clock, post: Callable[[Broken], None]) -> None:
        self._delivery, self._clock, self._post = delivery, clock, post
        self._outbox = Outbox(clock.monotonic())
        self._changed = threading.Condition()
        self._working = self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something is wanted or being done; what was done by then is in the inbox already."""
        with self._changed:
            return self._working or bool(len(self._outbox))

    def want(self, *wishes: Wish) -> None:
        if not wishes:
            return
        with self._changed:
            self._outbox.put(*wishes)
            self._changed.notify()
        if self._thread is None:
            # It may hang in a call to the forge when the run is left: then it must not keep the process.
            self._thread = threading.Thread(target=self._work, name="publish", daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        with self._changed:
            self._outbox.hurry()
            self._changed.notify()

    def close(self) -> None:
        """Do nothing more; what is being done is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._working = False
                while not self._closed and (wait := self._outbox.wait(self._clock.monotonic())) != 0.0:
                    self._changed.wait(wait)
                job = None if self._closed else self._outbox.take(self._clock.monotonic())
                if self._closed:
                    return
                self._working = True
            try:
                if job is not None:
                    self._delivery.do(job)
            except Exception as error:  # noqa: BLE001 - the engine's edge: a bug ends the run instead of hanging it
                self._post(Broken(error))
