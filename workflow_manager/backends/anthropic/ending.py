"""What ends a conversation, or a step of it, other than the agent: errors of the API, limits, the user. Pure."""

from __future__ import annotations

from shared.text import first_sentence
from workflow_manager.backends.port import AgentReport

STOP_HEADER = "x-spinney-stop"  # of the gateway, on a request that it refuses for good
_WISHES = frozenset((400, 401, 403, 404, 405, 422))  # a further try would be answered the same way
_TOO_LONG = ("prompt is too long", "context window", "context limit", "too many tokens")


class Ended(Exception):
    """The agent is at its end without having finished."""

    def __init__(self, report: AgentReport) -> None:
        super().__init__(report.reason)
        self.report = report


class BrokenStep(Exception):
    """An answer broke off after its beginning: nothing of it counts, and the step can be sent again."""


class WindowFull(Exception):
    """The conversation does not fit into the model's window any more."""


def failed(reason: str, *, final: bool = False, spent: bool = False) -> Ended:
    return Ended(AgentReport(False, reason=reason, final=final, spent=spent))


def stopped() -> Ended:
    return Ended(AgentReport(False, reason="stopped", cancelled=True))


def timed_out(seconds: float) -> Ended:
    return failed(f"timed out after {seconds:.0f} s")


def judged(status: int, kind: str, message: str, stop: str = "") -> Ended | WindowFull | BrokenStep:
    """What an error of the API means. ``kind`` is its type in the body, ``stop`` the gateway's header.

    The gateway has tried again already whatever is worth it; 200 is an error in the middle of an answer.
    """
    said = first_sentence(message, 300) or kind or "no reason given"
    if stop or status == 402:
        return failed(said, final=True, spent=True)
    if status == 200:
        return BrokenStep(f"the model's answer broke off: {said}")
    if status == 413 or (status == 400 and any(word in message.lower() for word in _TOO_LONG)):
        return WindowFull(said)
    return failed(f"the model API answered {status}: {said}", final=status in _WISHES)
