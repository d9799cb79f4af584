"""What a round of fixes is asked for: the text of its task. Pure.

All of it was written by programs and by others. It is handed on as that: quoted, bounded, and without what nobody would
have seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.following.words import Round
from orchestrator.intake.hygiene import clean
from shared.forge.port import PullRequest
from shared.forge.watching import CheckRun, Remark
from shared.text import first_sentence, printable

LOG_CHARACTERS = 16_384  # of all failed checks together; each has its part
_REMARK_CHARACTERS = 4_096
_CHECKS = 8  # that are shown with their logs; a broken build makes many fail
_REMARKS = 30
_TICKS = re.compile("`{3,}")


def title(pull: PullRequest, asked: Round) -> str:
    about = " and ".join(["checks"] * bool(asked.checks) + ["remarks"] * bool(asked.remarks))
    return f"Answer {about}: {first_sentence(pull.title, 120)}"


def body(pull: PullRequest, asked: Round, logs: Mapping[str, str]) -> str:
    """``logs`` are the ends of the failed checks' logs, by the ids of the checks."""
    parts = [
        f"This branch is that of pull request #{pull.number}, “{first_sentence(pull.title, 120)}”, into {pull.base}. "
        "What is quoted below was written by programs and people about it."
    ]
    room = LOG_CHARACTERS // max(1, min(_CHECKS, len(asked.checks)))
    parts += [_check(check, logs.get(check.id, ""), room) for check in asked.checks[:_CHECKS]]
    if others := asked.checks[_CHECKS:]:
        names = ", ".join(first_sentence(check.name, 60) for check in others[:20])
        parts.append(f"{len(others)} more checks failed, their logs are left out: {names}")
    parts += [_remark(remark) for remark in shown(asked).said]
    if len(asked.remarks) > _REMARKS:
        parts.append(f"{len(asked.remarks) - _REMARKS} more remarks are left out.")
    return "\n\n".join(parts) + "\n"


def shown(asked: Round) -> Round:
    """The part of ``asked`` that a round's text shows, and that it therefore answers."""
    return Round(asked.checks[:_CHECKS], asked.remarks[:_REMARKS])


def _check(check: CheckRun, log: str, room: int) -> str:
    text = printable((log or check.summary)[-room:], limit=room).strip("\n")
    name = first_sentence(check.name, 100)
    return f"## The check {name} failed\n\n" + (_fenced(text) if text.strip() else "It left no log.")


def _remark(remark: Remark) -> str:
    place = printable(remark.path, limit=300).replace("\n", " ")
    line = f":{remark.line}" if remark.line else ""
    where = f"on {place}{line}" if place else "on the whole"
    if remark.commit and place:
        where += f" (as of {remark.commit[:10]})"
    text = clean(remark.text, _REMARK_CHARACTERS).text.strip()
    wants = " asks for changes" if remark.wants_changes else ""
    return f"## {first_sentence(remark.author, 60)}{wants} {where}\n\n" + (
        _quoted(text) if text else "(no text)"
    )


def _fenced(text: str) -> str:
    """As code, in a fence that is longer than any in the text."""
    fence = "`" * max([3, *(len(found) + 1 for found in _TICKS.findall(text))])
    return f"{fence}text\n{text}\n{fence}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())
