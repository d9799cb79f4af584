"""What following says on a pull request: one comment, edited in place. Pure."""

from __future__ import annotations

from typing import assert_never

from orchestrator.following.rules import what
from orchestrator.following.words import (
    Decision,
    Land,
    Left,
    Over,
    Policy,
    Ready,
    Record,
    Restack,
    Round,
    Send,
    Wait,
)
from orchestrator.publishing.markdown import inline


def marker(number: int) -> str:
    return f"spinney-follow:{number}"


def comment(record: Record, decision: Decision, policy: Policy) -> str:
    """Empty where there is nothing to be told: no round yet, and nothing that people have to know, or had to."""
    left = ""
    if isinstance(decision, Left) and decision.told:
        left = f"Left to people: {inline(decision.why, 400)}."
    lines = [_round(number, record, policy) for number in range(1, len(record.rounds) + 1)]
    if not lines and not left:
        return "Nothing is left to people any more.\n" if record.said else ""
    return "\n".join([*lines, *([""] if lines and left else []), *([left] if left else []), ""])


def _round(number: int, record: Record, policy: Policy) -> str:
    answers, commit = list(record.rounds.items())[number - 1]
    checks = sum(answer.startswith("check:") for answer in answers)
    remarks = len(answers) - checks
    about = " and ".join(
        _counted(n, word) for n, word in ((checks, "failed check"), (remarks, "remark")) if n
    )
    done = f"{commit[:10]} answers" if commit else "nothing was changed about"
    return f"- Round {number} of {max(number, policy.rounds)}: {done} {about}."


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def line(decision: Decision) -> str:
    """The decision in a few words, for a terminal."""
    match decision:
        case Wait(why):
            return f"waits {why}" if why.startswith("for ") else f"waits: {why}"
        case Left(why):
            return f"left to people: {why}"
        case Ready():
            return "ready to be merged, which is left to people"
        case Round():
            return f"a round of fixes: {what(decision)}"
        case Send(tip):
            return f"a round's commit {tip[:10]} is sent"
        case Restack(base, why):
            return f"is brought onto {base}: {why}"
        case Land(way):
            return {"auto": "auto-merge is asked for", "queue": "goes into the merge queue"}.get(
                way, "is merged"
            )
        case Over(why):
            return why
        case _:
            assert_never(decision)
