"""The lock on a ref of a real repository: of two who take it at once, one has it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.remote_lock import RemoteLock, Who, ask_to_stop
from shared.clock import SystemClock
from shared.errors import RepositoryHeld
from shared.git.leases import LOCK, STOP, Leases
from shared.git.remotes import Remote
from shared.model import Identity, Oid
from tests.support.repository import AUTHOR, Repo

pytestmark = pytest.mark.git


@pytest.fixture
def bare(repo: Repo, tmp_path: Path) -> Repo:
    path = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(path))
    return Repo(path)


@pytest.fixture
def leases(repo: Repo, bare: Repo) -> Leases:
    return Leases(Remote(repo.git_dir, f"file://{bare.path}"), Identity(*AUTHOR))


def lock(leases: Leases, run: str) -> RemoteLock:
    clock = SystemClock()
    return RemoteLock(leases, Who(f"somebody of {run}", run, run), clock, clock.now)


def test_lock_is_a_commit_without_files_that_says_whose_it_is(repo: Repo, bare: Repo, leases: Leases) -> None:
    with lock(leases, "run-1") as held:
        assert list(bare.refs("refs/spinney")) == [LOCK]
        assert '"run": "run-1"' in bare.git("log", "-1", "--format=%B", LOCK)
        assert bare.files(LOCK) == []
        before = bare.refs(LOCK)
        held.renew()
        assert bare.refs(LOCK) != before
        assert held.lost == ""
    assert bare.refs("refs/spinney") == {}


def test_wish_to_stop_goes_from_clone_to_clone(
    repo: Repo, bare: Repo, leases: Leases, tmp_path: Path
) -> None:
    other = Repo(tmp_path / "other")
    repo.git("clone", "--quiet", str(bare.path), str(other.path))
    theirs = Leases(Remote(other.git_dir, f"file://{bare.path}"), Identity(*AUTHOR))
    with lock(leases, "run-1") as held:
        assert ask_to_stop(theirs) == "run-1"
        assert ask_to_stop(theirs) == "run-1"
        held.renew()
        assert held.stop_wanted
        assert STOP in bare.refs()
    assert bare.refs("refs/spinney") == {}


def test_ref_that_is_no_commit_of_ours_counts_as_held(repo: Repo, bare: Repo, leases: Leases) -> None:
    bare.git("update-ref", LOCK, Oid(repo.head))
    with pytest.raises(RepositoryHeld), lock(leases, "run-1"):
        pass
    bare.git("update-ref", LOCK, bare.git("rev-parse", "HEAD:README.md"))
    with pytest.raises(RepositoryHeld), lock(leases, "run-1"):
        pass


def race(leases: Leases, times: int) -> None:
    together = threading.Barrier(2)
    both_know = threading.Barrier(2)

    def take(run: str) -> int:
        together.wait()
        try:
            with lock(leases, run):
                both_know.wait()
                return 1
        except RepositoryHeld:
            both_know.wait()
            return 0

    with ThreadPoolExecutor(2) as pool:
        for number in range(times):
            assert sum(pool.map(take, (f"a{number}", f"b{number}"))) == 1


def test_of_two_at_once_one_has_it(leases: Leases) -> None:
    race(leases, 3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_two_at_once_one_has_it_a_hundred_times(leases: Leases) -> None:
    race(leases, 100)
