"""Pull requests with checks and reviews in memory, and branches and rounds beside them, for what follows them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from orchestrator.following.follower import Follower, World
from orchestrator.following.looking import Looking, task_of
from orchestrator.following.port import Asked, Conflicting, Looked, Made
from orchestrator.following.purse import Purse
from orchestrator.following.words import Answers, Branch, Policy, Record, Seen
from shared.clock import ManualClock
from shared.errors import GitError, RepositoryHeld, SpinneyError
from shared.forge.port import Draft, PullRequest, PullState, Sent, Sought
from shared.forge.tracker import (
    CommitState,
    IssueQuery,
    IssueRef,
    IssueSnapshot,
    Labelling,
    NoIssue,
    Relation,
)
from shared.forge.watching import CheckRun, Remark, Standing
from shared.model import MergeMethod, Oid, RunId, Spending, Usage
from tests.support.build import oid


@dataclass(slots=True)
class Hub:
    """The forge, its checks and reviews, and the tracker. ``asked`` counts the questions."""

    pulls: dict[int, PullRequest] = field(default_factory=dict)
    checks: dict[int, tuple[CheckRun, ...]] = field(default_factory=dict)
    remarks: dict[int, tuple[Remark, ...]] = field(default_factory=dict)
    more: dict[int, dict[str, Any]] = field(default_factory=dict)  # other fields of a standing
    heads: dict[str, Oid] = field(default_factory=lambda: {"main": oid(1)})
    comments: dict[tuple[int, str], str] = field(default_factory=dict)
    marks: list[tuple[Oid, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, SpinneyError] = field(default_factory=dict)  # by method
    name: str = "memory"
    repository: str = "o/r"

    def pull(self, number: int, base: str = "main", **fields: Any) -> PullRequest:
        """An open one, whose branch has one commit."""
        task = f"issue-{number}"
        made = PullRequest(
            number, f"https://hub/{number}", f"spinney/{task}", base, f"Title {number}", "", PullState.OPEN,
            oid(100 + number), f"spinney-task:{task}", **fields,
        )  # fmt: skip
        self.pulls[number] = made
        self.heads[made.head] = made.tip
        return made

    def change(self, number: int, **fields: Any) -> None:
        self.pulls[number] = replace(self.pulls[number], **fields)

    def _asked(self, what: str) -> None:
        self.asked[what] += 1
        if what in self.refuse:
            raise self.refuse[what]

    # --- the forge

    def find(self, sought: Sequence[Sought]) -> Mapping[str, PullRequest]:
        self._asked("find")
        wanted = {one.marker for one in sought}
        return {pull.marker: pull for pull in self.pulls.values() if pull.marker in wanted}

    def get(self, number: int) -> PullRequest:
        self._asked("get")
        return self.pulls[number]

    def list(self, state: PullState | None = None) -> tuple[PullRequest, ...]:
        self._asked("list")
        return tuple(pull for _, pull in sorted(self.pulls.items()) if state in (None, pull.state))

    def open(self, draft: Draft, tip: Oid) -> PullRequest:
        raise NotImplementedError

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:
        raise NotImplementedError

    def merged(self, number: int, commit: Oid) -> PullRequest:
        raise NotImplementedError

    def close(self, number: int) -> PullRequest:
        raise NotImplementedError

    def tips(self) -> Mapping[str, Oid]:
        raise NotImplementedError

    def send(self, refs: Sequence[Sent]) -> Mapping[str, str]:
        raise NotImplementedError

    # --- checks and reviews

    def standing(self, numbers: Sequence[int]) -> Mapping[int, Standing]:
        self._asked("standing")
        return {number: self._standing(self.pulls[number]) for number in numbers}

    def _standing(self, pull: PullRequest) -> Standing:
        fields: dict[str, Any] = {"mergeable": True, **self.more.get(pull.number, {})}
        return Standing(
            replace(pull, marker=""),
            self.checks.get(pull.number, ()),
            self.remarks.get(pull.number, ()),
            base_tip=self.heads.get(pull.base),
            **fields,
        )

    def log(self, check: CheckRun, *, limit: int = 16_384) -> str:
        self._asked("log")
        return f"log of {check.name}"[-limit:]

    def land(self, number: int, tip: Oid, way: Literal["auto", "queue", "now"], method: MergeMethod) -> str:
        self._asked("land")
        assert tip == self.pulls[number].tip
        if way == "now":
            self.change(number, state=PullState.MERGED, merged=tip)
        return f"{way}, {method}"

    def retarget(self, number: int, base: str) -> None:
        self._asked("retarget")
        self.change(number, base=base)

    # --- the tracker

    def issues(
        self, refs: Sequence[IssueRef], query: IssueQuery | None = None
    ) -> Sequence[IssueSnapshot | NoIssue]:
        raise NotImplementedError

    def states(self, refs: Sequence[IssueRef]) -> Mapping[IssueRef, Relation]:
        raise NotImplementedError

    def say(self, number: int, marker: str, text: str) -> str:
        self._asked("say")
        self.comments[number, marker] = text
        return f"https://hub/{number}#comment"

    def mark(self, tip: Oid, context: str, state: CommitState, description: str, url: str = "") -> None:
        self._asked("mark")
        self.marks.append((tip, f"{context} {state}: {description}"))

    def may_write(self, login: str) -> bool:
        raise NotImplementedError

    def vouches(self, labelling: Labelling) -> bool:
        raise NotImplementedError


@dataclass(slots=True)
class MemoryBranches:
    """What refs would tell, kept by hand. A commit is a number; what is kept on the forge outlives a follower."""

    hub: Hub
    answers: dict[str, dict[Answers, Oid]] = field(default_factory=dict)  # on each branch
    kept: dict[str, Record] = field(default_factory=dict)
    below: dict[str, frozenset[str]] = field(default_factory=dict)
    bases: dict[str, Oid] = field(default_factory=dict)  # the tip of the base that is in a branch
    unsent: dict[str, Oid] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)  # branches that somebody moves before the next push
    held: bool = False
    restacked: list[tuple[str, str]] = field(default_factory=list)
    _next: int = 200

    def commit(self) -> Oid:
        self._next += 1
        return Oid(f"{self._next:040x}")

    def look(self, standings: Sequence[Standing]) -> Mapping[int, Looked]:
        return {one.pull.number: self._look(one, task_of(one.pull)) for one in standings}

    def _look(self, standing: Standing, task: str) -> Looked:
        tip, kept = standing.pull.tip, self.kept.get(task, Record())
        based = self.bases.get(task, standing.base_tip) == standing.base_tip
        branch = Branch(tip, (tip,), self.below.get(task, frozenset()), based)
        rounds = {**kept.rounds, **self.answers.get(task, {})}
        return Looked(branch, Record(rounds, kept.said), unsent=self.unsent.get(task))

    @contextlib.contextmanager
    def alone(self) -> Iterator[object]:
        if self.held:
            raise RepositoryHeld("run r on another machine is at work")
        yield None

    def send(self, seen: Seen, tip: Oid) -> None:
        task = task_of(seen.pull)
        if task in self.moved:
            self.moved.discard(task)
            self.push(seen.pull.number, self.commit())
            raise GitError(f"spinney/{task} was moved by somebody else")
        self.unsent.pop(task, None)
        self.push(seen.pull.number, tip)

    def push(self, number: int, tip: Oid) -> None:
        """Checks begin anew."""
        self.hub.change(number, tip=tip)
        self.hub.heads[self.hub.pulls[number].head] = tip
        self.hub.checks[number] = ()

    def keep(self, seen: Seen, record: Record) -> None:
        self.kept[task_of(seen.pull)] = record

    def sweep(self, tasks: Collection[str]) -> None:
        self.kept = {task: record for task, record in self.kept.items() if task in tasks}

    def restack(self, seen: Seen, base: str) -> Oid:
        task = task_of(seen.pull)
        if task in self.conflicts:
            raise Conflicting(f"spinney/{task} conflicts with {base} in a.txt")
        tip = self.commit()
        self.push(seen.pull.number, tip)
        self.restacked.append((task, base))
        self.bases[task], self.below[task] = self.hub.heads[base], frozenset()
        return tip


@dataclass(slots=True)
class MemoryRounds:
    """Each round leaves a commit on its branch, unless ``results`` say otherwise."""

    branches: MemoryBranches
    results: list[Made] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    kill: bool = False  # before the commit is sent

    def make(self, asked: Asked) -> Made:
        self.asked.append(asked)
        made = (
            self.results.pop(0)
            if self.results
            else Made(RunId(f"r{len(self.asked)}"), self.branches.commit())
        )
        task = task_of(asked.seen.pull)
        if made.tip is not None:
            if task not in self.branches.moved:
                self.branches.answers.setdefault(task, {})[frozenset(asked.answers)] = made.tip
            if self.kill:
                self.branches.unsent[task] = made.tip
                raise KeyboardInterrupt
        return made


@dataclass(slots=True)
class Following:
    """Everything together; ``follower`` makes one that knows nothing, as a process does that has just begun."""

    hub: Hub = field(default_factory=Hub)
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    branches: MemoryBranches = field(init=False)
    rounds: MemoryRounds = field(init=False)

    def __post_init__(self) -> None:
        self.branches = MemoryBranches(self.hub)
        self.rounds = MemoryRounds(self.branches)

    def follower(
        self, policy: Policy | None = None, budget: Spending | None = None, numbers: Collection[int] = ()
    ) -> Follower:
        def tell(event: str, fields: dict[str, Any]) -> None:
            self.told.append((event, fields))

        def wanted(pull: PullRequest) -> bool:
            return not numbers or pull.number in numbers

        return Follower(
            Looking(self.hub, self.hub, self.branches, wanted, "main"),
            World(self.hub, self.hub, self.branches, self.rounds, self.clock),
            policy or Policy(),
            "merge",
            tell,
            Purse(budget or Spending(), Usage()),
        )

    def words(self, number: int) -> list[str]:
        """What was decided about one, in order."""
        return [f["text"] for event, f in self.told if event == "follow.decided" and f["pull"] == number]
