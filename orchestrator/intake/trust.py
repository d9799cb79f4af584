"""Whether an issue's label says that it may be worked on: who put it on, and what was written since. Pure.

Who lists issues by a label works on whatever has it. In many repositories people who may not write, programs and forms
put labels on, and an issue's author can change its text afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.intake.issue_text import moment
from shared.forge.tracker import IssueSnapshot, Labelling
from shared.text import first_sentence


def distrust(read: IssueSnapshot, label: str, vouches: Callable[[Labelling], bool]) -> str:
    """Why ``read`` is not worked on for its ``label``; empty where it may be.

    ``vouches`` is asked last, and once at most.
    """
    again = f"whoever may write here reads it, takes {label!r} off and puts it on again"
    if label.casefold() not in (one.casefold() for one in read.labels):
        return f"it has no label {label!r}"
    put_on = next((one for one in reversed(read.labelled) if one.label.casefold() == label.casefold()), None)
    if put_on is None:
        return f"who put {label!r} on is too long ago to be told: {again}"
    if not _before(read, put_on):
        return f"its text was written or changed after {label!r} was put on: {again}"
    if not vouches(put_on):
        return f"{first_sentence(put_on.by, 60)}, who put {label!r} on, may not write here: {again}"
    return ""


def _before(read: IssueSnapshot, put_on: Labelling) -> bool:
    """Times are whole seconds: a change in the same one may have come later. A time that cannot be read may, too."""
    try:
        at = moment(put_on.at)
        written = not read.created or moment(read.created) <= at
        return written and (not read.edited or moment(read.edited) < at)
    except ValueError:
        return False
