"""Following carried out: each thing once, whoever looks, however often, and whatever came in between."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from orchestrator.following import driving
from orchestrator.following.follower import AGAIN_SECONDS
from orchestrator.following.polling import Pace
from orchestrator.following.port import Made
from orchestrator.following.words import Policy, Record
from shared.errors import Interrupted, RepositoryHeld, SpinneyError
from shared.forge.port import PullState
from shared.forge.watching import CheckRun, Remark
from shared.model import RunId, Spending, Tokens, Usage
from tests.support.following import Following

RED = CheckRun("1", "build", "failed")
GREEN = CheckRun("2", "build", "passed")
ASKED = Remark("r1", "ada", True, "rename this", "src/app.py", 2)


@pytest.fixture
def world() -> Following:
    made = Following()
    made.hub.pull(5)
    return made


def test_failed_check_leads_to_one_commit_however_often_it_is_looked_at(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    before = world.hub.pulls[5].tip
    follower = world.follower()
    assert [follower.turn().changed for _ in range(3)] == [True, True, False]
    (asked,) = world.rounds.asked
    assert asked.title == "Answer checks: Title 5"
    assert "log of build" in asked.body
    assert asked.answers == ("check:1",)
    assert world.hub.pulls[5].tip != before
    assert world.hub.marks == [(world.hub.pulls[5].tip, "spinney success: round 1 of fixes")]
    assert world.words(5) == ["a round of fixes: build failed", "ready to be merged, which is left to people"]


def test_event_that_comes_thrice_to_processes_that_know_nothing_leads_to_one_round(world: Following) -> None:
    world.hub.remarks[5] = (ASKED,)
    for _ in range(3):
        world.follower().turn()
    assert len(world.rounds.asked) == 1
    assert world.hub.asked["say"] == 1


def test_round_that_changed_nothing_is_not_made_again(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.rounds.results = [Made(RunId("r"), None, "nothing was changed")]
    for _ in range(3):
        follower = world.follower()
        follower.turn()
    assert len(world.rounds.asked) == 1
    assert (
        "Round 1 of 3: nothing was changed about 1 failed check" in world.hub.comments[5, "spinney-follow:5"]
    )
    assert world.words(5)[-1] == "left to people: build failed, and a round of fixes did not help"


def test_round_limit_holds_and_is_said_once(world: Following) -> None:
    policy = Policy(rounds=2)
    for number in range(6):
        world.hub.checks[5] = (replace(RED, id=f"run-{number}"),)
        world.follower(policy).turn()
    assert len(world.rounds.asked) == 2
    assert world.hub.asked["say"] == 3  # one comment, edited in place
    (text,) = world.hub.comments.values()
    assert "Left to people: build failed, and all rounds are used (2)." in text


def test_comment_says_when_nothing_is_left_to_people_any_more(world: Following) -> None:
    world.hub.more[5] = {"mergeable": False}
    world.follower().turn()
    assert "Left to people: it conflicts with main" in world.hub.comments[5, "spinney-follow:5"]
    world.hub.more.clear()
    for _ in range(3):
        world.follower().turn()
    assert world.hub.comments == {(5, "spinney-follow:5"): "Nothing is left to people any more.\n"}
    assert world.hub.asked["say"] == 2


def test_comment_of_a_round_that_was_sent_later_is_made_up_for(world: Following) -> None:
    world.branches.answers["issue-5"] = {frozenset({"check:1"}): world.hub.pulls[5].tip}
    world.hub.change(5, updated=world.clock.now())  # its checks have not begun
    world.follower().turn()
    assert "Round 1 of 3" in world.hub.comments[5, "spinney-follow:5"]


def test_strangers_comment_does_nothing(world: Following) -> None:
    world.hub.remarks[5] = (replace(ASKED, may_write=False),)
    world.follower().turn()
    assert (world.rounds.asked, world.hub.comments) == ([], {})


def test_commit_that_somebody_took_off_the_branch_is_not_made_again(world: Following) -> None:
    world.hub.remarks[5] = (ASKED,)
    world.follower().turn()
    world.branches.answers.clear()
    world.follower().turn()
    assert len(world.rounds.asked) == 1


def test_push_of_a_person_during_a_round_stays_and_the_round_is_made_on_top_of_it(world: Following) -> None:
    world.hub.remarks[5] = (ASKED,)
    world.branches.moved.add("issue-5")
    follower = world.follower()
    follower.turn()
    assert follower.failed
    theirs = world.hub.pulls[5].tip
    follower.turn()
    assert [asked.seen.pull.tip for asked in world.rounds.asked][1] == theirs
    assert len(world.branches.answers["issue-5"]) == 1


def test_round_that_was_killed_before_its_push_is_sent_and_not_made_again(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.rounds.kill = True
    with pytest.raises(KeyboardInterrupt):
        world.follower().turn()
    world.rounds.kill = False
    follower = world.follower()
    follower.turn()
    follower.turn()
    assert len(world.rounds.asked) == 1
    assert "issue-5" not in world.branches.unsent
    assert [event for event, _ in world.told if event == "follow.sent"] == ["follow.sent"]


def test_round_that_was_stopped_ends_the_following(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.rounds.results = [Made(RunId("r"), None, interrupted=True, signal=15)]
    follower = world.follower()
    with pytest.raises(Interrupted):
        follower.turn()
    assert follower.signal == 15
    assert world.branches.kept == {}


def test_what_does_not_pass_the_gate_is_sent_and_marked(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.rounds.results = [Made(RunId("r"), world.branches.commit(), "the gate failed")]
    follower = world.follower()
    follower.turn()
    assert follower.failed
    assert world.hub.marks[0][1] == "spinney failure: the gate failed"


def test_conflict_with_other_work_does_not_end_by_a_round(world: Following) -> None:
    marked = CheckRun("8", "spinney", "failed", summary="3 phases, conflict: with issue-14")
    world.hub.checks[5] = (RED, marked)
    follower = world.follower()
    follower.turn()
    (mark,) = world.hub.marks
    assert mark == (world.hub.pulls[5].tip, "spinney failure: in conflict still; round 1 of fixes")
    assert len(world.rounds.asked) == 1
    assert "The check spinney" not in world.rounds.asked[0].body


def test_budget_is_of_all_rounds_together(world: Following) -> None:
    world.hub.pull(6)
    world.hub.pull(7)
    world.hub.checks = {number: (replace(RED, id=str(number)),) for number in (5, 6, 7)}
    spent = Usage(Tokens(input=600), 0.5, 1)
    world.rounds.results = [Made(RunId("r"), world.branches.commit(), usage=spent) for _ in range(3)]
    follower = world.follower(budget=Spending(usd=0.9))
    driving.once(follower)
    assert [round(asked.budget.usd, 2) for asked in world.rounds.asked] == [0.9, 0.4]
    assert world.words(7)[-1] == "left to people: build failed, and the budget of 0.9 US dollars is spent"


def test_trouble_with_one_does_not_keep_from_the_others(world: Following) -> None:
    world.hub.pull(6)
    world.hub.checks = {5: (RED,), 6: (replace(RED, id="6"),)}
    world.hub.refuse["log"] = SpinneyError("GitHub says no")
    follower = world.follower()
    follower.turn()
    assert (follower.failed, world.hub.asked["log"]) == (True, 2)
    follower.turn()
    assert world.hub.asked["log"] == 2  # not tried again while everything stands as it does
    world.hub.refuse.clear()
    world.clock.advance(AGAIN_SECONDS)
    driving.once(follower)
    assert len(world.rounds.asked) == 2


def test_others_at_work_on_the_branches_are_waited_for(world: Following) -> None:
    world.hub.checks[5] = (RED,)
    world.branches.held = True
    follower = world.follower()
    with pytest.raises(RepositoryHeld):
        follower.turn()
    world.branches.held = False
    follower.turn()
    assert len(world.rounds.asked) == 1


def test_others_are_looked_at_anew_after_a_round(world: Following) -> None:
    world.hub.pull(6)
    world.hub.checks = {5: (RED,), 6: (replace(RED, id="6"),)}
    follower = world.follower()
    assert follower.turn().again
    world.hub.checks[6] = (GREEN,)  # it passed on its own while the round was made
    driving.once(follower)
    assert [asked.seen.pull.number for asked in world.rounds.asked] == [5]


def test_only_what_is_asked_for_is_followed(world: Following) -> None:
    world.hub.pull(6)
    world.hub.checks = {5: (RED,), 6: (replace(RED, id="6"),)}
    world.follower(numbers=[6]).turn()
    assert [asked.seen.pull.number for asked in world.rounds.asked] == [6]


def test_pull_request_of_somebody_else_or_of_a_batch_is_not_followed(world: Following) -> None:
    world.hub.change(5, marker="spinney-batch:r")
    other = world.hub.pull(6)
    world.hub.change(6, head="spinney/another")
    assert not world.follower().turn().open
    assert other.number not in world.follower().decisions


# --- bringing in, restacking, the end


def test_what_is_ready_is_brought_in_once(world: Following) -> None:
    world.hub.checks[5] = (GREEN,)
    follower = world.follower(Policy(land="auto"))
    for _ in range(3):
        follower.turn()
    assert world.hub.asked["land"] == 1
    assert ("follow.landed", {"pull": 5, "way": "auto", "text": "auto, merge"}) in world.told


def test_what_was_merged_or_closed_is_over(world: Following) -> None:
    world.hub.pull(6)
    world.branches.kept = {"issue-1": Record(said="once")}
    follower = world.follower()
    follower.turn()
    world.hub.change(5, state=PullState.MERGED)
    world.hub.change(6, state=PullState.CLOSED)
    assert not follower.turn().open
    assert [world.words(5)[-1], world.words(6)[-1]] == ["merged", "closed"]
    assert "issue-1" not in world.branches.kept


def chain(world: Following) -> None:
    """#5, then #6 on it, then #7 on that."""
    world.hub.pull(6, base="spinney/issue-5")
    world.hub.pull(7, base="spinney/issue-6")


def test_child_of_a_merged_parent_is_brought_onto_its_base(world: Following) -> None:
    chain(world)
    world.hub.change(5, state=PullState.MERGED)
    turn = world.follower().turn()
    assert turn.again
    assert world.branches.restacked == [("issue-6", "main")]
    assert world.hub.pulls[6].base == "main"


def test_whole_stack_follows_its_bottom_turn_by_turn(world: Following) -> None:
    chain(world)
    world.hub.change(5, state=PullState.MERGED)
    follower = world.follower()
    world.branches.bases["issue-7"] = world.hub.heads["spinney/issue-6"]
    while follower.turn().again:
        pass
    assert world.branches.restacked == [("issue-6", "main"), ("issue-7", "spinney/issue-6")]
    assert [world.hub.pulls[n].base for n in (6, 7)] == ["main", "spinney/issue-6"]


def test_conflict_with_the_new_base_leaves_the_branch_alone_and_is_told_once(world: Following) -> None:
    chain(world)
    world.hub.change(5, state=PullState.MERGED)
    world.branches.conflicts.add("issue-6")
    follower = world.follower()
    follower.turn()
    follower.turn()
    assert world.hub.pulls[6].base == "spinney/issue-5"
    notes = [fields["text"] for event, fields in world.told if event == "follow.note"]
    assert notes == ["spinney/issue-6 conflicts with main in a.txt"]
    assert world.hub.comments == {
        (6, "spinney-follow:6"): "Left to people: spinney/issue-6 conflicts with main in a.txt.\n"
    }


# --- what it costs


def hour(world: Following, seconds: float = 3600.0) -> int:
    """Questions of an hour that count; how often it is looked is by its own pace."""
    follower, pace, end = world.follower(), Pace(), world.clock.now() + seconds
    while world.clock.now() < end:
        turn = follower.turn()
        pace = pace.after(changed=turn.changed, soon=turn.soon)
        world.clock.advance(pace.seconds)
    return sum(world.hub.asked.values())


def test_an_idle_hour_of_twelve_pull_requests_costs_at_most_200_questions() -> None:
    world = Following()
    for number in range(1, 13):
        world.hub.pull(number, base=f"spinney/issue-{number - 1}" if number % 3 else "main")
    assert hour(world) <= 60


def test_an_hour_of_running_checks_costs_at_most_200_questions() -> None:
    world = Following()
    for number in range(1, 13):
        world.hub.pull(number)
        world.hub.checks[number] = (CheckRun(str(number), "slow", "waiting"),)
    assert hour(world) <= 200


# --- R24


@pytest.mark.parametrize("seed", range(30))
def test_looks_that_are_tripled_reordered_and_lost_lead_to_the_same_end(seed: int) -> None:
    dice = random.Random(seed)
    world = Following()
    world.hub.pull(4)
    world.hub.pull(5, base="spinney/issue-4")
    world.hub.checks[5] = (RED,)
    happenings = ["remark", "merge", *["look"] * 6]
    dice.shuffle(happenings)
    for what in happenings:
        if what == "remark":
            world.hub.remarks[5] = (ASKED,)
        elif what == "merge":
            world.hub.change(4, state=PullState.MERGED)
        elif dice.random() < 0.5:
            world.follower().turn()
    for _ in range(4):
        world.follower().turn()
    answered = {key for asked in world.rounds.asked for key in asked.answers}
    assert answered >= {"remark:r1"}
    assert len([key for asked in world.rounds.asked for key in asked.answers]) == len(answered)
    assert world.hub.pulls[5].base == "main"
    assert world.branches.restacked == [("issue-5", "main")]


def test_base_of_its_own_text_the_default_branch_and_own_branches_are_bases(world: Following) -> None:
    world.hub.pull(6, base="spinney/issue-5", meant="spinney/issue-5")
    world.hub.pull(7, base="elsewhere", meant="develop")
    (found,) = world.follower(numbers=[7]).looking.look("")
    assert found.bases == {"main", "develop", *(f"spinney/issue-{number}" for number in (5, 6, 7))}
