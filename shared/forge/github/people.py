"""Who may write to the repository: asked of GitHub, once a run for each person."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from shared.forge.github.api import Api
from shared.forge.github.errors import Refused

_WRITING = frozenset({"admin", "maintain", "write"})
_LONGEST = 100  # characters of a login; GitHub allows 39, servers of companies add to it


def allowed(told: Mapping[str, Any]) -> bool:
    """What an answer about a person's permission means. Pure.

    ``permission`` is admin, write, read or none: maintainers are told as write, and a role that an organisation made
    itself as what it is based on. ``user.type`` tells people from bots and organisations.
    """
    user = told.get("user") or {}
    return told.get("permission") in _WRITING and user.get("type", "User") == "User"


class People:
    """Answers are kept for the run: a right that is taken away meanwhile counts from the next one on."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api, self._path = api, f"/repos/{repository}/collaborators"
        self._known: dict[str, bool] = {}
        self._asking = threading.Lock()

    def may_write(self, login: str) -> bool:
        """Raises SpinneyError where GitHub does not tell."""
        name = login.casefold()
        if not login or len(login) > _LONGEST or name.endswith("[bot]"):
            return False
        with self._asking:
            if name not in self._known:
                self._known[name] = self._look_up(login)
            return self._known[name]

    def knows(self, login: str) -> bool:
        return login.casefold() in self._known

    def _look_up(self, login: str) -> bool:
        try:
            return allowed(self._api.get(f"{self._path}/{quote(login, safe='')}/permission"))
        except Refused as error:
            if error.status == 404:  # nobody of that name, or no collaborator
                return False
            raise
