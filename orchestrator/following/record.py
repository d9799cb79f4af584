"""What was answered, as words of a commit's trailer and as the text of a commit that a ref of ours keeps. Pure.

The trailer ``Spinney-Answers`` of a round's commit says which checks and remarks it answers. A round that changed
nothing has no commit, and people may take one off their branch again: so the same words are kept on
``refs/spinney/answers/…``, too, together with what was said last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import quote

from orchestrator.following.words import Answers, Record
from shared.forge.watching import CheckRun, Remark
from shared.model import Oid

REFS = "refs/spinney/answers/"
_ANSWERS, _SAID = "Answers", "Said"
_KEPT = 200  # rounds; nobody allows more


def key(of: CheckRun | Remark) -> str:
    """A word without spaces, the same for the same execution of a check and for the same remark."""
    kind = "check" if isinstance(of, CheckRun) else "remark"
    return f"{kind}:{quote(of.id, safe='/:=+._-')}"


def words(text: str) -> Answers:
    """What a trailer says."""
    return frozenset(text.split())


def read(text: str, commits: Mapping[Answers, Oid]) -> Record:
    """What the kept ``text`` and the branch's ``commits`` say together; the text may be empty."""
    rounds: dict[Answers, Oid | None] = {}
    said = ""
    for line in text.splitlines()[: _KEPT + 8]:
        name, _, value = line.partition(": ")
        if name == _ANSWERS and words(value):
            rounds[words(value)] = None
        elif name == _SAID:
            said = value.strip()
    return Record(rounds | {answers: oid for answers, oid in commits.items() if answers}, said)


def write(record: Record) -> str:
    """The text to keep."""
    kept = list(record.rounds)[-_KEPT:]
    lines = [f"{_ANSWERS}: {' '.join(sorted(answers))}" for answers in kept]
    return "\n".join(["What was answered on a pull request", "", *lines, f"{_SAID}: {record.said}", ""])


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
