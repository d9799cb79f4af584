from __future__ import annotations

import pytest

from orchestrator.reporting import bills
from orchestrator.reporting.board import board
from orchestrator.reporting.explanation import explain
from orchestrator.reporting.figures import figures
from orchestrator.reporting.lines import line_for
from orchestrator.reporting.report import closing, to_json, to_markdown
from orchestrator.view import Bill, Pause
from shared.model import Spending
from tests.support.story import Story


def told(story: Story) -> str | None:
    return line_for(story.records[-1], story.view)


def asked() -> Story:
    """Two agents of one task, one of which asked twice, and a task that asked nobody."""
    story = Story("a", "b").start("a").agent_begins("a", "PLANNER", tier="deep")
    story.called("a", "PLANNER", model="claude-opus-5-5", read=200, written=50, usd=1.25)
    story.after(1).agent_ends("a", "PLANNER").agent_begins("a")
    story.called("a", cached=4000, usd=0.02).called("a", tries=3, held=2.5, usd=0.03)
    return story.after(1).agent_ends("a")


def test_bills_of_agents_task_and_run_agree() -> None:
    view = asked().view
    planner, coder = view.tasks["a"].agents
    assert (planner.bill.calls, planner.input_tokens, planner.output_tokens, planner.cost_usd) == (
        1,
        200,
        50,
        1.25,
    )
    assert (coder.bill.calls, coder.bill.cached, coder.input_tokens) == (2, 4000, 6000)
    assert view.tasks["a"].bill == planner.bill + coder.bill == view.spending.total
    assert view.tasks["b"].bill == Bill()


def test_what_the_gateway_told_is_not_counted_again_when_the_agent_ends() -> None:
    story = Story("a").start("a").agent_begins("a").called("a", read=10, written=5, usd=0.5)
    story.agent_ends("a", tokens=(10, 5), cost=0.5)
    entry = to_json(story.view, 0)["tasks"][0]
    assert (entry["tokens"], entry["cost_usd"]) == ({"input": 10, "output": 5}, 0.5)


def test_requests_of_a_lost_agent_stay_on_its_task() -> None:
    story = Story("a").start("a").agent_begins("a").called("a", read=10, written=5, usd=0.5)
    story.tell("manager.lost", task="a", reason="signal 9").start("a", attempt=2).agent_begins("a")
    story.called("a", read=20, written=5, usd=0.25).agent_ends("a")
    assert to_json(story.view, 0)["tasks"][0]["cost_usd"] == 0.75
    assert [agent.cost_usd for agent in story.view.tasks["a"].agents] == [0.5, 0.25]


def test_agent_that_reports_again_after_a_kill_is_not_counted_again() -> None:
    story = Story("a").start("a").agent_begins("a").called("a", read=10, written=5, usd=0.5)
    story.agent_ends("a", tokens=(10, 5), cost=0.5).tell("manager.lost", task="a", reason="signal 9")
    story.start("a", attempt=2).agent_begins("a").agent_ends("a", tokens=(10, 5), cost=0.5)
    metrics = to_json(story.view, 0)["metrics"]
    assert (metrics["token_usage"], metrics["cost_usd"]) == ({"CODER": 15}, 0.5)


def test_model_without_a_price_has_tokens_and_no_cost() -> None:
    view = Story("a").start("a").agent_begins("a").called("a", usd=None).view
    assert bills.bill(view.spending.total) == "1 call, 1,000 tokens read, 100 written, no price known"
    assert to_json(view, 0)["metrics"]["models"]["claude-sonnet-5-5"]["cost_usd"] is None
    mixed = view.spending.total + Bill(calls=1, read=10, usd=2.0)
    assert bills.cost(mixed) == "2.00 USD and 1,100 tokens without a known price"


def test_answers_from_the_record_cost_nothing() -> None:
    view = Story("a").start("a").agent_begins("a").called("a", source="replayed").view
    assert bills.bill(view.tasks["a"].bill) == "1 call, 1 answered from the record"
    assert view.spending.total.usd == 0


@pytest.mark.parametrize(
    ("usd", "text"), [(0.0, "0.00 USD"), (0.0042, "0.0042 USD"), (0.25, "0.25 USD"), (12.345, "12.35 USD")]
)
def test_small_amounts_have_more_digits(usd: float, text: str) -> None:
    assert bills.dollars(usd) == text


def test_budget_is_spelled() -> None:
    assert bills.limit(Spending(5, 0)) == "5.00 USD"
    assert bills.limit(Spending(5, 2_000_000)) == "5.00 USD or 2,000,000 tokens"


def test_report_says_what_each_model_agent_and_phase_cost() -> None:
    text = "\n".join(figures(asked().view, 0))
    assert "  models             3 calls, 6,200 tokens read (4,000 cached), 250 written, 1.30 USD" in text
    assert "  claude-opus-5-5    1 call, 200 tokens read, 50 written, 1.25 USD" in text
    assert "  sent again         2 times, because the server was busy or away" in text
    assert text.index("  PLANNER            1 call") < text.index("  CODER              2 calls")


def test_markdown_has_a_column_for_the_cost_where_models_were_asked() -> None:
    assert "| seconds | cost | pull request |" in to_markdown(asked().view, 0)
    assert "| 1.30 USD |" in to_markdown(asked().view, 0)
    assert "cost" not in to_markdown(Story("a").view, 0)


def test_explanation_names_tier_cost_and_waiting() -> None:
    lines = explain(asked().view, asked().view.tasks["a"])
    assert "models: 3 calls, 6,200 tokens read (4,000 cached), 250 written, 1.30 USD" in lines
    assert "    deep model: 1 call, 200 tokens read, 50 written, 1.25 USD" in lines
    assert "    waited 2.5 s for models that were busy" in lines


def test_pause_is_told_shown_and_ended() -> None:
    story = asked().tell("model.held", until=None, reason="no answer from the API")
    assert told(story) == "models: waiting (no answer from the API)"
    assert "models: waiting (no answer from the API)" in board(story.view, story.now).total
    story.after(5).tell("model.released")
    assert told(story) == "models: going on"
    assert (story.view.spending.pause, story.view.spending.paused) == (None, 5.0)
    assert "models" not in board(story.view, story.now).total


def test_pause_with_an_end_says_when() -> None:
    assert bills.waits(Pause(0, 60.0, "rate limit")).startswith("models: waiting until ")
    assert bills.waits(Pause(0, 60.0, "rate limit")).endswith(":00 (rate limit)")


def test_spent_budget_of_the_run_says_how_to_go_on() -> None:
    reason = "the budget of 1.00 USD for the run is spent (0.98 USD)"
    story = asked().tell("budget.spent", task="", reason=reason)
    assert told(story) == f"the run: {reason}"
    view = story.end("interrupted").view
    assert closing(view) == [f"stopped: {reason}", "to go on: spinney resume --budget MORE"]


def test_spent_budget_of_a_task_is_told_with_the_task() -> None:
    reason = "the budget of 1.00 USD for a is spent (0.98 USD)"
    view = asked().tell("budget.spent", task="a", reason=reason).end("interrupted").view
    assert closing(view) == [f"a stopped: {reason}", "to go on: spinney resume --task-budget MORE"]
    assert f"stopped: {reason}" in explain(view, view.tasks["a"])


def test_task_that_the_budget_of_the_run_ended_goes_on_with_more_of_that() -> None:
    reason = "the budget of 1.00 USD for this run is too small for the next request"
    view = asked().tell("budget.spent", task="a", reason=reason).end("interrupted").view
    assert closing(view) == [f"a stopped: {reason}", "to go on: spinney resume --budget MORE"]


def test_resumed_run_has_the_budget_that_it_was_given_last() -> None:
    story = asked().tell("budget.spent", task="", reason="x").end("interrupted")
    view = story.tell("run.resumed", jobs=2, budget={"usd": 4.0, "tokens": 0}).view
    assert (view.spending.budget, view.spending.stopped) == ((4.0, 0), "")
    kept = story.tell("run.resumed", jobs=2).view
    assert kept.spending.budget == (4.0, 0)


def test_refusal_of_the_account_is_told() -> None:
    story = asked().tell("model.refused", kind="spend-limit", reason="the account's spend limit is reached")
    assert told(story) == "models: the account's spend limit is reached"
    assert "stopped: the account's spend limit is reached" in closing(story.end("interrupted").view)


def test_try_with_a_better_model_is_told_and_explained() -> None:
    story = Story("a").start("a").agent_begins("a").called("a").after(1).agent_ends("a", ok=False)
    story.agent_begins("a", attempt=2, tier="deep")
    assert told(story) == "a: work / CODER runs again, try 2, with a deep model"
    story.called("a", attempt=2).after(1).agent_ends("a", attempt=2, summary="done now")
    lines = explain(story.view, story.view.tasks["a"])
    assert "  work / CODER (try 2, deep): ok, 1.0 s: done now" in lines


def test_try_with_the_same_model_is_only_counted() -> None:
    story = Story("a").start("a").agent_begins("a").after(1).agent_ends("a", ok=False)
    assert told(story.agent_begins("a", attempt=2)) == "a: work / CODER runs again, try 2"


def test_requests_that_were_not_needed_are_counted() -> None:
    story = Story("a").start("a").agent_begins("a").called("a")
    story.agent_ends(
        "a", counts={"recovery-by-pattern": 2, "plan-from-cache": 1, "bash": 4, "recovery-by-model": 1}
    )
    text = "\n".join(figures(story.view, 0))
    assert "  calls saved        3\n" in text
    assert "2 failed commands brought past by a common cause" in text
    assert "1 failed commands that a model brought past" in text
    assert to_json(story.view, 0)["metrics"]["model_calls_saved"] == 3


def test_warnings_of_an_agent_are_explained() -> None:
    story = (
        Story("a")
        .start("a")
        .agent_begins("a")
        .agent_ends("a", warnings=["to be installed: sudo apt install x"])
    )
    assert "    warning: to be installed: sudo apt install x" in explain(story.view, story.view.tasks["a"])


def test_replay_that_differs_fails_and_is_not_to_be_gone_on_with() -> None:
    story = asked().tell("model.refused", kind="replay", reason="a / CODER asks for something else")
    assert closing(story.end("failed").view) == ["the replay stopped: a / CODER asks for something else"]
