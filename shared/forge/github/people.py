"""Who may write to the repository: asked of GitHub for each person, and again after some minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from shared.forge.github.api import Api
from shared.forge.github.errors import Refused

_WRITING = frozenset({"admin", "maintain", "write"})
_KEPT = 600.0  # seconds: whoever follows pull requests for days must notice that a right was taken away
_LONGEST = 100  # characters of a login; GitHub allows 39, servers of companies add to it


def allowed(told: Mapping[str, Any]) -> bool:
    """What an answer about a person's permission means. Pure.

    ``permission`` is admin, write, read or none: maintainers are told as write, and a role that an organisation made
    itself as what it is based on. ``user.type`` tells people from bots and organisations.
    """
    user = told.get("user") or {}
    return told.get("permission") in _WRITING and user.get("type", "User") == "User"


class People:
    """Answers are kept for ten minutes; asking again costs nothing where nothing has changed."""

    def __init__(self, api: Api, repository: str, now: Callable[[], float] = time.monotonic) -> None:
        self._api, self._path, self._now = api, f"/repos/{repository}/collaborators", now
        self._known: dict[str, tuple[bool, float]] = {}  # and when that was told
        self._asking = threading.Lock()

    def may_write(self, login: str) -> bool:
        """Raises SpinneyError where GitHub does not tell."""
        name = login.casefold()
        if not login or len(login) > _LONGEST or name.endswith("[bot]"):
            return False
        with self._asking:
            known = self._known.get(name)
            if known is None or self._now() - known[1] >= _KEPT:
                known = self._known[name] = self._look_up(login), self._now()
            return known[0]

    def knows(self, login: str) -> bool:
        """Whether that person was ever asked about."""
        return login.casefold() in self._known

    def _look_up(self, login: str) -> bool:
        try:
            return allowed(self._api.get(f"{self._path}/{quote(login, safe='')}/permission"))
        except Refused as error:
            if error.status == 404:  # nobody of that name, or no collaborator
                return False
            raise
