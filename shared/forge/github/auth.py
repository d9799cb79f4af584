"""Whom we are to GitHub: a token, where it comes from, and an App's, which is made anew before it ends.

A token is in the orchestrator's memory and in the requests to its own host: in no command line, log or message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Auth(Protocol):
    @property
    def source(self) -> str:
        """Where the token comes from, for people."""

    def token(self) -> str:
        """One that is good now. Raises SpinneyError where none is to be had."""


@dataclass(frozen=True, slots=True)
class Given:
    """A token that lasts as long as we do, as far as anybody knows."""

    value: str = field(repr=False)
    source: str

    def token(self) -> str:
        return self.value
