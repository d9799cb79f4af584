from __future__ import annotations

from orchestrator.reporting.waiting import Waiting, integration, waiting
from tests.support.story import Story


def waited(story: Story) -> Waiting:
    return waiting(story.view, story.now)


def test_agent_waits_for_its_needs_until_it_asks_for_a_slot_and_then_for_that() -> None:
    story = (
        Story("a").sized(1).start("a").leased("a", 4.0, "PLAN", wait=1.0).leased("a", 2.0, "CODE", wait=3.0)
    )
    assert waited(story) == Waiting(needs=5.0, slot=4.0)


def test_task_waits_for_its_needs_until_the_last_of_them_is_over() -> None:
    story = Story("a", "b", "c", needs={"c": ("a", "b")}).start("a").start("b")
    story.after(2).over("a").after(3)
    assert waited(story) == Waiting(needs=5.0, merge=3.0)
    story.over("b").after(4).start("c").after(1)
    assert waited(story).needs == 5.0


def test_task_that_was_skipped_waited_for_nothing() -> None:
    story = Story("a", "b", needs={"b": ("a",)}).start("a").after(2).over("a", "failed")
    story.settle("a", "failed").settle("b", "skipped", "its need a failed")
    assert waited(story) == Waiting()


def test_wish_that_is_still_open_counts_until_now_and_a_lost_one_not_any_more() -> None:
    story = Story("a").sized(1).start("a").wants("a", "CODER").after(7)
    assert waited(story) == Waiting(slot=7.0)
    story.tell("manager.lost", task="a", reason="signal 9").after(5)
    assert waited(story) == Waiting()


def test_agent_that_waits_for_its_slot_after_its_own_agents_waits_for_a_slot() -> None:
    story = Story("a").sized(1).start("a").wants("a", "PLAN").gets("a", "PLAN").agent_begins("a", "PLAN")
    story.returns("a", "PLAN").leased("a", 2.0, "PLAN/c1", wait=1.0)
    story.wants("a", "PLAN").after(3).gets("a", "PLAN").agent_ends("a", "PLAN")
    assert waited(story) == Waiting(slot=4.0)


def test_slot_that_a_rate_limit_keeps_away_is_waited_for_because_of_that() -> None:
    story = Story("a").sized(2).start("a").wants("a", "CODER").after(1).sized(1, "a rate limit").after(4)
    story.sized(2, "there is room again").after(2).gets("a", "CODER")
    assert waited(story) == Waiting(slot=3.0, rate_limit=4.0)


def test_finished_task_waits_for_gates_and_otherwise_in_the_queue() -> None:
    """While the first is at the gate, the second waits for that gate; its own comes after."""
    story = Story("a", "b", gate="make").start("a").start("b").over("a").over("b")
    story.after(1).gate("a", 4.0, wait=2.0).merge("a", 32).after(1).gate("b", 3.0).merge("b", 33)
    view = story.view
    assert integration(view, view.tasks["a"], story.now) == (6.0, 1.0)
    assert integration(view, view.tasks["b"], story.now) == (9.0, 2.0)
    assert waited(story) == Waiting(gate=15.0, merge=3.0)


def test_gap_between_two_sessions_is_not_waiting() -> None:
    story = Story("a", "b", needs={"b": ("a",)}).start("a").after(1).over("a").after(1).end("interrupted")
    assert waited(story.after(3600)) == Waiting(needs=1.0, merge=1.0)
    story.tell("run.resumed", jobs=2).after(2).merge("a", 32).start("b").after(1)
    assert waited(story) == Waiting(needs=1.0, merge=3.0)


def test_task_waits_to_be_set_up_until_its_first_agent_asks() -> None:
    story = Story("a").sized(1).start("a").after(3).leased("a", 1.0, "PLAN").leased("a", 1.0, "CODE")
    assert waited(story) == Waiting(start=3.0, needs=1.0)


def test_journal_without_slots_tells_only_of_setting_up_needs_and_merging() -> None:
    story = Story("a").start("a").after(1).agent("a", 2.0).over("a").after(3).merge("a", 32).end("succeeded")
    assert waited(story.after(99)) == Waiting(start=1.0, merge=3.0)


def test_requests_that_the_gateway_held_back_waited_for_a_limit() -> None:
    story = Story("a").start("a").agent_begins("a").called("a", held=2.5).called("a", held=1.0)
    assert waiting(story.after(5).agent_ends("a").view, 0.0).rate_limit == 3.5
