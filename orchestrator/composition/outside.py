"""What a run needs where its forge is not this repository: lock, branches and the base of pull requests there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.composition.forges import GitHub, Opened, open_forge
from orchestrator.composition.parts import current_branch
from orchestrator.composition.pull_templates import template_at
from orchestrator.composition.ready import Ready
from orchestrator.going_on import Standing, look_at, narrowed
from orchestrator.publishing import marker
from orchestrator.publishing.delivery import Elsewhere
from orchestrator.remote_lock import RemoteLock
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.errors import UserError
from shared.forge.port import PullRequest, Sought
from shared.git.reading import commits_ahead
from shared.git.repository import Repository, is_ancestor, open_repository
from shared.git.transfers import Denied
from shared.model import Oid, Plan, RunId, Settings


@dataclass(slots=True)
class Outside:
    """GitHub for one run, while it holds the lock there."""

    opened: Opened
    github: GitHub
    lock: RemoteLock
    place: Place
    environ: Mapping[str, str] = field(repr=False)

    def elsewhere(
        self,
        settings: Settings,
        base: Oid,
        before: Mapping[str, int],
        replaces: Mapping[str, Oid],
        moved: Callable[[], str],
    ) -> Elsewhere:
        repo = open_repository(self.place.git_dir)

        def contains(old: Oid, new: Oid) -> bool:
            return old in repo and is_ancestor(repo, old, new)

        return Elsewhere(
            tracker=self.github.tracker,
            contains=contains,
            check=self.lock.check,
            ending=self._ending,
            interrupt=self.github.stop.set,
            job=job_address(self.environ),
            template=template_at(repo, base, settings),
            before=before,
            replaces=replaces,
            moved=moved,
        )

    def moved(self, base: str, tip: str) -> str:
        """What there is to tell of the branch ``base`` on GitHub, which was at ``tip``; empty where it still is."""
        name = f"refs/heads/{base}"
        now = self.github.remote.tips(name).get(name)
        if not tip or now == tip:
            return ""
        if now is None:
            return f"{base} is not on GitHub any more, and pull requests were to go into it"
        return f"{base} has moved on GitHub since: pull requests go into its new tip, and were tested on what it was"

    def _ending(self) -> str:
        if self.lock.lost:
            return f"the lock on GitHub was lost: {self.lock.lost}"
        return "somebody asked on GitHub that the run ends" if self.lock.stop_wanted else ""

    def look_at_branches(
        self, plan: Plan, base: Oid, pulls: Mapping[str, PullRequest], *, fresh: bool, go_on: bool
    ) -> Standing:
        def fetch(refs: Mapping[str, str]) -> Repository:
            self.github.remote.fetch(refs, deepen_to=[base])
            return open_repository(self.place.git_dir)

        tips = self.opened.forge.tips()
        return look_at(plan, base, tips, pulls, fetch, fresh=fresh, go_on=go_on)


@contextlib.contextmanager
def held(opened: Opened, run: RunId, place: Place, environ: Mapping[str, str]) -> Iterator[Outside | None]:
    """GitHub with its lock; None for the local forge.

    Raises RepositoryHeld where another run has it, UserError where the token may not push: the lock comes first.
    """
    if opened.github is None:
        yield None
        return
    with contextlib.ExitStack() as undo:
        try:
            lock = undo.enter_context(opened.github.lock(run))
        except Denied as error:
            raise UserError(
                f"the token may not push to {opened.github.repository}; nothing was started",
                error.message,
                "it needs Contents: write (a job: `permissions: {contents: write}`; a classic token: the scope `repo`)",
                "and its account must be one that may write there; what it may do: spinney doctor --github",
            ) from error
        yield Outside(opened, opened.github, lock, place, environ)


def open_again(place: Place, plan: Plan, keys: Mapping[str, str], waits: Waits = SILENT) -> Opened:
    """The forge of a run that is gone on with."""
    return open_forge(place, plan.settings, keys, issues=any(task.issue for task in plan.tasks), waits=waits)


@dataclass(frozen=True, slots=True)
class Found:
    """What is there of a plan already, and what of the plan is left."""

    plan: Plan
    standing: Standing = field(default_factory=Standing)
    before: dict[str, int] = field(default_factory=dict)  # pull requests by marker

    @property
    def replaces(self) -> dict[str, str]:
        return {ref: str(tip) for ref, tip in self.standing.replaces.items()}

    def fields(self) -> dict[str, Any]:
        """What ``run.started`` says of it."""
        return {
            "bases": dict(self.standing.bases),
            "replaces": self.replaces,
            "archived": dict(self.standing.archived),
            "aside": dict(self.standing.aside),
            "pulls_before": dict(self.before),
        }


def look_around(outside: Outside | None, ready: Ready, *, fresh: bool, go_on: bool) -> Found:
    """Look at the forge before anything starts. Raises UserError where nothing would be left to do."""
    plan = ready.plan
    if outside is None:
        return Found(plan)
    known = {marker(task): pull for task, pull in ready.pulls.items()}
    unknown = [] if ready.handed else [task for task in plan.tasks if task.issue is None]
    own = [Sought(task.branch, marker(task.id)) for task in unknown]
    known |= outside.opened.forge.find(own) if own else {}
    standing = outside.look_at_branches(plan, ready.base, known, fresh=fresh, go_on=go_on)
    left = narrowed(plan, standing.alone)
    if not left.tasks:
        reasons = "; ".join(f"{task}: {why}" for task, why in standing.alone.items())
        raise UserError(
            f"nothing is left to do: {reasons}", "--fresh keeps what is there aside and begins anew"
        )
    standing.notes += [f"{task} is left alone: {why}" for task, why in standing.alone.items()]
    return Found(left, standing, {name: pull.number for name, pull in known.items()})


@dataclass(frozen=True, slots=True)
class Target:
    """What pull requests are made against."""

    base: str  # a branch, or a commit where there is none
    notes: tuple[str, ...] = ()
    tip: str = ""  # of the branch on GitHub


def pull_base(
    place: Place, opened: Opened, settings: Settings, base: Oid, *, starting: bool = True
) -> Target:
    """With notes on how far ``base`` is from what is there; without ``starting`` it is too late to take another one."""
    here = current_branch(place)
    if opened.github is None:
        return Target(settings.into or settings.base or here or base)
    wanted = [name for name in (settings.into, settings.base, here) if name]
    default = opened.github.default_branch
    tips = opened.github.remote.tips(*(f"refs/heads/{name}" for name in dict.fromkeys([*wanted, default])))
    chosen = next((name for name in wanted if f"refs/heads/{name}" in tips), default)
    notes = []
    if settings.into and chosen != settings.into:
        notes.append(f"{settings.into} is not on GitHub: pull requests go into {chosen}")
    there = tips.get(f"refs/heads/{chosen}")
    ahead = commits_ahead(open_repository(place.git_dir), base, there) if there is not None else None
    if ahead:
        what = "1 commit is" if ahead == 1 else f"{ahead} commits are"
        notes.append(f"{what} not on GitHub's {chosen} yet and will be part of each pull request")
    if there is not None and starting:
        notes += _behind(place, settings, base, chosen, there)
    return Target(chosen, tuple(notes), there or "")


def _behind(place: Place, settings: Settings, base: Oid, name: str, there: Oid) -> list[str]:
    """That the branch ``name`` on GitHub, which is at ``there``, has more than ``base``; not where ``--base`` is
    something else anyway."""
    if settings.base and settings.base.rpartition("/")[2] != name.rpartition("/")[2]:
        return []
    repo = open_repository(place.git_dir)
    behind = commits_ahead(repo, there, base)
    if behind == 0:
        return []
    own = settings.github
    act = "git fetch" if own.repository else f"git fetch {own.remote}, then --base {own.remote}/{name}"
    if settings.into:
        act = f"bring {settings.into} up to date first"
    if behind is None:
        return [f"GitHub's {name} has commits that are not here, and the run starts without them: {act}"]
    what = "1 commit" if behind == 1 else f"{behind} commits"
    return [f"what the run starts from is {what} behind GitHub's {name}: {act}"]


def job_address(environ: Mapping[str, str]) -> str:
    """Of the job of GitHub Actions that this runs in; empty where it does not."""
    parts = [environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if environ.get("GITHUB_ACTIONS") != "true" or not all(parts) or not parts[2].isdigit():
        return ""
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}"
