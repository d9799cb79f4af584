"""From what was heard of a program, and how its process ended, to a report. Pure.

The exit status is no evidence: with every tool denied it is 0. What counts is what a program says of its end, what it
was denied, and, elsewhere, what lies in the worktree.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.process import End, EndReason
from shared.text import first_sentence, last_line
from workflow_manager.backends.port import AgentReport
from workflow_manager.backends.programs.definition import Definition
from workflow_manager.backends.programs.hearing import Heard

_PAYMENT_REQUIRED = 402  # how the gateway says that nothing more will be answered
_DENIALS = 10  # that are told one by one
_NO_SESSION = ("No conversation found", "already in use")
_BROKEN = ("stream ended early", "StreamTruncated", "Connection to the API was lost", "Connection error")


def report(definition: Definition, heard: Heard, end: End, dropped: int = 0) -> AgentReport:
    """``dropped`` lines of its output were too long to be read."""
    problem = _problem(definition, heard, end)
    spent = heard.status == _PAYMENT_REQUIRED
    return AgentReport(
        ok=not problem,
        summary=heard.summary or ("" if problem else "done"),
        reason=first_sentence(problem, 500),
        warnings=_warnings(heard, end, dropped),
        messages=heard.messages,
        tool_calls=dict(heard.tools),
        final=spent,
        spent=spent,
        cancelled=end.reason is EndReason.CANCELLED,
    )


def _problem(definition: Definition, heard: Heard, end: End) -> str:
    if end.reason is not EndReason.EXITED:
        return str(end)
    if heard.subtype == "error_max_turns":
        return "it used up the requests that one agent may make (models: steps)"
    if heard.problem:
        return heard.problem
    if definition.output == "claude" and not heard.finished:
        return f"it ended without a result, {end}{f': {heard.junk}' if heard.junk else ''}"
    if definition.output != "claude" and not end.ok:
        said = heard.junk or last_line(heard.summary)
        return f"{end}{f': {said}' if said else ''}"
    return ""


def _warnings(heard: Heard, end: End, dropped: int) -> tuple[str, ...]:
    told = [f"it was not allowed: {one}" for one in heard.denied[:_DENIALS]]
    if len(heard.denied) > _DENIALS:
        told.append(f"and {len(heard.denied) - _DENIALS} more uses of tools were not allowed")
    if dropped:
        told.append(f"{dropped} line{'s' * (dropped > 1)} of its output too long to be read")
    if heard.finished and not heard.problem and end.reason is EndReason.EXITED and end.status != 0:
        told.append(f"it said that it had succeeded, and ended with {end}")
    return tuple(told)


def session_lost(heard: Heard) -> bool:
    """Whether it has nothing to go on with, although something looked like it."""
    return heard.messages == 0 and _says(heard, _NO_SESSION)


def broke_off(heard: Heard, end: End) -> bool:
    """Whether only an answer of the model broke off, so that it may go on from there."""
    return end.reason is EndReason.EXITED and heard.status is None and _says(heard, _BROKEN)


def _says(heard: Heard, words: Sequence[str]) -> bool:
    return any(word in text for word in words for text in (heard.problem, heard.junk))
