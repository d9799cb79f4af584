"""Following pull requests on the stand-in: checks, remarks of people who may write, and bringing them in."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.composition.forges import GitHub as Parts
from orchestrator.composition.forges import Opened
from shared.errors import SpinneyError, UserError
from shared.forge.port import Draft, Forge, PullRequest, PullState, Sent
from shared.forge.watching import CheckRun, Standing, Watched
from shared.model import Oid
from tests.support.github.standin import GitHub
from tests.support.repository import Repo

pytestmark = pytest.mark.git
HEAD = "spinney/issue-7"
DRAFT = Draft(HEAD, "main", "Do it", "What was done.\n", "spinney-task:issue-7", as_draft=True)


@pytest.fixture
def watched(parts: Parts) -> Watched:
    return parts.watched


@pytest.fixture
def forge(opened_github: Opened) -> Forge:
    return opened_github.forge


@pytest.fixture
def pull(repo: Repo, forge: Forge) -> PullRequest:
    tip = Oid(repo.commit("work"))
    forge.send([Sent(f"refs/heads/{HEAD}", tip)])
    return forge.open(DRAFT, tip)


def look(watched: Watched, pull: PullRequest) -> Standing:
    return watched.standing([pull.number])[pull.number]


# --- how it stands


def test_pull_request_without_anything_stands_alone(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    standing = look(watched, pull)
    assert standing.pull == pull
    assert (standing.checks, standing.remarks, standing.auto, standing.approved) == ((), (), False, None)
    assert (standing.mergeable, standing.base_tip) == (True, github.bare.heads()["main"])


def test_all_are_one_question(watched: Watched, forge: Forge, repo: Repo, github: GitHub) -> None:
    numbers = []
    for n in range(12):
        tip = Oid(repo.commit(f"work {n}"))
        forge.send([Sent(f"refs/heads/spinney/{n}", tip)])
        numbers.append(forge.open(Draft(f"spinney/{n}", "main", "x", "", f"m{n}"), tip).number)
    before = len(github.calls)
    assert sorted(watched.standing([*numbers, 999])) == numbers
    assert len(github.calls) - before == 1


def test_checks_and_statuses_of_the_tip_are_told(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    github.check(pull.number, "old", "failure")
    tip = github.commit(HEAD, "more", "x")
    for name, conclusion in (
        ("good", "success"), ("bad", "failure"), ("left out", "skipped"), ("late", "timed_out"), ("at work", None),
        ("asks", "action_required"),
    ):  # fmt: skip
        github.check(pull.number, name, conclusion, summary=f"{name} it is")
    github.status(tip, "success", "lint")
    github.status(tip, "pending", "wait")
    github.status(tip, "success", "spinney")
    found = {check.name: check.state for check in look(watched, pull).checks}
    assert found == {
        "good": "passed", "bad": "failed", "left out": "passed", "late": "failed", "at work": "waiting",
        "asks": "waiting", "lint": "passed", "wait": "waiting",
    }  # fmt: skip


def test_own_mark_counts_where_it_says_that_something_went_wrong(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.status(pull.number, "failure", "spinney", "3 phases, gate failed")
    (check,) = look(watched, pull).checks
    assert (check.name, check.state, check.summary) == ("spinney", "failed", "3 phases, gate failed")
    github.status(pull.number, "success", "spinney")
    assert look(watched, pull).checks == ()


def test_check_has_an_id_of_its_execution(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    github.check(pull.number, "test", "failure", log="x")
    (first,) = look(watched, pull).checks
    assert look(watched, pull).checks == (first,)
    github.check(pull.number, "test", "failure", log="x")
    assert first.id not in {check.id for check in look(watched, pull).checks} - {first.id}
    assert " " not in first.id


def test_more_than_a_hundred_checks_are_all_seen(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    for n in range(130):
        github.check(pull.number, f"check {n}", "failure" if n == 125 else "success")
    checks = look(watched, pull).checks
    assert len(checks) == 130
    assert sum(check.state == "failed" for check in checks) == 1


def test_base_is_told_as_it_is_now(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    github.commit("main", "x", "y")
    assert look(watched, pull).base_tip == github.bare.heads()["main"]


def test_conflict_with_the_base_is_told(watched: Watched, repo: Repo, forge: Forge, github: GitHub) -> None:
    repo.write("README.md", "ours\n")
    tip = Oid(repo.commit("ours"))
    forge.send([Sent(f"refs/heads/{HEAD}", tip)])
    pull = forge.open(DRAFT, tip)
    github.commit("main", "README.md", "theirs\n")
    assert look(watched, pull).mergeable is False


# --- remarks


def test_open_conversations_are_remarks_of_who_may_write(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.person("bob", "write")
    github.person("eve", None)
    github.review(pull.number, author="bob", comments=[("src/app.py", 2, "Why 42?")])
    github.review(pull.number, author="eve", comments=[("src/app.py", 1, "Buy this")])
    (remark,) = look(watched, pull).remarks
    assert (remark.author, remark.may_write, remark.text) == ("bob", True, "Why 42?")
    assert (remark.path, remark.line, remark.commit, remark.wants_changes) == (
        "src/app.py",
        2,
        pull.tip,
        False,
    )


def test_answer_in_a_conversation_is_something_new(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    review = github.review(pull.number, comments=[("src/app.py", 2, "Why 42?")])
    (first,) = look(watched, pull).remarks
    thread = thread_of(github, pull, review)
    thread.comments.append(made_comment(github, pull, "eve", "spam"))
    assert look(watched, pull).remarks == (first,)
    thread.comments.append(made_comment(github, pull, "ada", "Make it 43."))
    (second,) = look(watched, pull).remarks
    assert second.id != first.id
    assert second.text == "Why 42?\n\nMake it 43."
    github.resolve(thread)
    assert look(watched, pull).remarks == ()


def thread_of(github: GitHub, pull: PullRequest, review: object) -> Any:
    there = github.get(pull.number).pull
    assert there is not None
    return next(thread for thread in there.threads if thread.review is review)


def made_comment(github: GitHub, pull: PullRequest, who: str, text: str) -> Any:
    """A comment as a conversation has it."""
    issue = github.get(pull.number)
    github.comment(issue, text, author=github.person(who, None))
    return issue.comments.pop()


def test_wish_for_changes_holds_until_the_same_person_approves(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.person("bob", "write")
    github.repo.approvals = 1
    github.review(pull.number, "CHANGES_REQUESTED", "Not like this", author="bob")
    github.review(pull.number, "APPROVED", author="ada")
    (remark,) = look(watched, pull).remarks
    assert (remark.text, remark.wants_changes, remark.may_write) == ("Not like this", True, True)
    assert look(watched, pull).approved is False
    github.review(pull.number, "APPROVED", author="bob")
    assert look(watched, pull).remarks == ()


def test_review_of_a_stranger_or_a_bot_counts_as_theirs(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.person("eve", None)
    github.bot("robot", "write")
    for who in ("eve", "robot[bot]"):
        github.review(pull.number, "CHANGES_REQUESTED", "Do as I say", author=who)
    assert [remark.may_write for remark in look(watched, pull).remarks] == [False, False]


# --- logs


def test_log_of_a_failed_job_ends_with_its_error(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    log = "".join(f"2026-01-02T03:04:05.1234567Z line {n}\x1b[31m\n" for n in range(3000))
    log += "2026-01-02T03:04:05.1234567Z ##[error]Process completed with exit code 1.\nPost job cleanup.\n"
    github.check(pull.number, "test", "failure", log=log)
    (check,) = look(watched, pull).checks
    said = watched.log(check, limit=1000)
    assert len(said) <= 1000
    assert said.startswith("…")
    assert said.endswith("line 2999\n##[error]Process completed with exit code 1.")
    assert all(call.user == "" for call in github.calls if call.kind == "storage")


def test_check_without_a_log_tells_its_summary(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    github.check(pull.number, "test", "failure", summary="It \x1b[31mfailed\u202e")
    (check,) = look(watched, pull).checks
    assert watched.log(check) == "It failed"
    assert watched.log(CheckRun("x", "x", "failed", summary="y" * 100), limit=10) == "…" + "y" * 9


# --- bringing in


def test_landing_now_merges_exactly_what_was_seen(
    watched: Watched, forge: Forge, pull: PullRequest, github: GitHub
) -> None:
    with pytest.raises(SpinneyError, match="moved on"):
        watched.land(pull.number, Oid("1" * 40), "now", "merge")
    assert watched.land(pull.number, pull.tip, "now", "squash") == f"#{pull.number} was merged"
    assert forge.get(pull.number).state is PullState.MERGED
    assert watched.land(pull.number, pull.tip, "now", "merge") == f"#{pull.number} is merged already"


def test_landing_by_itself_waits_for_what_is_required(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.repo.required_checks = ("test",)
    assert "when what it waits for" in watched.land(pull.number, pull.tip, "auto", "merge")
    assert look(watched, pull).auto
    github.check(pull.number, "test")
    assert look(watched, pull).pull.state is PullState.MERGED


def test_landing_by_itself_of_what_waits_for_nothing_is_done_now(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    watched.land(pull.number, pull.tip, "auto", "merge")
    assert look(watched, pull).pull.state is PullState.MERGED


def test_repository_that_allows_no_auto_merge_says_what_to_do(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.repo.required_checks = ("test",)
    github.repo.allow_auto_merge = False
    with pytest.raises(SpinneyError) as caught:
        watched.land(pull.number, pull.tip, "auto", "merge")
    assert any("auto-merge" in hint for hint in caught.value.hints)


def test_landing_by_the_queue(watched: Watched, pull: PullRequest, github: GitHub) -> None:
    github.repo.queue = True
    assert watched.land(pull.number, pull.tip, "queue", "merge") == f"#{pull.number} is in the merge queue"
    assert look(watched, pull).auto
    github.run_queue()
    assert look(watched, pull).pull.state is PullState.MERGED


@pytest.mark.parametrize("way", ["now", "auto", "queue"])
def test_landing_without_an_answer_is_looked_up(
    watched: Watched, pull: PullRequest, github: GitHub, way: Any
) -> None:
    github.repo.queue = way == "queue"
    github.repo.required_checks = ("test",) if way == "auto" else ()
    github.fail("PUT /.*/merge$|GRAPHQL mutation (AutoMerge|Enqueue)", "lose")
    assert str(pull.number) in watched.land(pull.number, pull.tip, way, "merge")


def test_conflict_is_refused_in_words(watched: Watched, repo: Repo, forge: Forge, github: GitHub) -> None:
    repo.write("README.md", "ours\n")
    tip = Oid(repo.commit("ours"))
    forge.send([Sent(f"refs/heads/{HEAD}", tip)])
    pull = forge.open(DRAFT, tip)
    github.commit("main", "README.md", "theirs\n")
    with pytest.raises(SpinneyError, match="cannot be brought in"):
        watched.land(pull.number, tip, "now", "merge")


def test_conflict_is_found_before_it_is_taken_out_of_draft(
    watched: Watched, repo: Repo, forge: Forge, github: GitHub
) -> None:
    repo.write("README.md", "ours\n")
    tip = Oid(repo.commit("ours"))
    forge.send([Sent(f"refs/heads/{HEAD}", tip)])
    pull = forge.open(DRAFT, tip)
    github.commit("main", "README.md", "theirs\n")
    with pytest.raises(SpinneyError) as caught:
        watched.land(pull.number, tip, "now", "merge")
    assert caught.value.message == f"#{pull.number} cannot be brought in: it conflicts with main"
    assert caught.value.hints == (f"merge main into {HEAD}, resolve what conflicts, push, and do this again",)
    assert not [call for call in github.calls if call.path == "MarkReady"]


@pytest.mark.parametrize("way", ["now", "auto"])
def test_draft_that_is_refused_after_all_is_a_draft_again(
    watched: Watched, forge: Forge, pull: PullRequest, github: GitHub, way: Any
) -> None:
    github.repo.required_checks = ("test",)
    github.repo.allow_auto_merge = False
    with pytest.raises(SpinneyError, match="cannot be brought in"):
        watched.land(pull.number, pull.tip, way, "merge")
    assert [call.path for call in github.calls if call.path.startswith("Mark")] == ["MarkReady", "MarkDraft"]
    assert forge.get(pull.number).as_draft


def test_retargeting_counts_as_ours(
    watched: Watched, forge: Forge, pull: PullRequest, github: GitHub
) -> None:
    github.commit("develop", "x", "y")
    github.commit("next", "x", "y")
    watched.retarget(pull.number, "develop")
    assert forge.get(pull.number).base == "develop"
    draft = Draft(HEAD, "next", "Do it", "What was done.\n", DRAFT.marker)
    assert forge.update(pull.number, draft, pull.tip).base == "next"


def test_number_that_is_not_there_is_an_error(watched: Watched, opened_github: Opened) -> None:
    with pytest.raises(UserError):
        watched.land(99, Oid("1" * 40), "now", "merge")
    with pytest.raises(UserError):
        watched.retarget(99, "main")


# --- what strangers may write as much of as they like


def test_wish_for_changes_is_not_hidden_by_reviews_of_strangers(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.person("eve", None)
    github.review(pull.number, "CHANGES_REQUESTED", "It leaks.")
    for _ in range(60):
        github.review(pull.number, "COMMENTED", "nice", author="eve")
    standing = look(watched, pull)
    assert [remark.text for remark in standing.remarks if remark.may_write] == ["It leaks."]
    assert not standing.cut


def test_older_conversations_are_looked_at_as_well(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.person("eve", None)
    github.review(pull.number, comments=[("src/app.py", 1, "Why?")])
    for n in range(140):
        github.review(pull.number, author="eve", comments=[("src/app.py", n, "nice")])
    standing = look(watched, pull)
    assert [remark.text for remark in standing.remarks if remark.path] == ["Why?"]
    assert not standing.cut


def test_more_conversations_than_are_looked_at_are_told(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    github.review(pull.number, comments=[("src/app.py", n, "nice") for n in range(531)])
    assert look(watched, pull).cut


def test_conversation_whose_beginning_is_not_seen_may_be_an_objection(
    watched: Watched, pull: PullRequest, github: GitHub
) -> None:
    review = github.review(pull.number, comments=[("src/app.py", 2, "Why 42?")])
    thread = thread_of(github, pull, review)
    for _ in range(11):
        thread.comments.append(made_comment(github, pull, "eve", "spam"))
    standing = look(watched, pull)
    assert (standing.remarks, standing.cut) == ((), True)
    github.resolve(thread)
    assert not look(watched, pull).cut


def test_look_at_twelve_costs_few_points(watched: Watched, forge: Forge, repo: Repo, github: GitHub) -> None:
    numbers = []
    for n in range(12):
        tip = Oid(repo.commit(f"work {n}"))
        forge.send([Sent(f"refs/heads/spinney/{n}", tip)])
        numbers.append(forge.open(Draft(f"spinney/{n}", "main", "x", "", f"m{n}"), tip).number)
    before = spent(github)
    watched.standing(numbers)
    assert spent(github) - before <= 5


def spent(github: GitHub) -> int:
    """Points of the hour."""
    accounts = github.limits._accounts.values()
    return sum(account.primary["graphql"].used for account in accounts if "graphql" in account.primary)
