"""One run a repository on the forge: a lease on a ref there, renewed while the run lives, taken over when it died.

Clocks of machines differ, so that none of them is believed: a lease ends by the forge's clock, or when it has not
moved for its whole length while somebody watched. Its holder stops believing in it some time before that.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from shared.clock import Clock
from shared.errors import Interrupted, RepositoryHeld, SpinneyError
from shared.forge.errors import AnswerLost
from shared.git.leases import Lease, Leases
from shared.lock import Record
from shared.model import Oid

SECONDS = 180.0  # of a lease
_SLACK = (
    20.0  # seconds after its end in which a lease is left alone, and before it in which its holder gives up
)
_TRIES = 8  # to take what others take as well
_LEAVING = 10.0  # seconds that giving it back may take: with the network away it takes minutes
_FALLBACK = 600.0  # seconds that a lock is watched which nobody can read


@dataclass(frozen=True, slots=True)
class Who:
    """Who we are, for people and for ourselves after a crash."""

    holder: str  # such as the address of a job; everybody can read it
    machine: str  # the same for the same clone on the same machine
    run: str


class LockLost(Interrupted):
    """Another run may have the repository by now: nothing may be changed there any more."""


class RemoteLock:
    """Taken by ``with``; raises RepositoryHeld where another run has it and is alive. A thread renews it."""

    def __init__(
        self,
        leases: Leases,
        who: Who,
        clock: Clock,
        server_now: Callable[[], float],
        *,
        patience: float = 0.0,
        seconds: float = SECONDS,
        record: Record | None = None,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """``clock`` must go on while the machine sleeps. ``server_now`` is the forge's own time, in seconds since the
        epoch.

        ``patience`` is for how many seconds a lock of somebody who may be dead is watched before it counts as held.
        ``record`` is where this clone keeps which of its processes took the lock.
        """
        self._record = record
        self._leases, self._who, self._clock, self._server_now = leases, who, clock, server_now
        self._patience, self._seconds, self._wait = patience, seconds, wait
        self._own: Oid | None = None
        self._mine: set[Oid] = set()  # all that were pushed, also those whose answers were lost
        self._since = 0.0
        self._good_until = 0.0  # monotonic
        self._promised = 0.0  # the same, of a lease that is being pushed
        self._lost = ""
        self._stop_wanted = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def run(self) -> str:
        return self._who.run

    @property
    def lost(self) -> str:
        """Why this run has the lock no longer; empty while it has it. Once lost, nothing may be pushed."""
        if not self._lost and self._own is not None and self._clock.monotonic() >= self._good_until:
            self._lost = "the lock on the forge could not be renewed in time"
        return self._lost

    def check(self) -> None:
        """Raises LockLost."""
        if self.lost:
            raise LockLost(self.lost)

    @property
    def stop_wanted(self) -> bool:
        """Whether somebody asked on the forge that the run ends; looked up with each renewal."""
        return self._stop_wanted

    # --- taking

    def __enter__(self) -> RemoteLock:
        self._since = self._server_now()
        self._take()
        self._thread = threading.Thread(target=self._renew_always, name="remote-lock", daemon=True)
        self._thread.start()
        return self

    def _take(self) -> None:
        watched: Oid | None = None
        began = self._clock.monotonic()
        for _ in range(_TRIES):
            while True:
                found = self._leases.read()
                if (
                    found is None
                    or found[0] in self._mine
                    or self._is_dead(found[1], watched == found[0], began)
                ):
                    break
                if watched not in (None, found[0]) or self._clock.monotonic() - began >= self._patience:
                    raise self._held(found[1])  # it was renewed before our eyes, or we may not wait
                watched = found[0]
                self._wait(self._ending, min(10.0, self._seconds / 6))
            if found and found[0] in self._mine:  # it was pushed, though the answer was lost
                self._own, self._good_until = found[0], self._promised
                return
            if self._record is not None:
                self._record.write(self._who.run)  # before the lock is there: who is killed then has said so
            if self._pushed(found[0] if found else None):
                return
            watched = None
        raise self._held(None)

    def _is_dead(self, lease: Lease | None, unmoved: bool, began: float) -> bool:
        """Whether a lock may be taken over."""
        passed = self._clock.monotonic() - began if unmoved else 0.0
        if lease is None:
            return passed >= _FALLBACK
        if (lease.machine, lease.run) == (self._who.machine, self._who.run):
            return True  # ourselves before a crash: on this machine the kernel's lock keeps two apart
        if lease.machine == self._who.machine and self._left_by_the_dead(lease.run):
            return True
        ended = self._server_now() > lease.until + _SLACK
        return ended or passed > lease.seconds + _SLACK

    def _left_by_the_dead(self, run: str) -> bool:
        """Whether a process of this clone took the lock for ``run`` and is gone."""
        left = self._record.read() if self._record is not None else None
        return left is not None and left.run == run and not left.alive

    def _held(self, lease: Lease | None) -> RepositoryHeld:
        if lease is None:
            return RepositoryHeld(
                "another run is taking this repository on the forge", "try again in a minute"
            )
        own = ", of this very clone" if lease.machine == self._who.machine else ""
        return RepositoryHeld(
            f"{lease.holder} holds this repository on the forge since {_moment(lease.since)} (run {lease.run}{own})",
            "wait for its end, or ask it to end: spinney stop --github",
            f"if it died, its lock ends by itself at {_moment(lease.until + _SLACK)}",
        )

    def _pushed(self, old: Oid | None) -> bool:
        with contextlib.suppress(AnswerLost):
            return self._push(old)
        return False

    def _push(self, old: Oid | None) -> bool:
        began, now = self._clock.monotonic(), self._server_now()
        who = self._who
        lease = Lease(who.holder, who.run, who.machine, self._since, now + self._seconds, self._seconds)
        new = self._leases.make(lease)
        self._mine.add(new)
        self._promised = began + self._seconds - _SLACK
        if not self._leases.move(new, old):
            return False
        self._own, self._good_until = new, self._promised
        return True

    # --- keeping

    def _renew_always(self) -> None:
        while not self._wait(self._ending, self._seconds / 3):
            if self.lost:
                return
            try:
                self.renew()
            except SpinneyError:  # no network, for a while: the lease tells when that is too long
                continue

    def renew(self) -> None:
        """Once; also finds out whether somebody wants us to end. Raises SpinneyError where the forge is not there."""
        there = self._leases.look()
        if there.stop is not None and there.stop in self._mine:
            self._stop_wanted = True
        if there.lock not in self._mine:
            self._lost = (
                "another run took the lock on the forge over" if there.lock else "the lock was deleted"
            )
            return
        self._own = there.lock
        self._push(there.lock)

    # --- giving back

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        leaving = threading.Thread(target=self._give_back, name="remote-lock-back", daemon=True)
        leaving.start()
        leaving.join(_LEAVING)  # a lock that stays ends by itself, and this clone takes it over at once
        _ = self.lost  # who is still at work for us, and slow, hears of it later as well
        self._own = None

    def _give_back(self) -> None:
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(SpinneyError):
            there = self._leases.look()
            if there.stop is not None and there.stop in self._mine:
                self._leases.clear_stop(there.stop)
            if there.lock in self._mine:
                self._leases.move(None, there.lock)


def ask_to_stop(leases: Leases) -> str:
    """Ask the run that has the lock to end in good order; who that is, or empty where nobody has it."""
    for _ in range(_TRIES):
        found, there = leases.read(), leases.look()
        if found is None:
            return ""
        if leases.wish_stop(found[0], there.stop):
            return found[1].run if found[1] else "a run"
    raise SpinneyError("the wish to stop could not be left on the forge", "try again")


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
