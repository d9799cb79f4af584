"""What every forge promises, wherever its pull requests live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.clock import ManualClock
from shared.errors import UserError
from shared.forge.local import LocalForge
from shared.forge.port import Draft, Forge, PullRequest, PullState, Sought
from shared.git.pulls import PullRefs
from shared.git.repository import open_repository
from shared.model import Oid
from tests.support.build import oid
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


def in_memory(request: pytest.FixtureRequest) -> Place:
    store = MemoryPulls()
    numbers = iter(range(1, 99))
    return Place(lambda clock: LocalForge(store, clock), lambda: oid(next(numbers)))


def in_refs(request: pytest.FixtureRequest) -> Place:
    repo: Repo = request.getfixturevalue("repo")
    return Place(
        lambda clock: LocalForge(PullRefs(open_repository(repo.git_dir)), clock), lambda: Oid(repo.commit())
    )


@pytest.fixture(params=[in_memory, pytest.param(in_refs, marks=pytest.mark.git)], ids=["memory", "refs"])
def place(request: pytest.FixtureRequest) -> Place:
    return request.param(request)


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
    numbers = [place.forge.open(replace(DRAFT, marker=f"m{n}"), place.commit()).number for n in range(12)]
    assert numbers == sorted(set(numbers))
    assert [pull.number for pull in place.forge.list()] == numbers


def test_list_can_be_of_one_state(place: Place) -> None:
    opened, closed, merged = (
        place.forge.open(replace(DRAFT, marker=f"m{n}"), place.commit()).number for n in range(3)
    )
    place.forge.close(closed)
    place.forge.merged(merged, place.commit())
    assert [pull.number for pull in place.forge.list(PullState.OPEN)] == [opened]
    assert [pull.number for pull in place.forge.list(PullState.CLOSED)] == [closed]
    assert [pull.number for pull in place.forge.list(PullState.MERGED)] == [merged]


def test_update_brings_text_labels_base_and_tip_up_to_date(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    place.clock.advance(60)
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
    commit = place.commit()
    merged = place.forge.merged(pull.number, commit)
    assert (merged.state, merged.merged) == (PullState.MERGED, commit)
    assert place.again().get(pull.number) == merged


def test_merge_recorded_twice_is_the_same(place: Place) -> None:
    pull = place.forge.open(DRAFT, place.commit())
    commit = place.commit()
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
