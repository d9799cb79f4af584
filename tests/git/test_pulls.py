"""Pull requests kept in refs: numbers, tips and what they say survive, and none is made twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.git.pulls import PullRefs
from shared.git.repository import Repository, open_repository
from shared.model import Oid
from tests.support.repository import Repo

pytestmark = pytest.mark.git


@pytest.fixture
def pulls(opened: Repository) -> PullRefs:
    return PullRefs(opened)


def test_numbers_count_up_from_one(repo: Repo, pulls: PullRefs) -> None:
    assert [pulls.create(Oid(repo.head), f"meta {number}") for number in range(3)] == [1, 2, 3]
    assert pulls.numbers() == [1, 2, 3]
    assert pulls.read(2) == (repo.head, "meta 1")
    assert pulls.read(9) is None


def test_they_are_refs_that_keep_their_commits(repo: Repo, pulls: PullRefs) -> None:
    tip = repo.git("commit-tree", "-m", "unreachable", "HEAD^{tree}")
    pulls.create(Oid(tip), "meta")
    assert repo.refs("refs/spinney/pulls")["refs/spinney/pulls/1/head"] == tip
    repo.git("gc", "--prune=now", "--quiet")
    assert PullRefs(open_repository(repo.git_dir)).read(1) == (tip, "meta")


def test_writing_replaces_tip_and_text(repo: Repo, pulls: PullRefs) -> None:
    number = pulls.create(Oid(repo.head), "old")
    tip = Oid(repo.commit())
    pulls.write(number, tip, "new ü\n")
    assert pulls.read(number) == (tip, "new ü\n")
    pulls.write(number, tip, "new ü\n")
    assert pulls.numbers() == [1]


def test_a_creation_that_was_cut_short_counts_as_nothing(repo: Repo, pulls: PullRefs) -> None:
    repo.git("update-ref", "refs/spinney/pulls/1/head", repo.head)
    assert pulls.numbers() == []
    tip = Oid(repo.commit())
    assert pulls.create(tip, "meta") == 1
    assert pulls.read(1) == (tip, "meta")


def test_those_who_create_at_once_get_numbers_of_their_own(repo: Repo) -> None:
    together = threading.Barrier(4)
    heads = [Oid(repo.commit(f"change {number}")) for number in range(4)]

    def create(number: int) -> int:
        mine = PullRefs(open_repository(repo.git_dir))
        together.wait()
        return mine.create(heads[number], f"meta {number}")

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(create, range(4)))
    pulls = PullRefs(open_repository(repo.git_dir))
    assert sorted(numbers) == pulls.numbers()
    assert {pulls.read(number) for number in numbers} == {
        (heads[number], f"meta {number}") for number in range(4)
    }
