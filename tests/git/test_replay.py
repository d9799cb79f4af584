"""A branch's own commits are told from those below, and are made again on another base."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.errors import GitError
from shared.git.merges import Merger
from shared.git.replay import Stuck, replay
from shared.git.repository import Repository
from shared.git.stacks import all_of_task, is_round, relation, stack
from shared.git.texts import keep_text, kept_text
from shared.model import Identity, Oid
from tests.support.repository import Repo

pytestmark = pytest.mark.git
ROBOT = Identity("Robot", "robot@example.com")


@pytest.fixture
def merger(repo: Repo) -> Iterator[Merger]:
    with Merger(str(repo.git_dir)) as it:
        yield it


def phase(repo: Repo, task: str, path: str, text: str, answers: str = "") -> Oid:
    """A phase commit on the branch that is checked out."""
    repo.write(path, text)
    more = f"Spinney-Answers: {answers}\n" if answers else ""
    return Oid(
        repo.commit(f"[work] {path}\n\nSpinney-Run: r\nSpinney-Task: {task}\nSpinney-Phase: work\n{more}")
    )


def person(repo: Repo, path: str, text: str) -> Oid:
    repo.write(path, text)
    repo.git("add", "--all")
    repo.git(
        "commit", "--quiet", "--author", "Grace Hopper <grace@example.com>", "--message", f"by hand: {path}"
    )
    return Oid(repo.head)


@pytest.fixture
def pair(repo: Repo) -> tuple[Oid, Oid]:
    """A parent with a commit and a person's on top, and a child with two commits and a person's on top."""
    repo.git("switch", "--quiet", "--create", "spinney/parent")
    phase(repo, "parent", "parent.txt", "1\n")
    parent = person(repo, "hand.txt", "parent\n")
    repo.git("switch", "--quiet", "--create", "spinney/child")
    phase(repo, "child", "child.txt", "1\n")
    phase(repo, "child", "more.txt", "1\n", answers="check:1 remark:2")
    child = person(repo, "late.txt", "child\n")
    repo.git("switch", "--quiet", "main")
    return parent, child


def squashed(repo: Repo) -> Oid:
    repo.git("merge", "--quiet", "--squash", "spinney/parent")
    return Oid(repo.commit("Parent (#4)"))


def subjects(repo: Repo, tip: Oid) -> list[str]:
    return [line.removesuffix(": ") for line in repo.log(tip)]


# --- what is whose


def test_own_commits_begin_with_the_first_of_the_task(
    repo: Repo, opened: Repository, pair: tuple[Oid, Oid]
) -> None:
    parent, child = pair
    found = stack(opened, child, Oid(repo.head), "child")
    assert [repo.log(oid)[0] for oid in found.own] == [
        "[work] child.txt",
        "[work] more.txt",
        "by hand: late.txt",
    ]
    assert (found.cut, found.below, found.based, found.merges) == (parent, frozenset({"parent"}), True, False)
    assert found.answers == {frozenset({"check:1", "remark:2"}): found.own[1]}


def test_on_its_parent_nothing_lies_below(opened: Repository, pair: tuple[Oid, Oid]) -> None:
    found = stack(opened, pair[1], pair[0], "child")
    assert (len(found.own), found.below, found.based) == (3, frozenset(), True)


def test_parent_that_went_on_is_not_in_its_child(
    repo: Repo, opened: Repository, pair: tuple[Oid, Oid]
) -> None:
    repo.git("switch", "--quiet", "spinney/parent")
    later = phase(repo, "parent", "parent.txt", "2\n")
    found = stack(opened, pair[1], later, "child")
    assert (len(found.own), found.cut, found.below, found.based) == (3, pair[0], frozenset(), False)


def test_merge_that_somebody_made_is_seen(repo: Repo, opened: Repository, pair: tuple[Oid, Oid]) -> None:
    repo.write("main.txt", "1\n")
    base = Oid(repo.commit("main goes on"))
    repo.git("switch", "--quiet", "spinney/child")
    repo.git("merge", "--quiet", "--no-ff", "--message", "Update branch", "main")
    found = stack(opened, Oid(repo.head), base, "child")
    assert (found.merges, found.based, found.below) == (True, True, frozenset({"parent"}))


def test_branch_without_a_commit_of_its_task_has_none_of_its_own(repo: Repo, opened: Repository) -> None:
    base = Oid(repo.head)
    repo.git("switch", "--quiet", "--create", "spinney/other")
    tip = person(repo, "a.txt", "a\n")
    assert stack(opened, tip, base, "other").own == ()
    assert len(stack(opened, tip, None, "other").own) == 0


def test_history_that_is_not_whole_is_said(repo: Repo, opened: Repository) -> None:
    with pytest.raises(GitError, match="is not whole here"):
        stack(opened, Oid("1" * 40), Oid(repo.head), "x")


def test_how_two_places_of_a_branch_stand_to_each_other(
    repo: Repo, opened: Repository, pair: tuple[Oid, Oid]
) -> None:
    parent, child = pair
    assert relation(opened, child, child) == "same"
    assert relation(opened, child, parent) == "ahead"
    assert relation(opened, parent, child) == "behind"
    assert relation(opened, squashed(repo), child) == "apart"


def test_commits_of_people_are_told_from_ours(repo: Repo, opened: Repository, pair: tuple[Oid, Oid]) -> None:
    parent, child = pair
    assert not all_of_task(opened, child, parent, "child")
    assert all_of_task(opened, Oid(repo.git("rev-parse", f"{child}^")), parent, "child")
    assert is_round(opened, Oid(repo.git("rev-parse", f"{child}^")))
    assert not is_round(opened, child)


def test_text_is_kept_by_a_commit_without_files(opened: Repository) -> None:
    oid = keep_text(opened, "Answers: check:1 ünï\n", ROBOT)
    assert kept_text(opened, oid) == "Answers: check:1 ünï\n"
    assert (kept_text(opened, None), kept_text(opened, Oid("1" * 40))) == ("", "")


# --- making them again


def test_own_commits_move_onto_what_the_parent_was_squashed_to(
    repo: Repo, opened: Repository, merger: Merger, pair: tuple[Oid, Oid]
) -> None:
    base = squashed(repo)
    before = stack(opened, pair[1], base, "child")
    tip = replay(opened, merger, before.own, base, ROBOT)
    assert not isinstance(tip, Stuck)
    assert repo.log(tip) == [
        "by hand: late.txt",
        "[work] more.txt",
        "[work] child.txt",
        "Parent (#4)",
        "first",
    ]
    assert repo.files(tip) == sorted([*repo.files(base), "child.txt", "more.txt", "late.txt"])
    who = repo.log(tip, "%an %cn")[:3]
    assert who == ["Grace Hopper Robot", "Ada Lovelace Robot", "Ada Lovelace Robot"]
    after = stack(opened, tip, base, "child")
    assert (len(after.own), after.cut, after.below, after.based) == (3, base, frozenset(), True)
    assert set(after.answers) == set(before.answers)


def test_commit_that_is_in_the_new_base_already_is_left_out(
    repo: Repo, opened: Repository, merger: Merger, pair: tuple[Oid, Oid]
) -> None:
    squashed(repo)
    repo.write("child.txt", "1\n")
    base = Oid(repo.commit("the same by hand"))
    tip = replay(opened, merger, stack(opened, pair[1], base, "child").own, base, ROBOT)
    assert repo.log(str(tip))[:3] == ["by hand: late.txt", "[work] more.txt", "the same by hand"]


def test_conflict_makes_nothing_and_names_its_files(
    repo: Repo, opened: Repository, merger: Merger, pair: tuple[Oid, Oid]
) -> None:
    repo.write("more.txt", "another\n")
    base = Oid(repo.commit("in the way"))
    own = stack(opened, pair[1], base, "child").own
    assert replay(opened, merger, own, base, ROBOT) == Stuck(own[1], ("more.txt",))


def test_commits_that_stand_there_already_stay_as_they_are(
    repo: Repo, opened: Repository, merger: Merger, pair: tuple[Oid, Oid]
) -> None:
    own = stack(opened, pair[1], pair[0], "child").own
    assert replay(opened, merger, own, pair[0], ROBOT) == pair[1]


def test_merge_is_not_made_again(
    repo: Repo, opened: Repository, merger: Merger, pair: tuple[Oid, Oid]
) -> None:
    repo.git("merge", "--quiet", "--no-ff", "--message", "all", "spinney/child")
    with pytest.raises(GitError, match="it has 2 parents"):
        replay(opened, merger, [Oid(repo.head)], pair[0], ROBOT)


def test_renames_deletions_and_modes_come_along(repo: Repo, opened: Repository, merger: Merger) -> None:
    repo.git("switch", "--quiet", "--create", "spinney/child")
    repo.git("mv", "src/app.py", "src/moved.py")
    repo.git("rm", "--quiet", "README.md")
    repo.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    own = Oid(repo.commit("moved\n\nSpinney-Task: child\n"))
    repo.git("switch", "--quiet", "main")
    repo.write("src/app.py", "def answer():\n    return 43\n")
    base = Oid(repo.commit("answer changed"))
    tip = replay(opened, merger, [own], base, ROBOT)
    assert repo.files(str(tip)) == ["run.sh", "src/moved.py"]
    assert "43" in repo.read(str(tip), "src/moved.py")
    assert repo.git("ls-tree", str(tip), "run.sh").startswith("100755")
