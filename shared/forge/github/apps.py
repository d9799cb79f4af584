"""A GitHub App's tokens: asked for with a signed statement who it is, good for an hour, made anew before they end.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.clock import Clock
from shared.errors import UserError
from shared.forge.github.api import Api
from shared.forge.github.auth import App, Auth
from shared.forge.github.errors import AnswerLost, Refused, Unreachable

_AHEAD = 300.0  # seconds before a token's end at which there is a new one
_SHORTEST = 60.0  # seconds that a token is used, whatever clocks say


class DatedApi(Api, Protocol):
    """A client that knows what time it is at GitHub."""

    def now(self) -> float:
        """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the App signs, good for some minutes: for asking for tokens, and for nothing else."""

    app: App

    @property
    def source(self) -> str:
        return self.app.source

    def token(self) -> str:
        import jwt
        from gidgethub.apps import get_jwt

        try:
            return get_jwt(app_id=self.app.id, private_key=self.app.key)
        except (ValueError, TypeError, jwt.PyJWTError):
            raise UserError(
                f"the private key of {self.app.source} is none",
                "the file that its page offers begins with -----BEGIN",
            ) from None


@dataclass(slots=True, eq=False)
class Installation:
    """The App where it is installed. Safe for several threads."""

    app: App
    repository: str  # owner/name, whose installation it is
    open: Callable[[Auth], DatedApi] = field(repr=False)  # a client that asks as the App itself
    clock: Clock = field(repr=False)
    _token: str = field(default="", init=False, repr=False)
    _good_until: float = field(default=0.0, init=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _api: DatedApi | None = field(default=None, init=False, repr=False)

    @property
    def source(self) -> str:
        return self.app.source

    def token(self) -> str:
        with self._making:
            if self.clock.monotonic() >= self._good_until:
                self._renew()
            return self._token

    def _renew(self) -> None:
        api = self._api = self._api or self.open(Statement(self.app))
        number = self.app.installation or self._installation(api)
        path = f"/app/installations/{number}/access_tokens"
        try:
            made = api.send("POST", path)
        except AnswerLost:  # one too many does no harm: it ends by itself
            made = api.send("POST", path)
        self._token = _text(made, "token")
        self._good_until = self.clock.monotonic() + max(self._lasts(api, made) - _AHEAD, _SHORTEST)

    @staticmethod
    def _lasts(api: DatedApi, made: object) -> float:
        """Seconds, by GitHub's clock."""
        try:
            end = datetime.fromisoformat(_text(made, "expires_at")).timestamp()
        except ValueError:
            raise Unreachable("GitHub does not say how long its token is good") from None
        return end - api.now()

    def _installation(self, api: Api) -> str:
        try:
            found: Any = api.get(f"/repos/{self.repository}/installation")
        except Refused as error:
            if error.status == 404:
                raise UserError(
                    f"{self.source} is not installed where it could see {self.repository}",
                    "install it there, or name the installation: github: {installation: '…'}",
                ) from None
            raise
        return str(found["id"])


def _text(made: object, name: str) -> str:
    value = made.get(name) if isinstance(made, dict) else None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise Unreachable("GitHub's answer holds no token")
    return value
