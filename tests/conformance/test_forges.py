"""What every forge promises, wherever its pull requests live."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.composition.forges import open_forge
from orchestrator.runs import Place as RunPlace
from shared.clock import ManualClock
from shared.errors import UserError
from shared.forge.local import LocalForge
from shared.forge.port import Draft, Forge, PullRequest, PullState, Sent, Sought
from shared.git.pulls import PullRefs
from shared.git.repository import open_repository
from shared.model import Oid, Settings
from tests.support.build import oid
from tests.support.github.standin import GitHub
from tests.support.pulls import MemoryPulls
from tests.support.repository import Repo

START = 1_700_000_000.0
DRAFT = Draft("spinney/a", "main", "Do A", "Why\nand how — ✔\n", "spinney-task:a", ("one", "two"))


class Place:
    """A forge, a clock to move, and commits that exist there."""

    def __init__(self, make: Callable[[ManualClock], Forge], commit: Callable[[], Oid]) -> None:
        self.clock = ManualClock(START)
        self._make, self.commit = make, commit
        self.forge = make(self.clock)

    def again(self) -> Forge:
        """The same pull requests, seen by another process."""
        return self._make(self.clock)

    def branch(self, name: str) -> None:
        """A base has to be there, where the forge looks."""

    def bring_in(self, number: int) -> Oid:
        """The commit by which a pull request came into its base; on a forge that sees that by itself it has come."""
        return self.commit()


def in_memory(request: pytest.FixtureRequest) -> Iterator[Place]:
    store = MemoryPulls()
    numbers = iter(range(1, 99))
    yield Place(lambda clock: LocalForge(store, clock), lambda: oid(next(numbers)))


def in_refs(request: pytest.FixtureRequest) -> Iterator[Place]:
    repo: Repo = request.getfixturevalue("repo")
    yield Place(
        lambda clock: LocalForge(PullRefs(open_repository(repo.git_dir)), clock), lambda: Oid(repo.commit())
    )


class Pushed:
    """GitHub's forge, with each branch pushed before its pull request is told of: there the branch has the tip."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self.name = forge.name
        self.find, self.get, self.list = forge.find, forge.get, forge.list
        self.merged, self.close, self.tips, self.send = forge.merged, forge.close, forge.tips, forge.send

    def open(self, draft: Draft, tip: Oid) -> PullRequest:
        self._push(draft, tip)
        return self._forge.open(draft, tip)

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:
        if self.get(number).tip != tip:
            self._push(draft, tip)
        return self._forge.update(number, draft, tip)

    def _push(self, draft: Draft, tip: Oid) -> None:
        ref = f"refs/heads/{draft.head}"
        assert self.send([Sent(ref, tip, self.tips().get(ref))]) == {}


class OnGitHub(Place):
    def __init__(self, repo: Repo, github: GitHub, undo: contextlib.ExitStack) -> None:
        self._repo, self.github, self._undo = repo, github, undo
        self._numbers = itertools.count(1)
        self.clock = github.clock  # type: ignore[assignment]
        repo.git("remote", "add", "origin", github.git_url)
        self.forge = self.again()

    def again(self) -> Forge:
        settings, place = Settings(forge="github"), RunPlace(self._repo.git_dir, self._repo.path)
        opened = open_forge(place, settings, {"GH_ENTERPRISE_TOKEN": self.github.token})
        self._undo.callback(opened.close)
        return Pushed(opened.forge)

    def commit(self) -> Oid:
        """Each by itself, or one that is brought in would bring the others."""
        return Oid(
            self._repo.git("commit-tree", "-p", "HEAD", "-m", f"work {next(self._numbers)}", "HEAD^{tree}")
        )

    def branch(self, name: str) -> None:
        self.github.move(name, self._repo.head)

    def bring_in(self, number: int) -> Oid:
        return Oid(self.github.merge(number))


def on_github(request: pytest.FixtureRequest) -> Iterator[Place]:
    folder: Path = request.getfixturevalue("tmp_path") / "github"
    folder.mkdir()
    template: Path = request.getfixturevalue("template_repository")
    github = GitHub(template, folder, clock=ManualClock(START))
    environ: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    with github, contextlib.ExitStack() as undo:
        environ.setenv("GH_HOST", github.host)  # no token goes to a host that only a remote names
        yield OnGitHub(request.getfixturevalue("repo"), github, undo)
    assert github.violations == []


@pytest.fixture(
    params=[in_memory, *(pytest.param(one, marks=pytest.mark.git) for one in (in_refs, on_github))],
    ids=["memory", "refs", "github"],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from request.param(request)


def numbered(number: int) -> Draft:
    """A branch has one open pull request at most."""
    return replace(DRAFT, head=f"spinney/{number}", marker=f"m{number}")


def find(forge: Forge, marker: str, head: str = DRAFT.head) -> PullRequest | None:
    return forge.find([Sought(head, marker)]).get(marker)


def test_new_forge_has_nothing(place: Place) -> None:
    assert place.forge.list() == ()
    assert find(place.forge, "spinney-task:a") is None


def test_opened_pull_request_says_what_its_draft_said(place: Place) -> None:
    tip = place.commit()
    pull = place.forge.open(DRAFT, tip)
    assert (pull.head, pull.base, pull.title, pull.body) == (DRAFT.head, DRAFT.base, DRAFT.title, DRAFT.body)
    assert (pull.marker, pull.labels, pull.tip, pull.state) == (
        DRAFT.marker,
        DRAFT.labels,
        tip,
        PullState.OPEN,
    )
    assert (pull.created, pull.updated, pull.merged) == (START, START, None)
    assert pull.url


def test_what_was_opened_is_found_by_number_and_by_marker(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    assert place.forge.get(pull.number) == pull
    assert find(place.forge, DRAFT.marker) == pull
    assert find(place.again(), DRAFT.marker) == pull


def test_marker_is_compared_whole(place: Place) -> None:
    place.forge.open(replace(DRAFT, marker="spinney-task:ab"), place.commit())
    assert find(place.forge, "spinney-task:a") is None


def test_newest_pull_request_with_a_marker_is_found(place: Place) -> None:
    first = place.forge.open(DRAFT, place.commit())
    place.forge.close(first.number)
    second = place.forge.open(DRAFT, place.commit())
    assert find(place.forge, DRAFT.marker) == second


def test_numbers_go_up_and_list_goes_by_them(place: Place) -> None:
    numbers = [place.forge.open(numbered(n), place.commit()).number for n in range(12)]
    assert numbers == sorted(set(numbers))
    assert [pull.number for pull in place.forge.list()] == numbers


def test_list_can_be_of_one_state(place: Place) -> None:
    opened, closed, merged = (place.forge.open(numbered(n), place.commit()).number for n in range(3))
    place.forge.close(closed)
    place.forge.merged(merged, place.bring_in(merged))
    assert [pull.number for pull in place.forge.list(PullState.OPEN)] == [opened]
    assert [pull.number for pull in place.forge.list(PullState.CLOSED)] == [closed]
    assert [pull.number for pull in place.forge.list(PullState.MERGED)] == [merged]


def test_update_brings_text_labels_base_and_tip_up_to_date(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    place.clock.advance(60)
    place.branch("other")
    tip = place.commit()
    draft = replace(DRAFT, title="Better", body="New", base="other", labels=("conflict",))
    updated = place.forge.update(pull.number, draft, tip)
    assert (updated.title, updated.body, updated.base, updated.labels) == (
        "Better",
        "New",
        "other",
        ("conflict",),
    )
    assert (updated.tip, updated.created, updated.updated) == (tip, START, START + 60)
    assert place.again().get(pull.number) == updated


def test_update_leaves_the_state_alone(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    place.forge.close(pull.number)
    assert place.forge.update(pull.number, DRAFT, place.commit()).state is PullState.CLOSED


def test_merge_is_recorded_with_its_commit(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    commit = place.bring_in(pull.number)
    merged = place.forge.merged(pull.number, commit)
    assert (merged.state, merged.merged) == (PullState.MERGED, commit)
    assert place.again().get(pull.number) == merged


def test_merge_recorded_twice_is_the_same(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    commit = place.bring_in(pull.number)
    assert place.forge.merged(pull.number, commit) == place.forge.merged(pull.number, commit)


def test_only_what_is_open_can_be_closed(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    assert place.forge.close(pull.number).state is PullState.CLOSED
    with pytest.raises(UserError) as caught:
        place.forge.close(pull.number)
    assert caught.value.message == f"pull request #{pull.number} is closed already"


def test_number_that_is_not_there_is_refused_with_those_that_are(place: Place) -> None:
    with pytest.raises(UserError) as caught:
        place.forge.get(7)
    assert (caught.value.message, caught.value.hints) == ("there is no pull request #7", ("there are: none",))
    number = place.forge.open(DRAFT, place.commit()).number
    for act in (
        place.forge.close,
        lambda n: place.forge.update(n, DRAFT, oid(1)),
        lambda n: place.forge.merged(n, oid(1)),
    ):
        with pytest.raises(UserError) as caught:
            act(99)
        assert caught.value.hints == (f"there are: #{number}",)


@pytest.mark.parametrize("text", ["", "\0", "\u202e", "caf\udce9", '"\\', "x" * 70_000], ids=repr)
def test_any_text_is_kept_or_made_harmless(place: Place, text: str) -> None:
    text = text[:70_000]
    pull = place.forge.open(replace(DRAFT, title=text, body=text), place.commit())
    assert place.again().get(pull.number).number == pull.number
