"""Run folders: one a run below git's own directory, with the plan, the journal and everything that was logged."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.view import RunView
from shared import journal
from shared.errors import StateError, UserError
from shared.files import replace_file
from shared.git.repository import STATE_FOLDER, discover
from shared.model import Plan, RepositoryFacts, RunId

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Place:
    """A repository and where Spinney keeps things for it."""

    git_dir: Path
    checkout: Path

    @property
    def state(self) -> Path:
        return self.git_dir / STATE_FOLDER

    @property
    def worktrees(self) -> Path:
        """Beside the checkout; in the user's cache where that folder cannot be written."""
        beside = self.checkout.with_name(self.checkout.name + ".spinney")
        if beside.is_dir() or os.access(self.checkout.parent, os.W_OK):
            return beside
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        digest = hashlib.sha256(str(self.checkout).encode()).hexdigest()[:8]
        return cache / "spinney" / f"{self.checkout.name}-{digest}"

    def facts(self, run: RunId) -> RepositoryFacts:
        return RepositoryFacts(
            str(self.git_dir), str(self.checkout), str(self.worktrees), str(self.run_dir(run))
        )

    def run_dir(self, run: str) -> Path:
        return self.state / "runs" / run

    # --- runs

    def runs(self) -> list[RunId]:
        """Oldest first; ids begin with the time."""
        folders = (self.state / "runs").glob("*")
        return sorted(RunId(path.name) for path in folders if journal.begun(path / "journal.jsonl"))

    def latest(self) -> RunId:
        """A round of ``follow`` only where there is nothing else: it answers something about an earlier run."""
        runs = self.runs()
        if not runs:
            raise UserError("nothing has been run in this repository yet", "start with: spinney run")
        return next((run for run in reversed(runs) if not self._is_round(run)), runs[-1])

    def _is_round(self, run: RunId) -> bool:
        return bool((journal.first(self.run_dir(run) / "journal.jsonl") or {}).get("round"))

    def pick(self, run: str | None) -> RunId:
        """The run that ``run`` names, whole or by its beginning; the latest where it is None."""
        if run is None:
            return self.latest()
        found = [known for known in self.runs() if known.startswith(run)]
        if len(found) != 1:
            what = "there is no run" if not found else "several runs begin with"
            raise UserError(f"{what} {run!r}", f"runs: {', '.join(self.runs()[-5:]) or 'none'}")
        return found[0]

    def create(self, run: RunId, plan: Plan) -> Path:
        folder = self.run_dir(run)
        folder.mkdir(parents=True)
        replace_file(
            folder / "plan.json", json.dumps(asdict(plan), indent=1, ensure_ascii=False), durable=True
        )
        return folder

    def plan(self, run: RunId) -> Plan:
        path = self.run_dir(run) / "plan.json"
        try:
            return _plans().validate_json(path.read_bytes())
        except FileNotFoundError:
            raise StateError(
                f"{path} is missing", "start a new run; --continue starts from its branches"
            ) from None
        except ValueError as error:
            raise StateError(
                f"{path} was written by another version of Spinney, or is damaged: {error}"
            ) from None

    def view(self, run: RunId) -> RunView:
        return RunView.of(journal.read(self.run_dir(run) / "journal.jsonl"))

    def status(self, run: RunId) -> str:
        """The run's status, or ``damaged`` where its journal cannot be read: that must not stop other runs."""
        try:
            return self.view(run).status
        except StateError:
            return "damaged"

    def remove(self, run: RunId) -> None:
        shutil.rmtree(self.run_dir(run))


@cache
def _plans() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter  # takes as long as everything else that a look at a run needs

    return TypeAdapter(Plan)  # building its schema takes 20 ms, and only resume reads plans


def find_place(cwd: Path) -> Place:
    return Place(*discover(cwd))


def new_run_id(now: float) -> RunId:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return RunId(f"{stamp}-{secrets.token_hex(2)}")
