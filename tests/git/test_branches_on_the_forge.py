"""What is on the forge already: gone on with, left alone, or kept aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.going_on import THERE, Standing, look_at, narrowed
from shared.errors import UserError
from shared.forge.port import PullRequest, PullState
from shared.git.commits import PhaseMessage
from shared.git.repository import Repository, create_ref, open_repository
from shared.model import Issue, Oid, Plan, TaskId
from tests.support.build import RUN, plan, task
from tests.support.repository import Repo

pytestmark = pytest.mark.git
A, B = TaskId("issue-1"), TaskId("issue-2")
REF = f"refs/heads/spinney/{A}"


def batch() -> Plan:
    return plan(task(A, title="One", issue=Issue("ada/engine", 1, "u")), task(B, A, title="Two"))


class There:
    """A repository with commits that no branch of it names: they are on the forge."""

    def __init__(self, repo: Repo) -> None:
        self.repo, self.base = repo, Oid(repo.head)
        self.tips: dict[str, Oid] = {}
        self.fetched: list[Mapping[str, str]] = []

    def commit(self, parent: str, message: str) -> Oid:
        tree = self.repo.git("rev-parse", f"{parent}^{{tree}}")
        return Oid(self.repo.git("commit-tree", tree, "-p", parent, "-m", message))

    def phase(self, parent: str, name: str, of: TaskId = A) -> Oid:
        return self.commit(parent, str(PhaseMessage(RUN, of, "One", name, 1, ())))

    def two_phases(self) -> Oid:
        self.tips[REF] = self.phase(self.phase(self.base, "code"), "test")
        return self.tips[REF]

    def look(
        self, pulls: Mapping[str, PullRequest] | None = None, *, fresh: bool = False, go_on: bool = False,
        of: Plan | None = None,
    ) -> Standing:  # fmt: skip
        return look_at(of or batch(), self.base, self.tips, pulls or {}, self.fetch, fresh=fresh, go_on=go_on)

    def fetch(self, refs: Mapping[str, str]) -> Repository:
        self.fetched.append(refs)
        repo = open_repository(self.repo.git_dir)
        for name, here in refs.items():
            create_ref(repo, here, self.tips[name])
        return repo

    @property
    def here(self) -> str | None:
        return self.repo.refs().get(REF)


@pytest.fixture
def there(repo: Repo) -> There:
    return There(repo)


def pull(state: PullState, **fields: Any) -> dict[str, PullRequest]:
    made = PullRequest(7, "u", f"spinney/{A}", "main", "One", "", state, Oid("0" * 40), **fields)
    return {f"spinney-task:{A}": made}


def test_nothing_is_fetched_where_nothing_is_there(there: There) -> None:
    assert there.look() == Standing()
    assert there.fetched == []


def test_interrupted_work_is_gone_on_with_after_its_last_phase(there: There) -> None:
    tip = there.two_phases()
    found = there.look()
    assert found.bases == {A: there.base}
    assert there.here == tip
    assert found.notes == [f"{A} goes on after 2 phases that are on the forge"]
    assert not [ref for ref in there.repo.refs() if ref.startswith(THERE)]


def test_base_of_interrupted_work_is_what_its_first_phase_stands_on(there: There) -> None:
    below = there.phase(there.base, "code", of=B)  # it needed another task
    there.tips[REF] = there.phase(below, "code")
    assert there.look().bases == {A: below}


def test_branch_that_is_here_already_is_moved_forward(there: There) -> None:
    first = there.phase(there.base, "code")
    there.repo.git("update-ref", REF, first)
    there.tips[REF] = tip = there.phase(first, "test")
    assert there.look().bases == {A: there.base}
    assert there.here == tip


def test_branch_that_is_farther_here_stays(there: There) -> None:
    there.tips[REF] = first = there.phase(there.base, "code")
    tip = there.phase(first, "test")
    there.repo.git("update-ref", REF, tip)
    assert there.look().bases == {A: there.base}
    assert there.here == tip


def test_branches_that_went_different_ways_are_left_alone(there: There) -> None:
    there.two_phases()
    mine = there.phase(there.base, "other")
    there.repo.git("update-ref", REF, mine)
    found = there.look()
    assert found.alone == {A: "its branch here and the one on the forge have gone different ways"}
    assert (found.bases, there.here) == ({}, mine)


def test_branch_on_which_somebody_has_committed_is_left_alone(there: There) -> None:
    there.tips[REF] = there.commit(there.two_phases(), "a correction by hand")
    found = there.look()
    assert found.alone == {A: "somebody else has committed to its branch on the forge"}
    assert there.here is None


@pytest.mark.parametrize("go_on", [False, True])
def test_branch_that_is_not_ours_is_left_alone_whatever_is_asked_for(there: There, go_on: bool) -> None:
    there.tips[REF] = there.commit(there.base, "my own branch of that name")
    found = there.look(go_on=go_on)
    assert found.alone == {A: "its branch on the forge was not made by Spinney"}
    assert there.here is None


def test_trailers_of_another_task_do_not_make_it_ours(there: There) -> None:
    there.tips[REF] = there.phase(there.base, "code", of=B)
    assert there.look().alone == {A: "its branch on the forge was not made by Spinney"}


def test_branch_that_was_merged_is_replaced(there: There) -> None:
    there.tips[REF] = there.base
    found = there.look()
    assert (found.replaces, found.bases, found.alone) == ({REF: there.base}, {}, {})


def test_work_in_review_is_not_begun_again_without_being_asked(there: There) -> None:
    there.two_phases()
    with pytest.raises(UserError) as caught:
        there.look(pull(PullState.OPEN))
    assert caught.value.message == "issue-1 has pull request #7, which is open"
    assert not [ref for ref in there.repo.refs() if ref.startswith(THERE)]


def test_merged_pull_request_frees_its_branch(there: There) -> None:
    tip = there.two_phases()
    assert there.look(pull(PullState.MERGED)).replaces == {REF: tip}


def test_continue_begins_the_workflow_on_top_of_what_is_in_review(there: There) -> None:
    tip = there.commit(there.two_phases(), "a correction by hand")
    there.tips[REF] = tip
    found = there.look(pull(PullState.OPEN), go_on=True)
    assert (found.bases, found.alone, there.here) == ({}, {}, tip)


def test_fresh_keeps_what_was_there_on_the_forge_too(there: There) -> None:
    tip = there.two_phases()
    found = there.look(pull(PullState.CLOSED), fresh=True)
    kept = f"refs/spinney/archive/{A}/1"
    assert (found.archived, found.replaces) == ({kept: tip}, {REF: tip})
    assert there.repo.refs()[kept] == tip
    assert there.look(fresh=True).archived == {kept: tip}  # the same once more needs no second name


def test_fresh_says_which_commits_of_others_are_kept_aside(there: There) -> None:
    there.tips[REF] = there.commit(
        there.commit(there.two_phases(), "a correction by hand\n\nat length"), "more\x1b[2J"
    )
    found = there.look(pull(PullState.OPEN), fresh=True)
    kept, who = f"refs/spinney/archive/{A}/1", there.repo.git("log", "-1", "--format=%an", there.base)
    others = f'2 commits of others ("more" by {who}, "a correction by hand" by {who})'
    assert found.aside == {A: f"{others}: kept as {kept}"}
    assert found.notes == [f"spinney/{A} was on the forge already: kept as {kept}, with {others}"]


def test_fresh_names_a_few_of_many_commits_of_others(there: There) -> None:
    tip = there.two_phases()
    for number in range(9):
        tip = there.commit(tip, f"by hand {number}")
    there.tips[REF] = tip
    assert there.look(fresh=True).aside[A].startswith('9 commits of others ("by hand 8"')
    assert ", 4 more): kept as" in there.look(fresh=True).aside[A]


def test_round_of_fixes_goes_on_where_the_branch_stands(there: There) -> None:
    tip = there.two_phases()
    found = there.look(pull(PullState.OPEN), of=plan(task(A, answers=("check:1",))), go_on=True)
    assert (found, there.here) == (Standing(), tip)


def test_plan_loses_what_is_left_alone_and_what_needs_it() -> None:
    left = narrowed(batch(), {A: "somebody else has committed to its branch on the forge"})
    assert left.tasks == ()
    assert [(one.source, one.reason) for one in left.left_out] == [
        ("#1", "somebody else has committed to its branch on the forge"),
        ("issue-2", "it needs issue-1, which is left alone"),
    ]


def test_plan_keeps_what_only_had_to_wait() -> None:
    left = narrowed(plan(task(A), task(B, f"{A}!")), {A: "why"})
    assert [(one.id, one.needs) for one in left.tasks] == [(B, ())]
