"""What is decided about a pull request, by how it stands, what its branch holds and what was answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.following.record import key
from orchestrator.following.rules import decide
from orchestrator.following.words import (
    Branch,
    Decision,
    Land,
    Left,
    Over,
    Policy,
    Ready,
    Record,
    Restack,
    Round,
    Seen,
    Send,
    Wait,
)
from shared.forge.port import PullRequest, PullState
from shared.forge.watching import CheckRun, Remark, Standing
from shared.model import Oid

CUT = "it has more reviews and conversations than are looked at, and one may be an objection"
NOW = 1_700_000_000.0
POLICY = Policy()
TIP, BASE = Oid("a" * 40), Oid("b" * 40)
BASES = frozenset({"main", "spinney/issue-3", "spinney/issue-4"})
GREEN = CheckRun("1", "build", "passed")
RED = CheckRun("2", "build", "failed", job=7)
SLOW = CheckRun("3", "lint", "waiting")
ASKED = Remark("r1", "ada", True, "rename this", "src/app.py", 2)


def pull(number: int = 5, **fields: Any) -> PullRequest:
    defaults: dict[str, Any] = {
        "number": number,
        "url": f"https://github.com/o/r/pull/{number}",
        "head": f"spinney/issue-{number}",
        "base": "main",
        "title": "Title",
        "body": "",
        "state": PullState.OPEN,
        "tip": TIP,
        "marker": f"spinney-task:issue-{number}",
        "updated": NOW - 3600,
    }
    return PullRequest(**(defaults | fields))


def seen(*checks: CheckRun, remarks: tuple[Remark, ...] = (), **fields: Any) -> Seen:
    of_standing = {"mergeable": True, "base_tip": BASE, "approved": None, "auto": False, "pull": pull()}
    standing = Standing(
        checks=checks,
        remarks=remarks,
        **{name: fields.pop(name, value) for name, value in of_standing.items()},
    )
    fields.setdefault("branch", Branch(TIP, (TIP,)))
    fields.setdefault("bases", BASES)
    return Seen(standing, **fields)


def decided(what: Seen, policy: Policy = POLICY, now: float = NOW) -> Decision:
    return decide(what, policy, now)


def answered(*of: CheckRun | Remark) -> Record:
    return Record({frozenset({key(one)}): TIP for one in of})


# --- rounds


def test_failed_check_leads_to_a_round() -> None:
    assert decided(seen(RED)) == Round((RED,))


def test_round_waits_until_all_checks_have_ended() -> None:
    assert decided(seen(RED, SLOW)) == Wait("for lint", soon=True)


def test_failed_check_that_must_pass_is_not_waited_upon() -> None:
    required = replace(RED, required=True)
    assert decided(seen(required, SLOW)) == Round((required,))


def test_remark_at_a_line_leads_to_a_round_while_checks_still_run() -> None:
    assert decided(seen(SLOW, remarks=(ASKED,))) == Round((), (ASKED,))


def test_review_that_asks_for_changes_leads_to_a_round() -> None:
    review = Remark("r2", "ada", True, "not like this", wants_changes=True)
    assert decided(seen(GREEN, remarks=(review,))) == Round((), (review,))


def test_review_that_only_comments_leads_to_nothing() -> None:
    assert decided(seen(GREEN, remarks=(Remark("r2", "ada", True, "nice"),))) == Ready()


def test_stranger_or_bot_is_not_listened_to() -> None:
    stranger = replace(ASKED, may_write=False)
    assert decided(seen(GREEN, remarks=(stranger, replace(stranger, path="", wants_changes=True)))) == Ready()


def test_checks_and_remarks_are_answered_in_one_round() -> None:
    assert decided(seen(RED, remarks=(ASKED,))) == Round((RED,), (ASKED,))


def test_what_was_answered_is_not_answered_again() -> None:
    again = decided(seen(RED, remarks=(ASKED,), record=answered(RED, ASKED)))
    assert again == Left("build failed, and a round of fixes did not help")
    waits = decided(seen(GREEN, remarks=(ASKED,), record=answered(ASKED)))
    assert waits == Wait("for people to look at what was answered")


def test_same_check_that_fails_again_after_a_push_is_another_execution() -> None:
    assert decided(seen(replace(RED, id="9"), record=answered(RED))) == Round((replace(RED, id="9"),))


def test_rounds_are_limited_and_people_are_told() -> None:
    record = answered(*(replace(RED, id=str(number)) for number in range(10, 13)))
    end = decided(seen(RED, record=record))
    assert end == Left("build failed, and all rounds are used (3)", told=True)
    assert isinstance(decided(seen(RED, record=record), Policy(rounds=4)), Round)


def test_no_round_is_made_where_none_is_allowed() -> None:
    end = decided(seen(RED), Policy(rounds=0))
    assert end == Left("build failed, and no rounds of fixes are allowed", told=True)


def test_no_round_is_made_past_the_budget() -> None:
    assert decided(seen(RED, spent="the budget is spent")) == Left("build failed, and the budget is spent")


def test_several_checks_and_people_are_named_shortly() -> None:
    checks = tuple(CheckRun(str(n), f"check-{n}", "failed") for n in range(5))
    remarks = (ASKED, replace(ASKED, id="r3"), replace(ASKED, id="r4", author="bob"))
    end = decided(seen(*checks, remarks=remarks), Policy(rounds=0))
    assert isinstance(end, Left)
    words = "check-0, check-1, check-2 and 2 more failed and ada, bob left 3 remarks"
    assert end.why == f"{words}, and no rounds of fixes are allowed"


# --- the end, and what cannot be worked on


@pytest.mark.parametrize(("state", "why"), [(PullState.MERGED, "merged"), (PullState.CLOSED, "closed")])
def test_merged_and_closed_are_over(state: PullState, why: str) -> None:
    assert decided(seen(RED, pull=pull(state=state))) == Over(why)


def test_branch_that_cannot_be_worked_on_is_left_alone() -> None:
    assert decided(seen(RED, trouble="it was moved here and there")) == Left("it was moved here and there")
    assert decided(seen(RED, branch=None)) == Left("its branch is not known")


def test_nothing_is_done_on_a_tip_that_is_not_the_one_looked_at() -> None:
    assert decided(seen(RED, branch=Branch(BASE, (BASE,)))) == Wait(
        "for GitHub to see the branch's tip", soon=True
    )


def test_commit_that_was_made_and_not_sent_comes_first() -> None:
    assert decided(seen(RED, unsent=BASE)) == Send(BASE)


# --- bringing it in


def test_pull_request_without_reproach_is_ready_and_left_to_people() -> None:
    assert decided(seen(GREEN)) == Ready()


@pytest.mark.parametrize("way", ["auto", "queue", "now"])
def test_it_is_brought_in_the_way_that_is_configured(way: Any) -> None:
    assert decided(seen(GREEN), Policy(land=way)) == Land(way)


@pytest.mark.parametrize(
    ("fields", "decision"),
    [
        ({"mergeable": False}, Left("it conflicts with main: resolve that by hand", told=True)),
        ({"mergeable": None}, Wait("for GitHub to say whether it can be merged", soon=True)),
        ({"approved": False}, Wait("for a review")),
        ({"auto": True}, Wait("for GitHub to merge it")),
    ],
)
def test_it_is_not_brought_in_before_its_time(fields: dict[str, Any], decision: Decision) -> None:
    assert decided(seen(GREEN, **fields), Policy(land="now")) == decision


def test_checks_that_have_not_begun_are_waited_upon_for_a_minute() -> None:
    fresh = seen(pull=pull(updated=NOW - 10))
    assert decided(fresh, Policy(land="now")) == Wait("for checks to begin", soon=True)
    assert decided(fresh, Policy(land="now"), NOW + 51) == Land("now")


def test_mark_that_a_dead_run_left_is_not_waited_upon() -> None:
    assert decided(seen(GREEN, CheckRun("8", "spinney", "waiting"))) == Ready()
    assert decided(seen(RED, CheckRun("8", "spinney", "waiting"))) == Round((RED,))


def test_own_mark_is_no_check_that_has_begun() -> None:
    fresh = seen(CheckRun("8", "spinney", "passed"), pull=pull(updated=NOW - 10))
    assert decided(fresh) == Wait("for checks to begin", soon=True)


def test_own_mark_that_says_that_the_gate_failed_is_answered() -> None:
    failed = CheckRun("8", "spinney", "failed", summary="the gate failed")
    assert decided(seen(failed)) == Round((failed,))
    conflicting = seen(failed, mergeable=False)
    assert decided(conflicting) == Left("it conflicts with main: resolve that by hand", told=True)


OTHER_WORK = "it conflicts with other work of its batch: bring that in first, or resolve it by hand"


@pytest.mark.parametrize(
    "summary", ["3 phases, conflict: with issue-14", "in conflict still; round 2 of fixes"]
)
def test_own_mark_that_says_conflict_is_left_to_people(summary: str) -> None:
    marked = CheckRun("8", "spinney", "failed", summary=summary)
    assert decided(seen(GREEN, marked), Policy(land="now")) == Left(OTHER_WORK, told=True)
    assert decided(seen(RED, marked)) == Round((RED,))
    assert decided(seen(GREEN, marked, remarks=(ASKED,))) == Round((), (ASKED,))


def test_what_failed_beside_a_conflict_is_answered() -> None:
    marked = CheckRun("8", "spinney", "failed", summary="in conflict still; the gate failed")
    assert decided(seen(marked)) == Round((marked,))


def test_failed_check_keeps_it_out_even_where_it_was_answered() -> None:
    assert isinstance(decided(seen(RED, record=answered(RED)), Policy(land="now")), Left)


def test_failed_check_of_one_that_waits_to_be_merged_leads_to_a_round() -> None:
    assert decided(seen(RED, auto=True)) == Round((RED,))


def test_stacked_one_waits_for_its_parent() -> None:
    child = pull(base="spinney/issue-4")
    stacked = seen(GREEN, pull=child, parents={"spinney/issue-4": pull(4)})
    assert decided(stacked, Policy(land="now")) == Wait("for spinney/issue-4 to be merged")


# --- restacking


def stacked(parent: PullRequest, **branch: Any) -> Seen:
    return seen(
        GREEN,
        pull=pull(base=parent.head),
        branch=Branch(TIP, (TIP,), **branch),
        parents={parent.head: parent},
    )


def test_child_moves_to_the_base_of_its_merged_parent() -> None:
    assert decided(stacked(pull(4, state=PullState.MERGED))) == Restack("main", "#4 is merged")


def test_child_moves_past_all_parents_that_are_merged() -> None:
    second = pull(4, base="spinney/issue-3", state=PullState.MERGED)
    chain = stacked(second)
    parents = {**chain.parents, "spinney/issue-3": pull(3, state=PullState.MERGED)}
    assert decided(replace(chain, parents=parents)) == Restack("main", "#3 is merged")
    parents = {**chain.parents, "spinney/issue-3": pull(3)}
    assert decided(replace(chain, parents=parents)) == Restack("spinney/issue-3", "#4 is merged")


def test_child_of_a_parent_that_was_closed_is_left_to_people() -> None:
    assert decided(stacked(pull(4, state=PullState.CLOSED))) == Left(
        "its base spinney/issue-4 was closed without being merged", told=True
    )


def test_child_moves_with_a_parent_that_has_changed() -> None:
    assert decided(stacked(pull(4), based=False)) == Restack("spinney/issue-4", "spinney/issue-4 has changed")
    assert not isinstance(decided(stacked(pull(4), based=True)), Restack)


def test_base_that_moved_is_no_reason_to_move_what_is_not_stacked() -> None:
    assert decided(seen(GREEN, branch=Branch(TIP, (TIP,), based=False))) == Ready()


def test_what_github_has_retargeted_itself_sheds_the_commits_of_its_parent() -> None:
    left = seen(
        GREEN,
        branch=Branch(TIP, (TIP,), below=frozenset({"issue-4"})),
        parents={"spinney/issue-4": pull(4, state=PullState.MERGED)},
    )
    assert decided(left) == Restack("main", "#4 is merged")


def test_one_that_stands_on_several_waits_until_all_are_merged() -> None:
    parents = {"spinney/issue-3": pull(3), "spinney/issue-4": pull(4, state=PullState.MERGED)}
    both = seen(GREEN, branch=Branch(TIP, (TIP,), below=frozenset({"issue-3", "issue-4"})), parents=parents)
    assert decided(both) == Wait("it stands on issue-3, too, which is not merged yet")
    parents["spinney/issue-3"] = replace(parents["spinney/issue-3"], state=PullState.MERGED)
    assert decided(both) == Restack("main", "#3, #4 are merged")


def test_merges_that_somebody_made_are_not_replayed() -> None:
    end = decided(stacked(pull(4, state=PullState.MERGED), merges=True))
    assert end == Left("#4 is merged, and its branch holds merges: bring it onto main by hand", told=True)


def test_base_that_is_gone_is_told() -> None:
    assert decided(seen(GREEN, base_tip=None)) == Left("its base main is gone", told=True)


def test_circle_of_bases_ends() -> None:
    first, second = (
        pull(4, base="spinney/issue-3", state=PullState.MERGED),
        pull(3, base="spinney/issue-4", state=PullState.MERGED),
    )
    circle = replace(stacked(first), parents={first.head: first, second.head: second})
    assert isinstance(decided(circle), Left)


def test_what_people_said_and_nobody_read_keeps_from_bringing_in() -> None:
    one = seen(GREEN)
    one = replace(one, standing=replace(one.standing, cut=True))
    assert decided(one) == Left(CUT)
    assert decided(one, Policy(land="now")) == Left(CUT)
    assert isinstance(decided(replace(one, standing=replace(one.standing, checks=(RED,)))), Round)


# --- bases


def test_base_that_somebody_else_has_chosen_is_not_brought_into() -> None:
    other = seen(GREEN, pull=pull(base="release"))
    assert decided(other) == Ready()
    left = Left("its base release was chosen by somebody else: bring it in by hand", told=True)
    assert decided(other, Policy(land="now")) == left
    chosen = replace(other, bases=frozenset({"release"}))
    assert decided(chosen, Policy(land="now")) == Land("now")


def test_base_that_somebody_else_has_chosen_is_not_moved_to() -> None:
    child = stacked(pull(4, base="release", state=PullState.MERGED))
    left = Left("its base release was chosen by somebody else: bring it in by hand", told=True)
    assert decided(child) == left


def test_failed_check_leads_to_a_round_whatever_the_base_is() -> None:
    assert decided(seen(RED, pull=pull(base="release"))) == Round((RED,))
