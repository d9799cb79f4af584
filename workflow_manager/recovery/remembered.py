"""What helped before, for this repository: proposals by the signature of the trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow_manager.recovery.proposals import Failure, Proposal
from workflow_manager.remembering import Entry, Remembered

_MOST = 200
_FILE = "recoveries.jsonl"


class Recoveries:
    """Kept in ``folder``, and read in ``recall`` where that is another one; nothing is kept where there is none."""

    def __init__(self, folder: Path | None, recall: Path | None = None) -> None:
        self._file = Remembered(folder / _FILE, _MOST) if folder is not None else None
        self._before = Remembered(recall / _FILE, _MOST) if recall is not None else self._file

    def known(self, signature: str, failure: Failure) -> tuple[Proposal, ...]:
        """What helped with this before, the most often first. What replaced a command is for that command only."""
        if self._before is None or not signature:
            return ()
        mine = [entry for entry in self._before.entries() if entry.get("signature") == signature]
        fitting = [entry for entry in mine if _fits(entry, failure.command)]
        fitting.sort(key=_worked, reverse=True)
        return tuple(_proposal(entry) for entry in fitting)

    def worked(self, signature: str, failure: Failure, proposal: Proposal) -> None:
        """Remember that ``proposal`` helped; a mere pause is nothing to remember."""
        if self._file is None or not signature or not (proposal.before or proposal.instead):
            return
        entry: dict[str, Any] = {
            "signature": signature,
            "why": proposal.why,
            "before": proposal.before,
            "instead": proposal.instead,
            "command": failure.command if proposal.instead else "",
            "by_model": proposal.by_model,
        }
        same = ("signature", "before", "instead", "command")

        def replaces(old: Entry) -> bool:
            return all(old.get(key) == entry[key] for key in same)

        times = sum(_worked(old) for old in self._file.entries() if replaces(old))
        self._file.put(entry | {"worked": times + 1}, replaces)


def _worked(entry: Entry) -> int:
    times = entry.get("worked")
    return times if isinstance(times, int) else 0


def _fits(entry: Entry, command: str) -> bool:
    texts = [entry.get(key) for key in ("why", "before", "instead", "command")]
    if not all(isinstance(text, str) for text in texts):
        return False
    return not entry["instead"] or entry["command"] == command


def _proposal(entry: Entry) -> Proposal:
    # Whoever proposed what nobody is named for may have been a model.
    return Proposal(
        entry["why"],
        before=entry["before"],
        instead=entry["instead"],
        by_model=entry.get("by_model") is not False,
    )
