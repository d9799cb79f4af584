"""Branches of pull requests on a remote: looked at, answered, restacked, and never moved against somebody's push."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.following.branches import GitBranches
from orchestrator.following.port import Conflicting, Looked
from orchestrator.following.words import Record, Seen
from orchestrator.remote_lock import LockLost
from shared.errors import GitError, RepositoryHeld
from shared.forge.port import PullRequest, PullState
from shared.forge.watching import Standing
from shared.git.remotes import Remote
from shared.lock import RepositoryLock
from shared.model import Identity, Oid
from tests.support.repository import AUTHOR, Repo, git_environment

pytestmark = pytest.mark.git
REMOTE = "refs/heads/spinney/"


class Lock:
    lost = ""

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Place:
    """A clone, the remote, and another clone in which people work."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.bare = folder / "remote.git"
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", str(repo.path), str(self.bare)],
            env=git_environment(), check=True,
        )  # fmt: skip
        self.here = repo
        self.people = Repo(folder / "people")
        shutil.copytree(repo.path, self.people.path)
        self.lock = Lock()
        self.branches = GitBranches(
            repo.git_dir,
            repo.git_dir / "spinney",
            Remote(repo.git_dir, f"file://{self.bare}"),
            Identity(*AUTHOR),
            lambda: self.lock,  # type: ignore[arg-type, return-value]
        )

    def phase(self, task: str, path: str, text: str = "1\n", start: str = "", answers: str = "") -> Oid:
        """A phase commit of a task, made elsewhere and pushed."""
        if start:
            self.people.git("switch", "--quiet", "--force-create", f"spinney/{task}", start)
        else:
            self.people.git("switch", "--quiet", f"spinney/{task}")
        self.people.write(path, text)
        more = f"Spinney-Answers: {answers}\n" if answers else ""
        oid = self.people.commit(
            f"[work] {path}\n\nSpinney-Run: r\nSpinney-Task: {task}\nSpinney-Phase: work\n{more}"
        )
        self.push(f"spinney/{task}")
        return Oid(oid)

    def by_hand(self, branch: str, path: str) -> Oid:
        self.people.git("switch", "--quiet", branch)
        self.people.write(path, "by hand\n")
        oid = self.people.commit(f"by hand: {path}")
        self.push(branch)
        return Oid(oid)

    def push(self, branch: str) -> None:
        self.people.git("push", "--quiet", "--force", str(self.bare), f"{branch}:{branch}")

    def there(self, ref: str) -> str | None:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", ref],
            cwd=self.bare,
            env=git_environment(),
            capture_output=True,
        )
        return done.stdout.decode().strip() or None

    def standing(self, number: int, base: str = "main", **fields: Any) -> Standing:
        task = f"issue-{number}"
        pull = PullRequest(
            number, "", f"spinney/{task}", base, "T", "", PullState.OPEN,
            Oid(self.there(f"{REMOTE}{task}") or "0" * 40), f"spinney-task:{task}",
        )  # fmt: skip
        tip = self.there(f"refs/heads/{base}")
        return Standing(replace(pull, **fields), base_tip=Oid(tip) if tip else None)

    def look(self, *standings: Standing) -> list[Looked]:
        found = self.branches.look(standings)
        return [found[one.pull.number] for one in standings]

    def seen(self, number: int, base: str = "main") -> Seen:
        standing = self.standing(number, base)
        (looked,) = self.look(standing)
        return Seen(standing, looked.branch, looked.record, trouble=looked.trouble, unsent=looked.unsent)


@pytest.fixture
def place(repo: Repo, tmp_path: Path) -> Place:
    return Place(repo, tmp_path)


# --- looking


def test_branch_is_told_by_what_the_remote_has(place: Place) -> None:
    place.phase("issue-4", "a.txt", start="main")
    tip = place.phase("issue-5", "b.txt", start="spinney/issue-4", answers="check:1")
    before = place.here.refs("refs/heads/")
    seen = place.seen(5)
    assert seen.branch is not None
    assert (seen.branch.own, seen.branch.below, seen.branch.based) == ((tip,), frozenset({"issue-4"}), True)
    assert seen.record.rounds == {frozenset({"check:1"}): tip}
    assert (seen.trouble, seen.unsent) == ("", None)
    assert place.here.refs("refs/heads/") == before


def test_nothing_is_fetched_where_nothing_has_moved(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.phase("issue-5", "a.txt", start="main")
    place.seen(5)
    monkeypatch.setattr(Remote, "fetch", None)
    assert place.seen(5).branch is not None


def test_branch_that_is_gone_is_said(place: Place) -> None:
    assert place.seen(5).trouble == "its branch is not on the forge any more"


def test_branch_of_somebody_else_is_left_alone(place: Place) -> None:
    place.people.git("switch", "--quiet", "--create", "spinney/issue-5")
    place.by_hand("spinney/issue-5", "a.txt")
    assert place.seen(5).trouble == "none of its commits is one of Spinney's"


def test_commits_here_that_nobody_sent_keep_from_working_on_it(place: Place) -> None:
    tip = place.phase("issue-5", "a.txt", start="main")
    place.here.git("fetch", "--quiet", str(place.bare), "spinney/issue-5:spinney/issue-5")
    assert place.seen(5).trouble == ""
    place.here.git("switch", "--quiet", "spinney/issue-5")
    place.here.write("mine.txt", "1\n")
    place.here.commit("mine")
    assert "has commits here that are not on the forge" in place.seen(5).trouble
    place.here.git("reset", "--quiet", "--hard", tip)
    place.here.git("commit", "--quiet", "--allow-empty", "--message", "x\n\nSpinney-Task: issue-5\n")
    assert "has commits here" in place.seen(5).trouble  # a phase of a run that is at work, or was stopped


def test_round_that_was_made_here_and_not_sent_is_found(place: Place) -> None:
    place.phase("issue-5", "a.txt", start="main")
    place.here.git("fetch", "--quiet", str(place.bare), "spinney/issue-5:spinney/issue-5")
    place.here.git("switch", "--quiet", "spinney/issue-5")
    message = "x\n\nSpinney-Task: issue-5\nSpinney-Answers: check:1\n"
    place.here.git("commit", "--quiet", "--allow-empty", "--message", message)
    seen = place.seen(5)
    assert (seen.trouble, seen.unsent) == ("", place.here.head)
    place.branches.unfinished = lambda: ["issue-5"]
    assert place.seen(5).unsent is None


# --- sending and keeping


def test_round_is_sent_from_where_the_branch_was_seen(place: Place) -> None:
    place.phase("issue-5", "a.txt", start="main")
    seen = place.seen(5)
    theirs = place.by_hand("spinney/issue-5", "b.txt")
    with pytest.raises(GitError, match=r"spinney/issue-5: "):
        place.branches.send(seen, seen.pull.tip)
    assert place.there(f"{REMOTE}issue-5") == theirs


def test_what_was_answered_is_found_again_in_another_clone(place: Place, tmp_path: Path) -> None:
    place.phase("issue-5", "a.txt", start="main")
    seen = place.seen(5)
    place.branches.keep(seen, Record({frozenset({"check:7"}): None}, "said"))
    place.branches.keep(seen, Record({frozenset({"check:7"}): None, frozenset({"check:8"}): None}, "more"))
    other = Place(place.people, tmp_path / "other")
    other.bare = place.bare
    other.branches.remote = Remote(place.people.git_dir, f"file://{place.bare}")
    record = other.seen(5).record
    assert (record.answered, record.said) == (frozenset({"check:7", "check:8"}), "more")


def test_what_was_kept_of_pull_requests_that_are_over_goes(place: Place) -> None:
    place.phase("issue-5", "a.txt", start="main")
    place.branches.keep(place.seen(5), Record(said="x"))
    place.branches.sweep(["issue-5"])
    assert place.there("refs/spinney/answers/issue-5")
    place.branches.sweep([])
    assert place.there("refs/spinney/answers/issue-5") is None
    assert place.here.refs("refs/spinney/follow/") == {}


def test_nothing_is_pushed_once_the_lock_is_lost(place: Place) -> None:
    place.phase("issue-5", "a.txt", start="main")
    seen = place.seen(5)
    with place.branches.alone():
        place.lock.lost = "somebody took it over"
        with pytest.raises(RepositoryHeld, match="took it over"):
            place.branches.send(seen, seen.pull.tip)


def test_who_finds_the_lock_lost_in_the_midst_of_it_looks_again_later(place: Place) -> None:
    with pytest.raises(RepositoryHeld, match="took it over"), place.branches.alone():
        raise LockLost("somebody took it over")  # as each request that changes something does then


def test_branch_here_is_brought_to_where_it_is_on_the_forge(place: Place) -> None:
    place.phase("issue-5", "a.txt", start="main")
    place.branches.bring(place.seen(5))
    tip = place.phase("issue-5", "b.txt")
    place.branches.bring(place.seen(5))
    assert place.here.refs(REMOTE) == {f"{REMOTE}issue-5": tip}


def test_earlier_state_of_a_branch_here_is_archived(place: Place) -> None:
    old = place.phase("issue-5", "a.txt", start="main")
    place.branches.bring(place.seen(5))
    new = place.phase("issue-5", "other.txt", start="main")
    place.branches.bring(place.seen(5))
    assert place.here.refs(REMOTE) == {f"{REMOTE}issue-5": new}
    assert place.here.refs("refs/spinney/archive/") == {"refs/spinney/archive/issue-5/1": old}


# --- restacking


def stacked(place: Place) -> tuple[Oid, Oid]:
    parent = place.phase("issue-4", "a.txt", start="main")
    child = place.phase("issue-5", "b.txt", start="spinney/issue-4")
    return parent, child


def squash(place: Place, path: str = "") -> Oid:
    place.people.git("switch", "--quiet", "main")
    place.people.git("merge", "--quiet", "--squash", "spinney/issue-4")
    if path:
        place.people.write(path, "in the way\n")
    oid = place.people.commit("squashed (#4)")
    place.push("main")
    return Oid(oid)


def test_child_of_a_squashed_parent_is_made_again_on_the_base(place: Place) -> None:
    _, child = stacked(place)
    late = place.by_hand("spinney/issue-5", "late.txt")
    base = squash(place)
    place.branches.bring(place.seen(5, "spinney/issue-4"))
    new = place.branches.restack(place.seen(5, "spinney/issue-4"), "main")
    assert place.there(f"{REMOTE}issue-5") == new == place.here.refs(REMOTE)[f"{REMOTE}issue-5"]
    place.people.git("fetch", "--quiet", str(place.bare), "spinney/issue-5")
    subjects = place.people.log("FETCH_HEAD")
    assert subjects[:3] == ["by hand: late.txt", "[work] b.txt", "squashed (#4)"]
    assert place.there(f"refs/spinney/archive/issue-5/{late[:16]}") == late
    assert base in place.people.git("rev-list", "FETCH_HEAD").splitlines()
    assert child not in place.people.git("rev-list", "FETCH_HEAD").splitlines()
    again = place.seen(5)
    assert again.branch is not None
    assert (again.branch.below, again.trouble) == (frozenset(), "")


def test_child_of_a_parent_whose_commits_are_in_the_base_stays_as_it_is(place: Place) -> None:
    _, child = stacked(place)
    place.people.git("switch", "--quiet", "main")
    place.people.git("merge", "--quiet", "--no-ff", "--message", "Merge #4", "spinney/issue-4")
    place.push("main")
    assert place.branches.restack(place.seen(5, "spinney/issue-4"), "main") == child


def test_child_follows_a_parent_that_went_on(place: Place) -> None:
    stacked(place)
    parent = place.phase("issue-4", "c.txt")
    seen = place.seen(5, "spinney/issue-4")
    assert seen.branch is not None
    assert not seen.branch.based
    place.branches.restack(seen, "spinney/issue-4")
    after = place.seen(5, "spinney/issue-4").branch
    assert after is not None
    assert (after.based, len(after.own), after.below) == (True, 1, frozenset())
    assert parent in place.here.git("rev-list", after.tip).splitlines()


def test_conflict_moves_nothing(place: Place) -> None:
    _, child = stacked(place)
    squash(place, "b.txt")
    seen = place.seen(5, "spinney/issue-4")
    with pytest.raises(Conflicting, match=r"spinney/issue-5 conflicts with main in b\.txt"):
        place.branches.restack(seen, "main")
    assert place.there(f"{REMOTE}issue-5") == child
    assert place.here.refs("refs/spinney/archive/") == {}


def test_push_that_came_in_between_is_not_overwritten(place: Place) -> None:
    stacked(place)
    squash(place)
    seen = place.seen(5, "spinney/issue-4")
    theirs = place.by_hand("spinney/issue-5", "late.txt")
    with pytest.raises(GitError):
        place.branches.restack(seen, "main")
    assert place.there(f"{REMOTE}issue-5") == theirs


def test_run_that_is_at_work_here_is_not_disturbed(place: Place) -> None:
    _, child = stacked(place)
    squash(place)
    seen = place.seen(5, "spinney/issue-4")
    with RepositoryLock(place.here.git_dir / "spinney"), pytest.raises(RepositoryHeld):
        place.branches.restack(seen, "main")
    assert place.there(f"{REMOTE}issue-5") == child
