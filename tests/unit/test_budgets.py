from __future__ import annotations

import click
import pytest

from orchestrator.cli.budgets import budget
from orchestrator.composition.models import task_budgets
from shared.model import Spending
from tests.support.build import plan, task


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("5", Spending(usd=5)),
        ("0.25", Spending(usd=0.25)),
        ("5usd", Spending(usd=5)),
        ("500000tokens", Spending(tokens=500_000)),
        ("500ktokens", Spending(tokens=500_000)),
        ("1.5M tokens", Spending(tokens=1_500_000)),
        ("5, 2mtokens", Spending(5, 2_000_000)),
        ("2mtokens,5", Spending(5, 2_000_000)),
    ],
)
def test_budget_is_read(text: str, limit: Spending) -> None:
    assert budget(text) == limit


@pytest.mark.parametrize("text", ["", "0", "-1", "five", "5eur", "5,", "0tokens", "1e9"])
def test_what_is_no_budget_is_told_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is no budget: 5 \(US dollars\), 500ktokens, or both"):
        budget(text)


def test_budget_over_another_keeps_what_it_does_not_limit() -> None:
    assert Spending(usd=10).over(Spending(5, 1000)) == Spending(10, 1000)
    assert Spending().over(Spending(5, 0)) == Spending(5, 0)


def test_budget_of_a_task_is_its_own_before_the_one_for_all_and_what_is_given_comes_first() -> None:
    from dataclasses import replace

    both = plan(replace(task("a"), budget=Spending(usd=1)), task("b"))
    both = replace(both, settings=replace(both.settings, task_budget=Spending(2, 1000)))
    assert task_budgets(both) == {"a": Spending(1, 1000), "b": Spending(2, 1000)}
    assert task_budgets(both, Spending(usd=9)) == {"a": Spending(9, 1000), "b": Spending(9, 1000)}
