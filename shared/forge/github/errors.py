"""What can go wrong with GitHub, for those who call it."""

from __future__ import annotations

from shared.errors import SpinneyError
from shared.forge.errors import AnswerLost

__all__ = ["AnswerLost", "Refused", "TooMuch", "Unreachable"]


class Refused(SpinneyError):
    """GitHub says no. ``status`` is that of HTTP; 200 for an error of GraphQL."""

    prefix = "github"

    def __init__(self, status: int, message: str, *hints: str, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message, *hints)
        self.status = status
        self.codes = codes  # of the fields that were refused, such as ``already_exists``


class Unreachable(SpinneyError):
    """Nothing was done: no network, or GitHub was out for longer than there was patience."""

    prefix = "github"


class TooMuch(Unreachable):
    """One question asked for more than GitHub tells at once, or than is taken: a smaller one may be answered."""
