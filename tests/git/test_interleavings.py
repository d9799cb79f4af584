"""Random workflows in random order: whatever the interleaving, the commits are those of one agent after another."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shared.git.commits import PhaseMessage
from shared.git.worktrees import Worktree, Worktrees
from shared.model import Agent, AgentName, Containment, Phase, TaskOutcome
from tests.support.build import RUN, agent, phase, task, workflow
from tests.support.repository import Repo
from workflow_manager.draft import Draft
from workflow_manager.folding import Folding
from workflow_manager.schedule import (
    Begin,
    CommitPhase,
    Committed,
    Conflicted,
    Ended,
    Event,
    Finish,
    Granted,
    StartAgent,
    TaskSchedule,
    WantSlot,
)
from workflow_manager.workspace import Workspace

Files = dict[str, str]
FIXER = agent("FIXER")


@dataclass(frozen=True, slots=True)
class Act:
    """What an agent does to one path; the same however often it is done."""

    path: str
    line: str = ""  # to be in the file; empty: the file, or the folder, goes

    def on_disk(self, root: Path) -> None:
        place = root / self.path
        if not self.line:
            shutil.rmtree(place, ignore_errors=True)
            place.unlink(missing_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        lines = place.read_text().splitlines() if place.exists() else []
        if self.line not in lines:
            place.write_text("".join(f"{line}\n" for line in [*lines, self.line]))

    def on(self, files: Files) -> None:
        if self.line:
            files[self.path] = files.get(self.path, "") + f"{self.line}\n"
            return
        for path in [path for path in files if path == self.path or path.startswith(f"{self.path}/")]:
            del files[path]


@dataclass(slots=True)
class Plan:
    """A random workflow. Without ``colliding``, agents that are not in order touch different paths."""

    chance: random.Random
    colliding: bool
    phases: list[Phase] = field(default_factory=list)
    acts: dict[AgentName, list[Act]] = field(default_factory=dict)
    before: dict[AgentName, set[AgentName]] = field(default_factory=dict)
    touched: dict[str, set[AgentName]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number in range(self.chance.randint(2, 4)):
            agents = [self._agent(f"A{number}{letter}") for letter in "XYZW"[: self.chance.randint(1, 4)]]
            self.phases.append(phase(f"p{number}", *agents))

    def _agent(self, name: str) -> Agent:
        me, chance = AgentName(name), self.chance
        needs = [other for other in self.before if chance.random() < 0.3]
        self.before[me] = set(needs).union(*(self.before[need] for need in needs))
        acts = [Act(f"{name}/{k}", f"by {name}") for k in range(chance.randint(1, 3))]
        for path, by in list(self.touched.items()):
            if by <= self.before[me] and chance.random() < 0.4:
                acts += chance.choice(
                    ([Act(path, f"{name} too")], [Act(path)], [Act(path), Act(f"{path}/below", f"by {name}")])
                )
        if self.colliding and chance.random() < 0.6:
            acts.append(Act("shared", f"by {name}"))
        for act in acts:
            if act.path.endswith("/below"):
                del self.touched[act.path.removesuffix("/below")]  # nobody touches it any more
            elif act.path != "shared":
                self.touched.setdefault(act.path, set()).add(me)
        self.acts[me] = acts
        own = tuple(dict.fromkeys(act.path.removesuffix("/below") for act in acts))
        writes = None if chance.random() < 0.3 else (f"{name}/**", *own, *(f"{path}/**" for path in own))
        isolation = "scratch" if chance.random() < 0.15 else "auto"
        return agent(name, needs=needs, writes=writes, isolation=isolation, retries=1)

    def after(self, number: int) -> Files:
        """What there is when the agents of the first ``number`` phases have run one after another."""
        files: Files = {}
        for a_phase in self.phases[:number]:
            for an_agent in a_phase.agents:
                for act in self.acts[an_agent.name]:
                    act.on(files)
        return files


@dataclass(slots=True)
class _AtWork:
    start: StartAgent
    root: Path
    apart: bool
    left: list[Act]
    fails: bool


class Drive:
    """A manager without processes: the next thing to happen is chosen by chance."""

    def __init__(self, plan: Plan, work: Workspace, tasks: Path, repo: Repo) -> None:
        self.plan, self.work, self.tasks, self.repo, self.chance = plan, work, tasks, repo, plan.chance
        flow = replace(workflow(*plan.phases), resolve=FIXER)
        self.schedule = TaskSchedule(task("task", workflow=flow))
        self.folding = Folding(work, flow.agents, Containment())
        self.wanting: list[AgentName] = []
        self.at_work: dict[AgentName, _AtWork] = {}
        self.draft: tuple[Phase, Draft] | None = None
        self.conflicts = 0
        self.end: Finish | None = None

    def run(self) -> None:
        self.step(Begin())
        while self.end is None:
            ways: list[Callable[[], None]] = []
            ways += [self.grant] * len(self.wanting)
            ways += [self.go_on] * (3 * len(self.at_work))
            ways += [self.write] if self.draft else []
            self.chance.choice(ways)()

    def step(self, event: Event) -> None:
        self.conflicts += isinstance(event, Conflicted)
        for command in self.schedule.step(event):
            match command:
                case WantSlot(an_agent):
                    self.wanting.append(an_agent.name)
                case StartAgent():
                    self.start(command)
                case CommitPhase(a_phase):
                    self.draft = a_phase, self.work.ready(a_phase.name)
                case Finish():
                    self.end = command
                case _:
                    pass  # what is only told to people
        if not self.schedule.resolving and self.folding.give_up():
            for told in self.folding.ready():
                self.step(told)

    def grant(self) -> None:
        self.step(Granted(self.wanting.pop(self.chance.randrange(len(self.wanting)))))

    def start(self, start: StartAgent) -> None:
        root = self.work.root
        if start.scratch:
            root = Path(self.folding.seat(start, self.tasks, self.tasks).directory)
        else:
            self.work.starts(start.phase.name, start.agent)
        acts = list(self.plan.acts.get(start.agent.name, ()))
        fails = start.attempt == 1 and start.resolves is None and self.chance.random() < 0.15
        if fails:
            acts = acts[: self.chance.randint(0, len(acts))]
        self.at_work[start.agent.name] = _AtWork(start, root, start.scratch, acts, fails)

    def go_on(self) -> None:
        name = self.chance.choice(sorted(self.at_work))
        at_work = self.at_work[name]
        if at_work.left:
            at_work.left.pop(0).on_disk(at_work.root)
            if self.chance.random() < 0.05:
                self.repo.git("-C", str(at_work.root), "add", "--all")
                self.repo.git("-C", str(at_work.root), "commit", "-q", "--allow-empty", "-m", "by itself")
            return
        if at_work.start.resolves is not None:
            keep_both(at_work.root)
        del self.at_work[name]
        self.over(name, at_work)

    def over(self, name: AgentName, at_work: _AtWork) -> None:
        if not at_work.apart:
            self.work.ends(at_work.start.phase.name, at_work.start.agent)
            self.step(Ended(name, not at_work.fails, "by chance"))
            return
        if at_work.fails:
            self.folding.failed(name, "by chance")
            self.step(Ended(name, False, "by chance"))
        for told in self.folding.ready() if at_work.fails else self.folding.done(name):
            self.step(told)

    def write(self) -> None:
        assert self.draft is not None
        a_phase, draft = self.draft
        message = PhaseMessage(RUN, "task", "Task", a_phase.name, 1, ())
        oid = draft.write(str(message))
        for _ in range(self.chance.randint(0, 5)):  # before the manager hears of it
            if self.at_work:
                self.go_on()
        self.draft = None
        self.work.committed(draft, oid)
        self.step(Committed(a_phase.name))


def keep_both(root: Path) -> None:
    """Resolve a conflict in lines of text."""
    place = root / "shared"
    lines = [line for line in place.read_text().splitlines() if not line.startswith(("<<<", "===", ">>>"))]
    place.write_text("".join(f"{line}\n" for line in lines))


def files_of(repo: Repo, revision: str) -> Files:
    names = [name for name in repo.files(revision) if name not in ("README.md", "src/app.py")]
    return {name: repo.read(revision, name) + "\n" for name in names}


Driven = Callable[[int, bool], tuple[Plan, Drive]]


@pytest.fixture
def driven(
    repo: Repo,
    make: Callable[..., Worktree],
    worktrees: Worktrees,
    workspace: Callable[..., Workspace],
    tmp_path: Path,
) -> Driven:
    def driven(seed: int, colliding: bool) -> tuple[Plan, Drive]:
        plan = Plan(random.Random(seed), colliding)
        work = workspace(make(), task("task", workflow=workflow(*plan.phases)))
        (tmp_path / "tasks").mkdir()
        drive = Drive(plan, work, tmp_path / "tasks", repo)
        drive.run()
        assert drive.end == Finish(TaskOutcome.DONE, "")
        assert [name for name in worktrees.names() if "@" in name] == []
        assert repo.refs("refs/spinney/scratch") == {}
        assert repo.git("-C", str(work.root), "status", "--porcelain") == ""
        assert repo.git("rev-parse", "spinney/task") == work.parent
        return plan, drive

    return driven


def assert_commits_as_in_order(repo: Repo, plan: Plan, drive: Drive) -> None:
    assert drive.conflicts == 0
    commits = {commit.phase: commit.oid for commit in drive.work.phase_commits()}
    assert list(commits) == [a_phase.name for a_phase in plan.phases if a_phase.name in commits]
    for number, a_phase in enumerate(plan.phases, 1):
        if a_phase.name in commits:
            assert files_of(repo, commits[a_phase.name]) == plan.after(number), a_phase.name
        else:
            assert plan.after(number) == plan.after(number - 1), a_phase.name


def assert_no_line_lost(repo: Repo, plan: Plan, drive: Drive) -> None:
    found, expected = files_of(repo, drive.work.parent), plan.after(len(plan.phases))
    assert sorted(found.pop("shared", "").splitlines()) == sorted(expected.pop("shared", "").splitlines())
    assert found == expected


@pytest.mark.parametrize("seed", range(10))
def test_every_phase_holds_what_its_agents_wrote_and_nothing_else(
    repo: Repo, driven: Driven, seed: int
) -> None:
    assert_commits_as_in_order(repo, *driven(seed, False))


@pytest.mark.parametrize("seed", [*range(1000, 1008), 3125, 3152])
def test_no_write_is_lost_where_agents_collide(repo: Repo, driven: Driven, seed: int) -> None:
    assert_no_line_lost(repo, *driven(seed, True))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2000, 2300))
def test_every_phase_holds_what_its_agents_wrote_many_times(repo: Repo, driven: Driven, seed: int) -> None:
    assert_commits_as_in_order(repo, *driven(seed, False))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3000, 3300))
def test_no_write_is_lost_where_agents_collide_many_times(repo: Repo, driven: Driven, seed: int) -> None:
    assert_no_line_lost(repo, *driven(seed, True))
