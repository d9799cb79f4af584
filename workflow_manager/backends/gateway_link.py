"""The manager's side of the gateway: how an agent's requests stand, what they cost, and ending them.

Only the standard library, and never an error: a gateway that does not answer says nothing about the agent.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from shared.model import GatewayAccess, Tokens, Usage

_SECONDS = 5.0  # it is on this machine


@dataclass(frozen=True, slots=True)
class Standing:
    """The open requests of one execution of an agent."""

    in_flight: int  # a sign of life where it is not 0
    held_seconds: float  # for which it was kept waiting so far in all, which is not its fault
    waiting_for: str  # empty where nothing is waited for


class GatewayLink:
    """For the one execution of an agent that ``token`` names."""

    def __init__(self, access: GatewayAccess, token: str) -> None:
        self._address, self._token = urlsplit(access.url).netloc, token

    def standing(self) -> Standing | None:
        """None where the gateway does not answer."""
        said = self._ask("GET", "/spinney/standing")
        if said is None:
            return None
        held = float(said.get("held_seconds", 0.0))
        return Standing(int(said.get("in_flight", 0)), held, str(said.get("waiting_for", "")))

    def usage(self, *, phase: str = "", task: bool = False) -> Usage:
        """Of this execution, of its task's ``phase``, or of the whole ``task``."""
        query = f"?phase={quote(phase)}" if phase else "?task=1" if task else ""
        said = self._ask("GET", "/spinney/usage" + query) or {}
        names = ("input", "output", "cache_write", "cache_write_1h", "cache_read")
        tokens = Tokens(*(int(said.get(name, 0)) for name in names))
        return Usage(tokens, said.get("cost_usd", 0.0), int(said.get("calls", 0)))

    def cancel(self) -> None:
        """End all requests that are open now."""
        self._ask("POST", "/spinney/cancel")

    def _ask(self, method: str, path: str) -> Mapping[str, Any] | None:
        connection = http.client.HTTPConnection(self._address, timeout=_SECONDS)
        try:
            connection.request(method, path, headers={"x-api-key": self._token})
            response = connection.getresponse()
            said = json.loads(response.read()) if response.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        return said if isinstance(said, dict) else None
