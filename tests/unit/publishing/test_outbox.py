"""What is told next, and what is not told any more."""

from __future__ import annotations

from orchestrator.publishing.outbox import BREATH, SPACING, Look, Mark, Open, Outbox, Push, Say
from shared.forge.port import Draft
from shared.model import TaskId
from tests.support.build import oid

A, B = TaskId("a"), TaskId("b")


def push(name: str, number: int, *, soon: bool = True) -> Push:
    return Push(f"refs/heads/spinney/{name}", oid(number), TaskId(name), soon)


def opening(name: str, number: int) -> Open:
    return Open(TaskId(name), Draft(f"spinney/{name}", "main", name, "", f"spinney-task:{name}"), oid(number))


def saying(name: str, stage: str) -> Say:
    return Say(TaskId(name), 1, "spinney-issue:1", stage, stage)


def all_of(outbox: Outbox, now: float = 0.0) -> list[object]:
    found: list[object] = []
    while (job := outbox.take(now)) is not None:
        found.append(job)
    return found


def test_nothing_is_waited_for_when_nothing_is_wanted() -> None:
    outbox = Outbox(0.0)
    assert (outbox.take(0.0), outbox.wait(0.0), len(outbox)) == (None, None, 0)


def test_branches_go_first_and_in_one_go() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1), opening("a", 1), push("b", 2), opening("b", 2))
    assert all_of(outbox) == [(push("a", 1), push("b", 2)), opening("a", 1), opening("b", 2)]


def test_twenty_four_branches_are_one_push() -> None:
    outbox = Outbox(0.0)
    outbox.put(*(push(f"t{number}", number) for number in range(24)))
    assert [len(job) for job in all_of(outbox) if isinstance(job, tuple)] == [24]


def test_later_wish_replaces_the_one_that_was_not_told_yet() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1), opening("a", 1), saying("a", "at work"))
    outbox.put(push("a", 2), opening("a", 2), saying("a", "merged"))
    assert all_of(outbox) == [(push("a", 2),), opening("a", 2), saying("a", "merged")]


def test_branch_of_work_that_goes_on_is_pushed_once_a_minute() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1, soon=False))
    assert (outbox.take(1.0), outbox.wait(1.0)) == (None, SPACING - 1.0)
    outbox.put(push("a", 2, soon=False))
    assert outbox.take(SPACING) == (push("a", 2, soon=False),)
    outbox.put(push("a", 3, soon=False))
    assert outbox.wait(SPACING + 1) == SPACING - 1


def test_branch_that_must_go_now_takes_the_others_along() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1, soon=False), push("b", 2))
    assert outbox.take(1.0) == (push("a", 1, soon=False), push("b", 2))


def test_haste_is_kept_when_a_later_commit_replaces_the_wish() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1), push("a", 2, soon=False))
    assert outbox.take(0.0) == (push("a", 2),)


def test_what_need_not_wait_for_a_branch_goes_before_the_next_push_for_a_few_seconds() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1), opening("a", 1), saying("c", "at work"))
    assert outbox.take(0.0) == (push("a", 1),)
    outbox.put(push("b", 2), opening("b", 2))
    assert [outbox.take(1.0), outbox.take(1.1)] == [opening("a", 1), saying("c", "at work")]
    assert outbox.take(1.2) == (push("b", 2),)  # nothing else is left but what waits for it
    outbox.put(push("a", 3), saying("c", "merged"), opening("c", 3))
    assert outbox.take(1.3 + BREATH) == (push("a", 3),)


def test_what_speaks_of_a_branch_waits_for_its_push() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1))
    outbox.take(0.0)
    stacked = Open(B, Draft("spinney/b", "spinney/a", "b", "", "spinney-task:b"), oid(2))
    waiting = [stacked, opening("a", 2), saying("a", "merged"), Mark(A, oid(2), "success", "1 phase"), Look()]
    outbox.put(push("a", 2), *waiting)
    assert all_of(outbox, 0.1) == [(push("a", 2),), *waiting]


def test_hurry_lets_everything_go() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1, soon=False))
    outbox.hurry()
    assert (outbox.wait(1.0), outbox.take(1.0)) == (0.0, (push("a", 1),))
    for number in (2, 3):
        outbox.put(push("a", number), opening("c", 3))
        assert outbox.take(1.1) == (push("a", number),)


def test_what_is_not_a_branch_does_not_wait_for_the_minute() -> None:
    outbox = Outbox(0.0)
    outbox.put(push("a", 1, soon=False), saying("b", "at work"))
    assert (outbox.wait(1.0), outbox.take(1.0)) == (0.0, saying("b", "at work"))
    assert outbox.take(1.0) is None


def test_pull_requests_come_before_comments_and_marks_in_their_order() -> None:
    outbox = Outbox(0.0)
    mark = Mark(A, oid(1), "success", "1 phase")
    outbox.put(mark, saying("a", "merged"), opening("b", 2), opening("a", 1))
    assert all_of(outbox) == [opening("b", 2), opening("a", 1), saying("a", "merged"), mark]
