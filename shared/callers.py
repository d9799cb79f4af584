"""Who asks the gateway: tokens that managers make for their agents, and the gateway reads. Pure.

A token names the agent's call and is signed with its task's secret, so that a manager makes one without asking
anybody, and an agent that reads its own can neither be another one nor learn how to be.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from shared.model import AgentName, TaskId, Tier

PREFIX = "spinney-"
_LONGEST = 2000  # characters


@dataclass(frozen=True, slots=True)
class Caller:
    """One execution of an agent."""

    task: TaskId
    phase: str
    agent: AgentName
    attempt: int = 1
    tier: Tier = "balanced"


def mint(secret: str, caller: Caller) -> str:
    """The token of ``caller``, whose task has ``secret``."""
    body = json.dumps(asdict(caller), separators=(",", ":")).encode()
    return f"{PREFIX}{_text(body)}.{_text(_signed(secret, body))}"


def read(token: str, secret_of: Callable[[TaskId], str | None]) -> Caller | None:
    """Who carries ``token``; None where it is not one, or not signed with its task's secret."""
    body, dot, signature = token.removeprefix(PREFIX).partition(".")
    if not token.startswith(PREFIX) or not dot or len(token) > _LONGEST:
        return None
    try:
        claimed, signed = _bytes(body), _bytes(signature)
        caller = Caller(**json.loads(claimed))
        secret = secret_of(caller.task)
    except (ValueError, TypeError):
        return None
    if secret is None or not hmac.compare_digest(_signed(secret, claimed), signed):
        return None
    return caller


def _signed(secret: str, body: bytes) -> bytes:
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
