"""Getting a batch's issues from GitHub; only who asks for some pays for reaching it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.composition.forges import Opened, open_forge
from orchestrator.intake.asking import ask
from orchestrator.intake.issues import Taken
from orchestrator.intake.references import Reference
from orchestrator.intake.standing import Terms
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.errors import UserError
from shared.forge.github.errors import Refused, Unreachable
from shared.forge.port import PullRequest
from shared.forge.tracker import IssueQuery
from shared.model import Plan, Settings, TaskId


class Intake:
    """Reads issues when it is called, and keeps the forge that was opened for that until it is closed."""

    def __init__(self, place: Place, keys: Mapping[str, str], terms: Terms, waits: Waits = SILENT) -> None:
        self._place, self._keys, self._terms, self._waits = place, keys, terms, waits
        self.opened: Opened | None = None
        self.pulls: Mapping[TaskId, PullRequest] = {}  # of the issues, from earlier runs

    def __call__(self, references: Sequence[Reference], query: IssueQuery, settings: Settings) -> Taken:
        """Raises UserError: whatever went wrong, nothing was started."""
        if settings.forge == "local":
            named = references[0].text if references else "what --label and the like ask for"
            raise UserError(
                f"{named} is an issue on GitHub, and `forge: local` keeps this run away from it",
                "leave the setting out, or say --forge github",
            )
        try:
            self.opened = open_forge(self._place, settings, self._keys, issues=True, waits=self._waits)
            github = self.opened.github
            assert github is not None
            with self._waits.during("asking GitHub for issues"):
                taken, self.pulls = ask(
                    github.tracker, self.opened.forge, github.host, references, query, self._terms
                )
        except (Refused, Unreachable) as error:
            raise UserError(error.message, *error.hints, "nothing was started") from error
        if not taken.tasks:  # otherwise the run says what was noticed
            taken = replace(taken, notes=(*taken.notes, *github.noted()))
        return taken

    def open_for(self, plan: Plan) -> Opened:
        """The forge of a run of ``plan``, which is GitHub's only where a task is from there or the settings say so."""
        issues = any(task.issue for task in plan.tasks)
        if self.opened is not None and (issues or plan.settings.forge == "github"):
            return self.opened
        self.close()
        try:
            self.opened = open_forge(self._place, plan.settings, self._keys, issues=issues, waits=self._waits)
        except (Refused, Unreachable) as error:
            raise UserError(error.message, *error.hints, "nothing was started") from error
        return self.opened

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()
        self.opened = None
