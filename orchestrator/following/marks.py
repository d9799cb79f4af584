"""Our own marks on commits, as a run left them and as rounds leave them. Pure.

A run says of a branch that conflicts with other work of its batch: ``3 phases, conflict: with issue-14``. That is no
failure that a round on this branch could mend, and it does not end because a round went well.
"""

from __future__ import annotations

import re

from orchestrator.following.words import MARK
from shared.forge.tracker import CommitState
from shared.forge.watching import CheckRun
from shared.text import first_sentence

_LONGEST = 140  # characters that GitHub keeps
_STILL = "in conflict still; "
_CONFLICT = re.compile(rf"\A(?:\d+ phases?, conflict\b|{re.escape(_STILL)})")
_ROUND = re.compile(r"round \d+ of fixes")


def of_round(number: int, reason: str, *, conflict: bool) -> tuple[CommitState, str]:
    """What is marked after a round; ``reason`` is why it did not go well, ``conflict`` what was marked before it."""
    words = (_STILL if conflict else "") + (reason or f"round {number} of fixes")
    return "failure" if reason or conflict else "success", first_sentence(words, _LONGEST)


def says_conflict(check: CheckRun) -> bool:
    return check.name == MARK and check.state == "failed" and bool(_CONFLICT.match(check.summary))


def only_conflict(check: CheckRun) -> bool:
    """Whether there is nothing beside the conflict that a round could answer."""
    said = check.summary.removeprefix(_STILL)
    return says_conflict(check) and (said == check.summary or bool(_ROUND.match(said)))
