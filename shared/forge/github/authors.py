"""Whose a pull request is. In public repositories everybody may open one, from any branch that is there.

What is gone on with, brought in, or keeps an issue from being worked on was made with this account, by a program that
may write to pull requests here, or by somebody who may write to the repository now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.forge.github import queries
from shared.forge.github.api import Api
from shared.forge.github.errors import Refused
from shared.forge.github.notes import Notes

_GHOST = "ghost"  # as GitHub calls whoever has no account any more


@dataclass(frozen=True, slots=True)
class Author:
    login: str = _GHOST
    bot: bool = False  # an App, GitHub Actions among them: GitHub tells, names may deceive
    viewer: bool | None = None  # whether it is this account; None: that was not told


Trusts = Callable[[Author], bool]


def of_graphql(node: Mapping[str, Any]) -> Author:
    """By ``author { __typename login }`` and ``viewerDidAuthor``."""
    told = node.get("author") or {}
    return Author(told.get("login") or _GHOST, told.get("__typename") == "Bot", bool(node["viewerDidAuthor"]))


def of_rest(item: Mapping[str, Any]) -> Author:
    told = item.get("user") or {}
    return Author(told.get("login") or _GHOST, told.get("type") == "Bot")


def program_or_viewer(author: Author) -> bool:
    """As far as that is known without asking. Pure."""
    return author.bot or bool(author.viewer)


class Authors:
    def __init__(self, api: Api, may_write: Callable[[str], bool], notes: Notes) -> None:
        """``may_write`` raises Refused where GitHub does not tell."""
        self._api, self._may_write, self._notes = api, may_write, notes
        self._viewer: str | None = None

    def trusts(self, author: Author) -> bool:
        if program_or_viewer(author):
            return True
        if author.login == _GHOST:
            return False
        if author.viewer is None and author.login.casefold() == self._login():
            return True
        try:
            return self._may_write(author.login)
        except Refused:
            self._notes.add(
                "the token may not ask who may write: pull requests of other people do not count as Spinney's"
            )
            return False

    def _login(self) -> str:
        """Of this account; empty where GitHub does not tell."""
        if self._viewer is None:
            try:
                told = self._api.graphql(queries.VIEWER, {}).get("viewer") or {}
            except Refused:
                told = {}
            self._viewer = str(told.get("login", "")).casefold()
        return self._viewer
