from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.rules.ledger import Charge, Fits, Ledger, MustWait, TooMuch, Worst
from orchestrator.gateway.rules.prices import Prices
from shared.callers import Caller
from shared.model import AgentName, Price, Spending, TaskId, Tokens, Usage

PRICES = Prices([Price("m", 1_000_000.0, 1_000_000.0)])  # a dollar a token
A, B = TaskId("a"), TaskId("b")
CODER = Caller(A, "build", AgentName("CODER"))
OTHER = Caller(B, "build", AgentName("CODER"))


def ledger(usd: float = 0.0, tokens: int = 0, spent: tuple[Charge, ...] = (), **tasks: Spending) -> Ledger:
    budgets = {TaskId(name): budget for name, budget in tasks.items()}
    return Ledger(PRICES, Spending(usd, tokens), budgets, spent)


def worst(amount: int) -> Worst:
    return Worst(amount, float(amount))


def test_without_budgets_everything_fits() -> None:
    assert ledger().look(CODER, Worst(10**9, None)) == Fits()


def test_request_that_fits_exactly_is_sent() -> None:
    assert ledger(usd=5).look(CODER, worst(5)) == Fits()
    assert ledger(tokens=5).look(CODER, worst(5)) == Fits()


def test_request_that_can_never_fit_is_refused_with_the_figures() -> None:
    books = ledger(usd=5)
    books.charge(CODER, "m", Tokens(input=3))
    assert books.look(CODER, worst(3)) == TooMuch(
        TaskId(""),
        "the budget of this run is used up: $3.00 of $5 are spent, and the next request may need $3.00",
    )


def test_request_that_is_large_ends_only_its_own_task() -> None:
    books = ledger(usd=5)
    large = "the budget of 5.00 USD for this run is too small for the next request, which may cost 9.00 USD"
    assert books.look(CODER, worst(9), worst(5)) == TooMuch(A, f"{large} (0.00 USD are spent)")


@pytest.mark.parametrize(
    ("asked", "modest", "ended"),
    [
        (worst(9), worst(6), ""),  # nobody can work with what is left
        (worst(9), worst(5), "a"),
        (Worst(9, None), Worst(1, None), "a"),  # others use other models
    ],
)
def test_run_ends_where_a_modest_request_does_not_fit_either(asked: Worst, modest: Worst, ended: str) -> None:
    refused = ledger(usd=5).look(CODER, asked, modest)
    assert isinstance(refused, TooMuch)
    assert refused.task == ended


@pytest.mark.parametrize(
    ("books", "reason"),
    [
        (
            ledger(usd=1, a=Spending(usd=0.5)),
            "the budget of 1.00 USD for this run is too small for the next request, "
            "which may cost 3.00 USD (0.00 USD are spent)",
        ),
        (
            ledger(a=Spending(tokens=2)),
            "the budget of 2 tokens for task a is too small for the next request, which may use 3 (0 are used)",
        ),
    ],
)
def test_budget_of_which_little_is_spent_is_called_too_small(books: Ledger, reason: str) -> None:
    refused = books.look(CODER, worst(3))
    assert isinstance(refused, TooMuch)
    assert refused.reason == reason


def test_tokens_are_a_budget_of_their_own() -> None:
    books = ledger(a=Spending(tokens=10))
    books.charge(CODER, "m", Tokens(1, 2, 3, 1, 1))
    assert books.look(CODER, worst(3)) == TooMuch(
        A, "the budget of task a is used up: 8 of 10 tokens are used, and the next request may need 3"
    )
    assert books.look(OTHER, worst(3)) == Fits()


def test_request_waits_for_those_on_their_way_and_goes_when_they_turn_out_cheaper() -> None:
    books = ledger(usd=10)
    held = books.reserve(CODER, worst(8))
    assert books.look(OTHER, worst(5)) == MustWait()
    books.charge(CODER, "m", Tokens(output=2))
    books.release(held)
    assert books.look(OTHER, worst(5)) == Fits()


def test_request_is_refused_where_nothing_on_its_way_could_make_room() -> None:
    books = ledger(usd=10)
    books.charge(CODER, "m", Tokens(output=6))
    books.reserve(CODER, worst(3))
    assert isinstance(books.look(OTHER, worst(5)), TooMuch)


def test_model_without_a_price_works_without_a_budget_in_dollars_only() -> None:
    unknown = Worst(10, None)
    assert ledger(tokens=100).look(CODER, unknown) == Fits()
    refused = ledger(usd=100).look(CODER, unknown)
    assert isinstance(refused, TooMuch)
    assert "has no price" in refused.reason


def test_what_earlier_sessions_spent_counts() -> None:
    fields = {
        "task": "a", "phase": "build", "agent": "CODER", "attempt": 1, "model": "m", "status": 200,
        "input_tokens": 4, "output_tokens": 1, "cache_write_tokens": 0, "cache_write_1h_tokens": 0,
        "cache_read_tokens": 0, "cost_usd": 5.0, "seconds": 1.0, "held": 0.0, "tries": 1, "complete": True,
    }  # fmt: skip
    books = ledger(usd=6, spent=(Charge.of_event(fields),))
    assert isinstance(books.look(CODER, worst(2)), TooMuch)
    assert books.of_call(CODER) == Usage(Tokens(input=4, output=1), 5.0, 1)


def test_what_earlier_sessions_may_have_spent_counts_against_budgets_only() -> None:
    fields = {
        "task": "a", "phase": "build", "agent": "CODER", "attempt": 1, "model": "m", "status": 499,
        "input_tokens": 1, "output_tokens": 0, "cache_write_tokens": 0, "cache_write_1h_tokens": 0,
        "cache_read_tokens": 0, "cost_usd": 1.0, "seconds": 1.0, "held": 0.0, "tries": 1, "complete": False,
        "reserved_tokens": 4, "reserved_usd": 4.0,
    }  # fmt: skip
    charges = Charge.of_event(fields), Charge.of_event(fields | {"reserved_usd": None})
    books = ledger(usd=7, tokens=12, spent=charges)
    assert books.of_run() == Usage(Tokens(input=2), 2.0, 2)
    assert books.look(CODER, worst(1)) == Fits()
    assert isinstance(books.look(CODER, worst(2)), TooMuch)


def test_usage_is_added_up_by_call_phase_task_and_run() -> None:
    books = ledger()
    books.charge(CODER, "m", Tokens(input=1))
    books.charge(CODER, "m", Tokens(input=2))
    books.charge(Caller(A, "build", AgentName("CODER"), attempt=2), "m", Tokens(input=4))
    books.charge(Caller(A, "check", AgentName("TESTER")), "m", Tokens(output=8))
    books.charge(OTHER, "m", Tokens(cache_read=16))
    assert books.of_call(CODER) == Usage(Tokens(input=3), 3.0, 2)
    assert books.of_phase(A, "build") == Usage(Tokens(input=7), 7.0, 3)
    assert books.of_task(A) == Usage(Tokens(input=7, output=8), 15.0, 4)
    assert books.of_run().tokens == Tokens(input=7, output=8, cache_read=16)


def test_sum_with_a_model_without_a_price_has_no_cost_but_tokens() -> None:
    books = ledger()
    books.charge(CODER, "m", Tokens(input=1))
    assert books.charge(CODER, "unknown", Tokens(input=2)).cost is None
    assert books.of_call(CODER) == Usage(Tokens(input=3), None, 2)


def test_what_a_cut_answer_did_not_say_counts_against_budgets_only() -> None:
    books = ledger(usd=10)
    books.charge(CODER, "m", Tokens(input=1, output=1))
    books.suspect(CODER, books.unsaid("m", 6))
    assert books.of_run() == Usage(Tokens(input=1, output=1), 2.0, 1)
    assert isinstance(books.look(CODER, worst(3)), TooMuch)


@given(st.integers(1, 50), st.integers(0, 2**32), st.lists(st.integers(1, 12), min_size=1, max_size=40))
def test_no_budget_is_ever_passed_however_many_are_on_their_way(
    budget: int, seed: int, wishes: list[int]
) -> None:
    books, chance = ledger(usd=budget, a=Spending(usd=budget / 2)), random.Random(seed)
    on_their_way = []
    for wish in wishes:
        caller = chance.choice([CODER, OTHER])
        if books.look(caller, worst(wish)) == Fits():
            on_their_way.append((wish, books.reserve(caller, worst(wish))))
        if on_their_way and chance.random() < 0.5:
            most, held = on_their_way.pop(chance.randrange(len(on_their_way)))
            books.charge(held.caller, "m", Tokens(output=chance.randint(0, most)))
            books.release(held)
    for most, held in on_their_way:
        books.charge(held.caller, "m", Tokens(output=most))
        books.release(held)
    assert (books.of_run().cost_usd or 0.0) <= budget
    assert (books.of_task(A).cost_usd or 0.0) <= budget / 2


@pytest.mark.parametrize("tokens", [Tokens(), Tokens(input=5)])
def test_released_room_is_there_again(tokens: Tokens) -> None:
    books = ledger(usd=10)
    for _ in range(3):
        held = books.reserve(CODER, worst(10))
        books.release(held)
    assert books.look(CODER, worst(10)) == Fits()
