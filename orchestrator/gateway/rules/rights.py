"""Whether a refusal is about the key, and so about everybody, or about what one agent asked for. Pure.

A server, or a firewall before it, forbids requests for what is in them as well. One agent must not be able to end the
run for the others by that, so it takes a second one, and nobody who was ever answered.
"""

from __future__ import annotations

from orchestrator.gateway.rules.outcomes import Answered, BadKey, ClientFault, Outcome
from shared.callers import Caller
from shared.model import AgentName, TaskId


class Rights:
    """What earlier answers say of the key's rights; of requests that are paid for, as a list of models says nothing."""

    def __init__(self) -> None:
        self._answered = False
        self._refused: set[tuple[TaskId, AgentName]] = set()

    def judge(self, outcome: Outcome, caller: Caller) -> Outcome:
        """What ``outcome`` of a request of ``caller`` means, seen with those before it."""
        if isinstance(outcome, Answered):
            self._answered = True
        if not isinstance(outcome, BadKey) or outcome.sure:
            return outcome
        self._refused.add((caller.task, caller.agent))
        return ClientFault(outcome.reason) if self._answered or len(self._refused) < 2 else outcome
