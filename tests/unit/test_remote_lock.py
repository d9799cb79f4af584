"""One run a repository on the forge: who has the lock, who may take it over, and when its holder stops believing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from orchestrator.remote_lock import SECONDS, LockLost, RemoteLock, Who, ask_to_stop
from shared.clock import ManualClock
from shared.errors import GitError, RepositoryHeld, SpinneyError
from shared.files import replace_json
from shared.forge.errors import AnswerLost
from shared.git.leases import Lease, Leases, Standing, parsed
from shared.lock import Record
from shared.model import Oid
from tests.support.build import oid


class Shared:
    """The refs as all see them, and what goes wrong on the way."""

    def __init__(self) -> None:
        self.lock: Oid | None = None
        self.stop: Oid | None = None
        self.said: dict[Oid, Lease | None] = {}
        self.broken: SpinneyError | None = None
        self.lost = 0  # answers
        self.before_move: Callable[[], None] = lambda: None


class MemoryLeases(Leases):
    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def look(self) -> Standing:
        if self._shared.broken:
            raise self._shared.broken
        return Standing(self._shared.lock, self._shared.stop)

    def read(self) -> tuple[Oid, Lease | None] | None:
        there = self.look().lock
        return (there, self._shared.said[there]) if there else None

    def make(self, lease: Lease) -> Oid:
        made = oid(len(self._shared.said) + 1)
        self._shared.said[made] = lease
        return made

    def move(self, new: Oid | None, old: Oid | None) -> bool:
        self.look()
        self._shared.before_move()
        if self._shared.lock != old:
            return False
        self._shared.lock = new
        if self._shared.lost:
            self._shared.lost -= 1
            raise AnswerLost("no answer")
        return True

    def wish_stop(self, lock: Oid, old: Oid | None) -> bool:
        self._shared.stop = lock
        return True

    def clear_stop(self, old: Oid) -> None:
        self._shared.stop = None


class World:
    def __init__(self) -> None:
        self.shared, self.clock = Shared(), ManualClock()
        self.waits: list[float] = []
        self.while_waiting: Callable[[], None] = lambda: None

    def lock(
        self, run: str = "run-1", machine: str = "m", patience: float = 0.0, record: Record | None = None
    ) -> RemoteLock:
        def wait(event: threading.Event, seconds: float) -> bool:
            if threading.current_thread().name == "remote-lock":
                return event.wait()  # these tests renew by hand
            self.waits.append(seconds)
            self.clock.advance(seconds)
            self.while_waiting()
            return False

        who = Who(f"ada on {machine}", machine, run)
        leases = MemoryLeases(self.shared)
        return RemoteLock(
            leases, who, self.clock, self.clock.now, patience=patience, record=record, wait=wait
        )


@pytest.fixture
def world() -> World:
    return World()


@contextmanager
def crashed(world: World) -> Iterator[None]:
    """A holder that never gives its lock back."""
    left = world.lock()
    left.__enter__()
    there = world.shared.lock
    left.__exit__(None, None, None)
    world.shared.lock = there
    yield


def test_lock_is_there_while_it_is_held_and_gone_afterwards(world: World) -> None:
    with world.lock() as lock:
        assert world.shared.lock is not None
        assert (lock.lost, lock.stop_wanted) == ("", False)
    assert world.shared.lock is None


def test_leaving_does_not_wait_for_a_forge_that_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.remote_lock._LEAVING", 0.01)
    answers = threading.Event()

    def silent() -> None:
        answers.wait()

    with world.lock():
        world.shared.before_move = silent
    assert world.shared.lock is not None
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "remote-lock-back":
            thread.join()
    assert world.shared.lock is None  # given back when it answered after all


def test_second_run_is_told_who_holds_it_and_since_when(world: World) -> None:
    with world.lock():
        with pytest.raises(RepositoryHeld) as caught, world.lock("run-2", "n"):
            pass
        assert caught.value.message.startswith("ada on m holds this repository on the forge since 20")
        assert "run-1" in caught.value.message
        assert "spinney stop --github" in caught.value.hints[0]


def test_lock_of_a_dead_run_is_taken_over_after_its_end_and_not_before(world: World) -> None:
    with crashed(world):
        world.clock.advance(SECONDS + 19)
        with pytest.raises(RepositoryHeld), world.lock("run-2", "n"):
            pass
        world.clock.advance(2)
        with world.lock("run-2", "n") as lock:
            assert world.shared.said[world.shared.lock or oid(0)].run == "run-2"  # type: ignore[union-attr]
            assert lock.lost == ""


def test_own_lock_from_before_a_crash_is_taken_at_once(world: World) -> None:
    with crashed(world), world.lock() as lock:
        assert lock.lost == ""


def test_same_run_on_another_machine_waits_like_everybody(world: World) -> None:
    with crashed(world), pytest.raises(RepositoryHeld), world.lock(machine="n"):
        pass


def recorded(folder: Path, run: str, *, alive: bool) -> Record:
    """What a process of this clone left when it took the lock."""
    record = Record(folder / "remote-holder.json")
    record.write(run)
    told = record.read()
    assert told is not None
    if not alive:
        replace_json(
            record.path, asdict(replace(told, started=told.started - 60))
        )  # its number was given anew
    return record


def test_lock_of_a_process_of_this_clone_that_died_is_taken_over_at_once(
    world: World, tmp_path: Path
) -> None:
    record = recorded(tmp_path, "run-1", alive=False)
    with crashed(world), world.lock("run-2", record=record) as lock:
        assert (lock.lost, world.waits) == ("", [])
        told = record.read()
        assert told is not None
        assert (told.run, told.alive) == ("run-2", True)


@pytest.mark.parametrize(
    ("run", "machine", "alive"),
    [("run-1", "m", True), ("run-1", "n", False), ("run-0", "m", False)],
    ids=["it lives", "on another machine", "another run"],
)
def test_lock_is_not_taken_over_where_not_all_says_that_its_process_died(
    world: World, tmp_path: Path, run: str, machine: str, alive: bool
) -> None:
    record = recorded(tmp_path, run, alive=alive)
    with crashed(world), pytest.raises(RepositoryHeld), world.lock("run-2", machine, record=record):
        pass
    told = record.read()
    assert told is not None
    assert told.run == run  # who was refused says nothing


def test_record_that_nobody_can_read_is_none(world: World, tmp_path: Path) -> None:
    record = Record(tmp_path / "remote-holder.json")
    record.path.write_text('{"pid": "x"}')
    with crashed(world), pytest.raises(RepositoryHeld), world.lock("run-2", record=record):
        pass


def test_who_may_wait_takes_over_a_lock_that_does_not_move(world: World) -> None:
    with crashed(world), world.lock("run-2", "n", patience=SECONDS + 30):
        assert 0 < sum(world.waits) <= SECONDS + 30


def test_who_waits_sees_that_the_holder_is_alive(world: World) -> None:
    with world.lock() as holder:
        world.while_waiting = holder.renew
        with pytest.raises(RepositoryHeld), world.lock("run-2", "n", patience=SECONDS + 30):
            pass
        assert sum(world.waits) < SECONDS


def test_lock_with_an_end_beyond_all_sense_is_taken_over_when_it_was_watched_for_its_length(
    world: World,
) -> None:
    world.clock.advance(1e9)
    with crashed(world):
        world.clock.advance(-1e9)
        with pytest.raises(RepositoryHeld), world.lock("run-2", "n"):
            pass
        with world.lock("run-2", "n", patience=SECONDS + 30):
            assert sum(world.waits) >= SECONDS


def test_what_nobody_can_read_counts_as_held(world: World) -> None:
    world.shared.lock = oid(77)
    world.shared.said[oid(77)] = None
    with pytest.raises(RepositoryHeld), world.lock():
        pass


def test_holder_that_cannot_renew_stops_believing_before_others_may_take_over(world: World) -> None:
    with world.lock() as lock:
        until = world.shared.said[world.shared.lock or oid(0)].until  # type: ignore[union-attr]
        world.shared.broken = GitError("no network")
        with pytest.raises(GitError):
            lock.renew()
        world.clock.advance(SECONDS - 21)
        assert lock.lost == ""
        world.clock.advance(2)
        assert "could not be renewed" in lock.lost
        assert world.clock.now() < until


def test_who_lost_the_lock_is_refused_also_after_it_was_given_back(world: World) -> None:
    with world.lock() as lock:
        lock.check()
        world.clock.advance(SECONDS)  # frozen: nobody asked meanwhile
    with pytest.raises(LockLost, match="could not be renewed"):
        lock.check()


def test_renewing_makes_it_last(world: World) -> None:
    with world.lock() as lock:
        for _ in range(10):
            world.clock.advance(SECONDS / 2)
            lock.renew()
            assert lock.lost == ""


@pytest.mark.parametrize(("then", "words"), [(oid(99), "took the lock"), (None, "deleted")])
def test_holder_finds_out_that_its_lock_is_gone(world: World, then: Oid | None, words: str) -> None:
    with world.lock() as lock:
        world.shared.lock = then
        lock.renew()
        assert words in lock.lost
    assert world.shared.lock == then


@pytest.mark.parametrize("lost", [1, 2])
def test_push_whose_answer_was_lost_counts_when_it_is_seen(world: World, lost: int) -> None:
    world.shared.lost = lost
    with world.lock() as lock:
        assert lock.lost == ""
        world.shared.lost = 1
        with pytest.raises(AnswerLost):
            lock.renew()
        lock.renew()
        assert lock.lost == ""
    assert world.shared.lock is None


def test_one_who_was_faster_has_it(world: World) -> None:
    def other() -> None:
        world.shared.before_move = lambda: None
        MemoryLeases(world.shared).move(MemoryLeases(world.shared).make(lease()), None)

    world.shared.before_move = other
    with pytest.raises(RepositoryHeld, match="bob"), world.lock():
        pass


def lease() -> Lease:
    return Lease("bob on n", "run-9", "n", 1.7e9, 1.8e9, 180)


def test_wish_to_stop_reaches_the_run_that_was_meant(world: World) -> None:
    assert ask_to_stop(MemoryLeases(world.shared)) == ""
    with world.lock() as lock:
        assert ask_to_stop(MemoryLeases(world.shared)) == "run-1"
        lock.renew()
        assert lock.stop_wanted
    assert world.shared.stop is None


def test_wish_to_stop_an_earlier_run_stops_no_later_one(world: World) -> None:
    with world.lock():
        ask_to_stop(MemoryLeases(world.shared))
        wish = world.shared.stop
    world.shared.stop = wish
    with world.lock("run-2") as lock:
        lock.renew()
        assert not lock.stop_wanted
    assert world.shared.stop == wish


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"holder": 1}', '{"until": "x"}', "[" * 5000])
def test_message_of_somebody_else_is_no_lease(text: str) -> None:
    assert parsed(text) is None


def test_length_beyond_all_sense_is_bounded() -> None:
    text = '{"holder":"a\\u001b[31m","run":"r","machine":"m","since":0,"until":0,"seconds":1e12}'
    assert parsed(text) == Lease("a", "r", "m", 0, 0, 3600)
