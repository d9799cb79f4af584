"""Looking again and again: how often, until when, and what is told meanwhile."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace

import pytest

from orchestrator.composition.following import stopped_from_outside, wanted
from orchestrator.following import driving
from orchestrator.following.polling import Pace
from orchestrator.following.words import Policy
from orchestrator.reporting.following import line, to_json
from shared.errors import Interrupted, RepositoryHeld, SpinneyError, UserError
from shared.forge.port import PullState
from shared.forge.watching import CheckRun
from tests.support.following import Following

RED = CheckRun("1", "build", "failed")


@pytest.fixture
def world() -> Following:
    made = Following()
    made.hub.pull(5)
    return made


class Waiting:
    """Moves the clock, and does something at its ``n``-th wait."""

    def __init__(self, world: Following, **at: object) -> None:
        self.world, self.waits = world, list[float]()
        self.at = {int(name.removeprefix("n")): do for name, do in at.items()}

    def __call__(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.world.clock.advance(seconds)
        do = self.at.get(len(self.waits))
        if callable(do):
            do()
        return do != "stop"


def drive(world: Following, wait: Waiting, pace: Pace | None = None) -> bool:
    def tell(event: str, fields: dict[str, object]) -> None:
        world.told.append((event, fields))

    return driving.always(world.follower(), pace or Pace(), wait, tell)


def notes(world: Following) -> list[object]:
    return [fields["text"] for event, fields in world.told if event == "follow.note"]


def test_following_ends_when_nothing_is_open_any_more(world: Following) -> None:
    wait = Waiting(world, n3=lambda: world.hub.change(5, state=PullState.MERGED))
    assert drive(world, wait) is True
    assert len(wait.waits) == 3
    assert world.words(5) == ["ready to be merged, which is left to people", "merged"]


def test_looks_become_rare_while_nothing_happens_and_quick_again_when_something_does(
    world: Following,
) -> None:
    def fail() -> None:
        world.hub.checks[5] = (RED,)

    wait = Waiting(world, n7=fail, n9="stop")
    assert drive(world, wait) is False
    assert wait.waits[:7] == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert wait.waits[7] == 10.0
    assert len(world.rounds.asked) == 1


def test_interval_that_is_asked_for_is_kept(world: Following) -> None:
    wait = Waiting(world, n4="stop")
    drive(world, wait, Pace(30.0))
    assert wait.waits == [30.0] * 4


def test_others_at_work_are_told_once_and_waited_for(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.branches.held = True

    def free() -> None:
        world.branches.held = False

    drive(world, Waiting(world, n3=free, n5="stop"))
    assert notes(world) == ["run r on another machine is at work; it is looked again"]
    assert len(world.rounds.asked) == 1


def test_outage_is_told_and_waited_for_but_not_for_ever(world: Following) -> None:
    world.hub.refuse["list"] = SpinneyError("GitHub is not to be reached")
    wait = Waiting(world)
    with pytest.raises(SpinneyError, match="not to be reached"):
        drive(world, wait)
    assert wait.waits == [300.0] * 11
    assert notes(world) == ["GitHub is not to be reached; it is looked again"]


@pytest.mark.parametrize("error", [UserError("no"), Interrupted("stopped")])
def test_what_waiting_does_not_mend_ends_it_at_once(world: Following, error: SpinneyError) -> None:
    world.hub.refuse["list"] = error
    with pytest.raises(type(error)):
        drive(world, Waiting(world))


def test_one_look_is_enough_unless_a_stack_moves(world: Following) -> None:
    world.hub.pull(6, base="spinney/issue-5")
    driving.once(world.follower())
    assert world.hub.asked["list"] == 1
    world.hub.change(5, state=PullState.MERGED)
    driving.once(world.follower())
    assert world.hub.asked["list"] == 3
    assert world.hub.pulls[6].base == "main"


def test_others_at_work_end_a_single_look(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.branches.held = True
    with pytest.raises(RepositoryHeld):
        driving.once(world.follower())


# --- what is told


def test_report_has_every_pull_request_and_round(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    follower = world.follower(Policy(rounds=1))
    follower.turn()
    rounds = [fields for event, fields in world.told if event == "follow.answered"]
    report = to_json("succeeded", follower.decisions, rounds, ["a note"], follower.purse.used)
    assert report == {
        "status": "succeeded",
        "pull_requests": [
            {
                "number": 5,
                "url": "https://hub/5",
                "branch": "spinney/issue-5",
                "title": "Title 5",
                "decision": "round",
                "text": "a round of fixes: build failed",
            }
        ],
        "rounds": [{"pull": 5, "round": 1, "run": "r1", "commit": world.hub.pulls[5].tip, "reason": ""}],
        "notes": ["a note"],
        "tokens": 0,
        "cost_usd": 0.0,
    }


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"event": "follow.decided", "pull": 5, "text": "waits for lint"}, "#5: waits for lint"),
        ({"event": "follow.note", "pull": None, "text": "x\x1b[31m"}, "note: x"),
        (
            {"event": "follow.answered", "pull": 5, "round": 1, "tip": "c" * 40, "reason": ""},
            "#5: round 1 pushed cccccccccc",
        ),
        (
            {"event": "follow.answered", "pull": 5, "round": 2, "tip": None, "reason": "nothing was changed"},
            "#5: round 2 left no commit: nothing was changed",
        ),
        (
            {"event": "follow.restacked", "pull": 5, "base": "main", "tip": "c" * 40},
            "#5: is on main now, at cccccccccc",
        ),
        ({"event": "follow.landed", "pull": 5, "text": "auto-merge is on"}, "#5: auto-merge is on"),
        ({"event": "follow.held", "reason": "its limit"}, "waits for GitHub: its limit"),
        ({"event": "follow.waits", "seconds": 300.0}, "looks again in 5m00s"),
        ({"event": "follow.round", "pull": 5}, ""),
    ],
)
def test_events_have_words_for_people(record: dict[str, object], text: str) -> None:
    assert line(record) == text


# --- what is meant


@pytest.mark.parametrize(
    ("targets", "numbers"),
    [
        ([], [4, 5, 6]),
        (["5"], [5]),
        (["#5", "6"], [5, 6]),
        (["https://hub/o/r/pull/5"], [5]),
        (["https://hub/o/r/pull/5/files#diff"], [5]),
        (["https://hub/o/other/pull/5", "https://evil/o/r/pull/6"], []),
        (["20261126-1"], [4, 6]),
    ],
)
def test_pull_requests_are_named_by_number_address_or_run(targets: list[str], numbers: list[int]) -> None:
    pulls = [Following().hub.pull(number) for number in (4, 5, 6)]
    meant = wanted(targets, lambda run: {"20261126-1": ["spinney/issue-4", "spinney/issue-6"]}[run])
    named = [replace(pull, url=f"https://hub/o/r/pull/{pull.number}") for pull in pulls]
    assert [pull.number for pull in named if meant(pull)] == numbers


def test_round_ends_in_good_order_where_the_lock_is_lost_or_somebody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, sent = threading.Event(), list[int]()

    def kill(pid: int, number: int) -> None:
        sent.append(number)
        ended.set()

    monkeypatch.setattr("os.kill", kill)
    reasons = iter(["", "somebody asked", "somebody asked"])
    with stopped_from_outside(lambda: next(reasons), seconds=0.001):
        assert ended.wait(10)
    with stopped_from_outside(lambda: "", seconds=0.001):
        pass
    assert sent == [signal.SIGTERM]
