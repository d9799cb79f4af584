"""What was asked for and is no task of a run, in words and for machines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.model import LeftOut
from shared.text import first_sentence


def to_data(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """For JSON: in reports, plans and the journal."""
    return [
        {
            "issue": entry.source,
            "title": entry.title,
            "reason": entry.reason,
            "url": entry.url,
            "pull_request": entry.pull,
        }
        for entry in left_out
    ]


def of_data(entries: Sequence[dict[str, Any]]) -> tuple[LeftOut, ...]:
    """What ``to_data`` made; from a version that did not write all of it, too."""
    return tuple(
        LeftOut(
            source=entry["issue"],
            title=entry.get("title", ""),
            reason=entry.get("reason", ""),
            pull=entry.get("pull_request"),
            url=entry.get("url", ""),
        )
        for entry in entries
    )


def lines(left_out: Sequence[LeftOut]) -> list[str]:
    """One each, such as ``left out #12 (Fix the login): it is closed``."""
    found = []
    for entry in left_out:
        title = f" ({first_sentence(entry.title, 60)})" if entry.title else ""
        found.append(f"left out {first_sentence(entry.source)}{title}: {first_sentence(entry.reason, 300)}")
    return found
