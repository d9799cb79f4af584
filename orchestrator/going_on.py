"""Branches that are on the forge already: going on from interrupted work by refs and trailers alone.

A job that was cancelled leaves no folder behind, only what it pushed. Its phase commits say what was done, so that the
next run, in a clone that knows nothing, goes on after the last of them. What people did to a branch is never undone:
its task is left alone, and so is what needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from orchestrator.plan import make_plan
from orchestrator.publishing import marker
from shared.errors import UserError
from shared.forge.port import PullRequest, PullState
from shared.git import commits
from shared.git.repository import Repository, create_ref, is_ancestor, move_ref, read_ref, refs_below
from shared.model import LeftOut, Oid, Plan, Task, TaskId
from shared.text import first_sentence

THERE = "refs/spinney/there/"  # branches of the forge, while they are looked at
_FARTHEST = 1000  # commits that are looked at
_NAMED = 5  # commits of others
# Brings refs, full names there → here; the repository as it is then, since a shallow one may have become deeper.
Fetch = Callable[[Mapping[str, str]], Repository]


@dataclass(slots=True)
class Standing:
    """What becomes of the branches of a plan that are on the forge."""

    bases: dict[TaskId, Oid] = field(default_factory=dict)  # what tasks that go on started from
    goes_on: set[TaskId] = field(default_factory=set)  # from the branch as it is there, merged or not
    replaces: dict[str, Oid] = field(
        default_factory=dict
    )  # refs there that are started anew, and where they are
    archived: dict[str, Oid] = field(
        default_factory=dict
    )  # refs that are to keep on the forge what is replaced
    aside: dict[TaskId, str] = field(default_factory=dict)  # commits of others in that, in words
    alone: dict[TaskId, str] = field(default_factory=dict)  # tasks that are left alone, and why
    notes: list[str] = field(default_factory=list)


def look_at(
    plan: Plan,
    base: Oid,
    tips: Mapping[str, Oid],
    pulls: Mapping[str, PullRequest],
    fetch: Fetch,
    *,
    fresh: bool,
    go_on: bool,
) -> Standing:
    """Decide, and make or move forward the local branches of tasks that go on. ``pulls`` are by marker.

    Raises GitError where the forge's branches cannot be fetched, UserError where a task has work in review, and it is
    not said what becomes of that.
    """
    standing = Standing()
    there = {task.id: tip for task in plan.tasks if (tip := tips.get(_ref(task))) is not None}
    missing = {f"refs/heads/spinney/{name}": f"{THERE}{name}" for name in there}
    if not missing:
        return standing
    repo = fetch(missing)
    try:
        for task in plan.tasks:
            if task.id in there:
                look = _Look(repo, task, base, there[task.id], pulls.get(marker(task.id)), standing)
                look.decide(fresh=fresh, go_on=go_on)
    finally:
        for name, tip in list(refs_below(repo, THERE)):
            move_ref(repo, name, None, old=tip, why="spinney: looked at")
    return standing


@dataclass(slots=True)
class _Look:
    """At one branch."""

    repo: Repository
    task: Task
    base: Oid
    there: Oid
    pull: PullRequest | None
    standing: Standing

    def decide(self, *, fresh: bool, go_on: bool) -> None:
        task = self.task
        here = read_ref(self.repo, _ref(task))
        if task.answers:  # a round of fixes, on a branch that is in review
            self._bring(here)
        elif is_ancestor(self.repo, self.there, self.base):
            self.standing.replaces[_ref(task)] = self.there
        elif fresh:
            self._archive()
        elif self.pull is not None and not go_on:
            self._in_review(self.pull)
        else:
            self._go_on(here, anew=self.pull is not None)

    def _in_review(self, pull: PullRequest) -> None:
        if pull.state is PullState.MERGED:
            self.standing.replaces[_ref(self.task)] = self.there
            return
        raise UserError(
            f"{self.task.id} has pull request #{pull.number}, which is {pull.state}",
            "--continue starts from its branch, --fresh begins anew",
        )

    def _go_on(self, here: Oid | None, *, anew: bool) -> None:
        """From the last phase commit; with ``anew`` the whole workflow on top of what is there."""
        tip = self._newest(here)
        if tip is None:
            self._leave_alone("its branch here and the one on the forge have gone different ways")
            return
        own, found = self._own(tip)
        if found is None:
            self._leave_alone("its branch on the forge was not made by Spinney")
        elif not own and not anew:
            self._leave_alone("somebody else has committed to its branch on the forge")
        else:
            self._bring(here)
            self.standing.goes_on.add(self.task.id)
            if not anew:
                self.standing.bases[self.task.id] = found
                self.standing.notes.append(f"{self.task.id} goes on after {own} phases that are on the forge")

    def _newest(self, here: Oid | None) -> Oid | None:
        if here is None or is_ancestor(self.repo, here, self.there):
            return self.there
        return here if is_ancestor(self.repo, self.there, here) else None

    def _own(self, tip: Oid) -> tuple[int, Oid | None]:
        """How many phase commits of the task the tip ends with, and what they stand on.

        No commit with 0: others are on top. None: there is no phase commit at all.
        """
        count, below, any_of_ours = 0, tip, False
        on_top = True
        for commit in islice(commits.first_parents(self.repo, tip, self.base), _FARTHEST):
            marks = commits.trailers(commit.message)
            ours = marks.get(commits.TASK) == self.task.id and commits.PHASE in marks
            any_of_ours = any_of_ours or ours
            on_top = on_top and ours
            if on_top and commit.parents:
                count, below = count + 1, Oid(str(commit.parents[0].id))
            if any_of_ours and not ours:
                break
        return count, below if any_of_ours else None

    def _bring(self, here: Oid | None) -> None:
        """The local branch to where the forge's is, unless it is farther."""
        name = _ref(self.task)
        if here is None:
            create_ref(self.repo, name, self.there)
        elif here != self.there and is_ancestor(self.repo, here, self.there):
            move_ref(self.repo, name, self.there, old=here, why="spinney: goes on from the forge")

    def _archive(self) -> None:
        """What is replaced there is kept there, too: the next clone would not have it."""
        number = 1
        while not create_ref(self.repo, name := f"refs/spinney/archive/{self.task.id}/{number}", self.there):
            if read_ref(self.repo, name) == self.there:
                break
            number += 1
        self.standing.archived[name] = self.there
        self.standing.replaces[_ref(self.task)] = self.there
        others = self._of_others()
        if others:
            self.standing.aside[self.task.id] = f"{others}: kept as {name}"
        beyond = f", with {others}" if others else ""
        self.standing.notes.append(f"{self.task.branch} was on the forge already: kept as {name}{beyond}")

    def _of_others(self) -> str:
        """Whoever begins anew gives up what people did on the branch, and is to know it."""
        found = [
            commit
            for commit in islice(commits.first_parents(self.repo, self.there, self.base), _FARTHEST)
            if commits.TASK not in commits.trailers(commit.message)
        ]
        named = [
            f'"{first_sentence(commit.message.partition(chr(10))[0], 60)}" by {first_sentence(commit.author.name, 40)}'
            for commit in found[:_NAMED]
        ]
        more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
        what = "1 commit" if len(found) == 1 else f"{len(found)} commits"
        return f"{what} of others ({', '.join([*named, *more])})" if found else ""

    def _leave_alone(self, why: str) -> None:
        self.standing.alone[self.task.id] = why


def narrowed(plan: Plan, alone: Mapping[TaskId, str]) -> Plan:
    """The plan without the tasks that are left alone and those that need them."""
    if not alone:
        return plan
    left = dict(alone)
    for task_id in plan.order:
        for need in plan.task(task_id).needs:
            if need.task in left and not need.always:
                left.setdefault(task_id, f"it needs {need.task}, which is left alone")
    kept = [
        replace(task, needs=tuple(need for need in task.needs if need.task not in left))
        for task in plan.tasks
        if task.id not in left
    ]
    smaller = make_plan(kept, plan.settings, [*plan.left_out, *_left_out(plan.tasks, left)])
    return replace(smaller, asked=plan.asked)


def _left_out(tasks: Sequence[Task], left: Mapping[TaskId, str]) -> list[LeftOut]:
    return [
        LeftOut(
            source=f"#{task.issue.number}" if task.issue is not None else task.source or task.id,
            title=task.title,
            reason=left[task.id],
            url=task.issue.url if task.issue is not None else "",
        )
        for task in tasks
        if task.id in left
    ]


def _ref(task: Task) -> str:
    return f"refs/heads/{task.branch}"
