from __future__ import annotations

import pytest

from shared.errors import (
    GitError,
    Interrupted,
    InvalidInput,
    Problem,
    RepositoryHeld,
    SpinneyError,
    StateError,
    UserError,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (SpinneyError, 1),
        (GitError, 1),
        (StateError, 1),
        (UserError, 2),
        (RepositoryHeld, 3),
        (Interrupted, 4),
    ],
)
def test_every_kind_of_error_has_its_exit_code(kind: type[SpinneyError], code: int) -> None:
    error = kind("it went wrong", "do this", "or that")
    assert error.exit_code == code
    assert (str(error), error.message, error.hints) == (
        "it went wrong",
        "it went wrong",
        ("do this", "or that"),
    )


def test_wrong_input_is_a_wrong_request() -> None:
    assert InvalidInput([Problem("f", 1, 1, "x")]).exit_code == 2


def test_problem_says_where_what_and_what_to_do() -> None:
    assert str(Problem("b.yaml", 3, 5, "unknown key 'x'", "did you mean 'y'?")) == (
        "b.yaml:3:5: unknown key 'x' (did you mean 'y'?)"
    )
    assert str(Problem("b.yaml", 3, 5, "wrong")) == "b.yaml:3:5: wrong"
    assert (
        str(Problem("b.yaml", 0, 0, "not UTF-8", "save it as UTF-8"))
        == "b.yaml: not UTF-8 (save it as UTF-8)"
    )


def test_problems_are_sorted_by_place_and_told_once() -> None:
    late, early, other = Problem("b", 10, 1, "x"), Problem("b", 9, 1, "y"), Problem("a", 99, 1, "z")
    error = InvalidInput([late, other, early, late])
    assert error.problems == [other, early, late]
    assert error.message == "3 problems in the input; nothing was started"
    assert InvalidInput([late]).message == "1 problem in the input; nothing was started"
