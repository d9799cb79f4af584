"""A label that strangers, programs and forms may put on does not say by itself what is worked on."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.intake.asking import ask
from orchestrator.intake.references import Reference, reference
from orchestrator.intake.standing import Terms
from orchestrator.intake.trust import distrust
from shared.clock import ManualClock
from shared.forge.local import LocalForge
from shared.forge.tracker import IssueQuery, IssueSnapshot, Labelling
from tests.support.pulls import MemoryPulls
from tests.support.trackers import MemoryTracker, issue

AT, LATER, BEFORE = "2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z", "2026-11-20T11:59:59Z"
AGAIN = "whoever may write here reads it, takes 'spinney' off and puts it on again"


def one(number: int = 1, *put_on: Labelling, **fields: Any) -> IssueSnapshot:
    labelled = put_on or (Labelling("spinney", AT, "ada"),)
    return issue(number, **{"labels": ("bug", "Spinney"), "labelled": labelled, "created": BEFORE, **fields})


def why(read: IssueSnapshot, *writers: str) -> str:
    return distrust(read, "spinney", lambda labelling: labelling.by in (writers or ("ada",)))


def test_issue_whose_label_somebody_who_may_write_has_put_on_is_taken() -> None:
    assert why(one()) == ""
    assert why(one(created=AT)) == ""  # with the label, by its author
    assert why(one(edited=BEFORE)) == ""


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"labels": ("bug",)}, "it has no label 'spinney'"),
        ({"labelled": ()}, f"who put 'spinney' on is too long ago to be told: {AGAIN}"),
        ({"edited": LATER}, f"its text was written or changed after 'spinney' was put on: {AGAIN}"),
        ({"edited": AT}, f"its text was written or changed after 'spinney' was put on: {AGAIN}"),
        ({"created": LATER}, f"its text was written or changed after 'spinney' was put on: {AGAIN}"),
        ({"edited": "?"}, f"its text was written or changed after 'spinney' was put on: {AGAIN}"),
    ],
)
def test_issue_is_left_out_with_the_reason(changed: dict[str, Any], told: str) -> None:
    assert why(one(**changed)) == told


def test_who_put_it_on_last_counts() -> None:
    first, last = Labelling("spinney", BEFORE, "ada"), Labelling("Spinney", AT, "triager")
    told = f"triager, who put 'spinney' on, may not write here: {AGAIN}"
    assert why(one(1, first, last, created=BEFORE)) == told
    assert why(one(1, first, last, created=BEFORE), "triager") == ""
    other = Labelling("bug", LATER, "triager")
    assert why(one(1, last, other), "triager") == ""


def test_nobody_is_asked_about_what_is_left_out_anyway() -> None:
    def vouches(labelling: Labelling) -> bool:
        raise AssertionError(labelling)

    assert distrust(one(edited=LATER), "spinney", vouches)


def test_intake_leaves_them_out_and_takes_the_others() -> None:
    eve = Labelling("spinney", AT, "eve")
    tracker = MemoryTracker.of(one(1), one(2, eve), one(3, eve, state="closed"), writers=frozenset({"ada"}))
    forge = LocalForge(MemoryPulls(), ManualClock())
    references: list[Reference] = [found for text in ("1", "2", "3") if (found := reference(text))]
    terms = Terms(trusted_label="spinney")
    taken, _ = ask(tracker, forge, "github.com", references, IssueQuery(), terms)
    assert [task.id for task in taken.tasks] == ["issue-1"]
    assert [entry.reason for entry in taken.left_out] == [
        f"eve, who put 'spinney' on, may not write here: {AGAIN}",
        "it is closed",
    ]
    assert tracker.calls == ["issues", "vouches ada", "vouches eve"]
    taken, _ = ask(tracker, forge, "github.com", references, IssueQuery(), Terms())
    assert [task.id for task in taken.tasks] == ["issue-1", "issue-2"]
