"""The GitHub forge against the stand-in: what people did meanwhile stays, and what got no answer is not done twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.composition.forges import GitHub as Parts
from orchestrator.composition.forges import Opened
from shared.errors import SpinneyError, UserError
from shared.forge.errors import AnswerLost
from shared.forge.github import bodies
from shared.forge.port import Draft, Forge, PullRequest, PullState, Sent, Sought
from shared.git.transfers import MOVED
from shared.model import Oid
from tests.support.github.standin import GitHub
from tests.support.repository import Repo

pytestmark = pytest.mark.git
HEAD = "spinney/issue-7"
REF = f"refs/heads/{HEAD}"
DRAFT = Draft(HEAD, "main", "Do it", "What was done.\n", "spinney-task:issue-7", ("spinney",), as_draft=True)

OURS = bodies.write(bodies.Body(bodies.Written(DRAFT.marker, base="main"), "What was done.\n"))


@pytest.fixture
def forge(opened_github: Opened) -> Forge:
    return opened_github.forge


@pytest.fixture
def tip(repo: Repo, forge: Forge) -> Oid:
    return push(repo, forge)


def push(repo: Repo, forge: Forge, head: str = HEAD, before: Oid | None = None) -> Oid:
    oid = Oid(repo.commit(f"work on {head}"))
    assert forge.send([Sent(f"refs/heads/{head}", oid, before)]) == {}
    return oid


def find(forge: Forge) -> PullRequest | None:
    return forge.find([Sought(HEAD, DRAFT.marker)]).get(DRAFT.marker)


# --- opening


def test_pull_request_is_a_draft_with_all_that_was_wished_in_two_calls(
    forge: Forge, tip: Oid, github: GitHub
) -> None:
    milestone = github.milestone("1.0")
    before = len(github.calls)
    pull = forge.open(replace(DRAFT, labels=("a", "b"), assignees=("ada",), milestone=milestone.number), tip)
    assert len(github.calls) - before == 2
    (issue,) = github.pulls("open")
    assert (issue.number, pull.as_draft, pull.tip) == (pull.number, True, tip)
    assert sorted(label.name for label in issue.labels) == ["a", "b"]
    assert [user.login for user in issue.assignees] == ["ada"]
    assert issue.milestone is milestone
    assert find(forge) == forge.get(pull.number) == pull


def test_pull_request_with_nothing_to_be_given_is_one_call(forge: Forge, tip: Oid, github: GitHub) -> None:
    before = len(github.calls)
    forge.open(replace(DRAFT, labels=()), tip)
    assert len(github.calls) - before == 1


def test_reviewers_are_asked(forge: Forge, tip: Oid, github: GitHub) -> None:
    github.person("bob", "write")
    pull = forge.open(replace(DRAFT, reviewers=("bob",)), tip)
    assert github.calls.of("POST", "/requested_reviewers")
    assert forge.update(pull.number, replace(DRAFT, reviewers=("bob",)), tip) == forge.get(pull.number)
    assert len(github.calls.of("POST", "/requested_reviewers")) == 1


def test_reviewer_who_cannot_be_asked_stops_nothing(
    forge: Forge, tip: Oid, github: GitHub, parts: Parts
) -> None:
    pull = forge.open(replace(DRAFT, reviewers=("nobody-of-that-name",)), tip)
    assert forge.get(pull.number).labels == ("spinney",)
    assert any("nobody was asked to review" in note for note in parts.noted())


def test_milestone_that_is_not_there_stops_nothing(
    forge: Forge, tip: Oid, github: GitHub, parts: Parts
) -> None:
    pull = forge.open(replace(DRAFT, milestone=99), tip)
    assert pull.labels == ("spinney",)
    assert any("no milestone" in note for note in parts.noted())


@pytest.mark.parametrize("kind", ["lose", "drop", "late-status", "junk"])
def test_opening_without_an_answer_opens_one(forge: Forge, tip: Oid, github: GitHub, kind: str) -> None:
    github.fail("POST /.*/pulls$", kind)
    pull = forge.open(DRAFT, tip)
    (issue,) = github.pulls()
    assert (issue.number, [label.name for label in issue.labels]) == (pull.number, ["spinney"])
    assert find(forge) == pull


@pytest.mark.parametrize("kind", ["lose", "drop", "late-status"])
def test_labels_without_an_answer_are_given_once_more(
    forge: Forge, tip: Oid, github: GitHub, kind: str
) -> None:
    github.fail("PATCH /.*/issues/", kind)
    pull = forge.open(DRAFT, tip)
    assert forge.get(pull.number).labels == ("spinney",)
    assert len(github.pulls()) == 1


def test_crash_between_opening_and_labels_is_made_good_by_the_next_run(
    forge: Forge, tip: Oid, github: GitHub
) -> None:
    github.fail("PATCH /.*/issues/", "status", status=500, times=0)
    with pytest.raises(AnswerLost):
        forge.open(DRAFT, tip)
    github.faults.clear()
    pull = find(forge)
    assert pull is not None
    assert forge.update(pull.number, DRAFT, tip).labels == ("spinney",)
    assert len(github.pulls()) == 1


def test_second_opening_finds_the_first(forge: Forge, tip: Oid, github: GitHub) -> None:
    first = forge.open(DRAFT, tip)
    assert forge.open(replace(DRAFT, body="New"), tip).number == first.number
    assert forge.get(first.number).body == "New"


@pytest.mark.parametrize("words", ["My words", "marker"])
def test_pull_request_that_a_person_opened_on_our_branch_is_left_as_it_is(
    forge: Forge, tip: Oid, github: GitHub, words: str
) -> None:
    github.person("eve", None)
    body = OURS if words == "marker" else words
    theirs = github.pull(HEAD, title="Mine", body=body, author="eve")
    with pytest.raises(SpinneyError, match=f"#{theirs.number}, which eve opened, and not Spinney"):
        forge.open(DRAFT, tip)
    assert (theirs.title, theirs.body, theirs.labels) == ("Mine", body, [])
    assert (find(forge), forge.list(), forge.get(theirs.number).marker) == (None, (), "")


def test_pull_request_of_a_stranger_stands_for_nothing(forge: Forge, tip: Oid, github: GitHub) -> None:
    github.person("eve", None)
    github.commit("release", "r", "r", start="main")
    ours = forge.open(DRAFT, tip)
    theirs = github.pull(HEAD, "release", body=OURS, author="eve")
    assert find(forge) == forge.get(ours.number)
    github.close(theirs, by="eve")
    assert find(forge) == forge.get(ours.number)
    assert [pull.number for pull in forge.list()] == [ours.number]


def test_lost_answer_is_not_found_in_a_strangers_pull_request(forge: Forge, tip: Oid, github: GitHub) -> None:
    github.person("eve", None)
    github.commit("release", "r", "r", start="main")
    theirs = github.pull(HEAD, "release", body=OURS, author="eve")
    github.fail("POST /.*/pulls$", "lose")
    pull = forge.open(DRAFT, tip)
    assert (pull.number != theirs.number, pull.marker) == (True, DRAFT.marker)


def test_pull_request_of_whoever_may_write_and_of_programs_is_gone_on_with(
    forge: Forge, tip: Oid, github: GitHub
) -> None:
    github.person("bob", "write")
    theirs = github.pull(HEAD, body=OURS, author="bob")
    assert forge.open(DRAFT, tip).number == theirs.number
    github.close(theirs, by="bob")
    robot = github.pull(HEAD, body=OURS, author=github.person("robot[bot]", None, "Bot"))
    found = find(forge)
    assert found is not None
    assert (found.number, found.state) == (robot.number, PullState.OPEN)


def test_open_pull_request_counts_before_newer_ones_that_are_over(
    forge: Forge, tip: Oid, github: GitHub
) -> None:
    ours = forge.open(DRAFT, tip)
    github.commit("release", "r", "r", start="main")
    newer = github.pull(HEAD, "release", body=OURS, author="bob")
    github.person("bob", "write")
    github.close(newer, by="bob")
    assert find(forge) == forge.get(ours.number)


def test_own_pull_request_is_found_behind_many_of_a_stranger(forge: Forge, tip: Oid, github: GitHub) -> None:
    github.person("eve", None)
    ours = forge.open(DRAFT, tip)
    github.commit("release", "r", "r", start="main")
    for _ in range(11):
        github.close(github.pull(HEAD, "release", body=OURS, author="eve"), by="eve")
    assert find(forge) == forge.get(ours.number)


def test_repository_without_drafts_gets_an_ordinary_one_and_a_note(
    forge: Forge, tip: Oid, github: GitHub, parts: Parts
) -> None:
    github.repo.drafts = False
    pull = forge.open(DRAFT, tip)
    assert (pull.as_draft, pull.labels) == (False, ("spinney",))
    assert any("drafts are not possible" in note for note in parts.noted())


def test_branch_without_anything_new_is_refused_in_words(forge: Forge, repo: Repo, github: GitHub) -> None:
    forge.send([Sent(REF, Oid(repo.head))])
    with pytest.raises(Exception, match=f"the pull request of {HEAD} into main was not opened: .*No commits"):
        forge.open(DRAFT, Oid(repo.head))


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_branch_that_github_does_not_see_yet_is_waited_for(
    forge: Forge, tip: Oid, github: GitHub, seconds: float
) -> None:
    github.seen_after = seconds
    assert forge.open(DRAFT, tip).tip == tip
    assert len(github.pulls("open")) == 1


def test_branch_that_github_never_sees_is_refused_in_words(
    opened_github: Opened, tip: Oid, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        "shared.forge.github.client.Client.pause", lambda self, seconds: waits.append(seconds)
    )
    github.seen_after = 3600.0
    with pytest.raises(SpinneyError, match=r"was not opened: .*head invalid"):
        opened_github.forge.open(DRAFT, tip)
    assert (waits, github.pulls()) == ([1.0, 3.0, 6.0], [])


def test_branch_that_is_not_there_is_not_waited_for(
    forge: Forge, tip: Oid, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("shared.forge.github.client.Client.pause")
    assert forge.send([Sent(REF, None, tip)]) == {}
    with pytest.raises(SpinneyError, match=r"was not opened: .*head invalid"):
        forge.open(DRAFT, tip)


# --- finding


def test_pull_requests_of_many_branches_are_found_by_one_question(
    forge: Forge, repo: Repo, github: GitHub
) -> None:
    names = [f"spinney/issue-{n}" for n in range(12)]
    tips = [Oid(repo.commit(name)) for name in names]
    forge.send([Sent(f"refs/heads/{name}", oid) for name, oid in zip(names, tips, strict=True)])
    for name, oid in zip(names, tips, strict=True):
        forge.open(replace(DRAFT, head=name, marker=name, labels=()), oid)
    before = len(github.calls)
    found = forge.find([Sought(name, name) for name in (*names, "spinney/none")])
    assert len(github.calls) - before == 1
    assert sorted(found) == sorted(names)


def test_closed_and_merged_ones_are_found_and_the_newest_counts(
    forge: Forge, tip: Oid, github: GitHub
) -> None:
    first = forge.open(DRAFT, tip)
    forge.close(first.number)
    assert find(forge) == forge.get(first.number)
    second = forge.open(DRAFT, tip)
    github.merge(second.number)
    found = find(forge)
    assert found is not None
    assert (found.number, found.state) == (second.number, PullState.MERGED)
    assert found.merged == github.bare.heads()["main"]


def test_marker_in_a_pull_request_of_another_branch_finds_nothing(
    forge: Forge, repo: Repo, tip: Oid, github: GitHub
) -> None:
    forge.open(DRAFT, tip)
    assert forge.find([Sought("spinney/other", DRAFT.marker)]) == {}


# --- what people do meanwhile


def test_what_people_changed_stays(forge: Forge, tip: Oid, github: GitHub) -> None:
    pull = forge.open(DRAFT, tip)
    (issue,) = github.pulls()
    issue.title = "A better title"
    issue.body = f"Read this first.\n\n{issue.body}"
    github.commit("develop", "x", "y")
    pull_base(github, "develop")
    updated = forge.update(
        pull.number, replace(DRAFT, title="New", body="New\n", labels=("spinney", "x")), tip
    )
    assert (updated.title, updated.body, updated.base) == (
        "A better title",
        "Read this first.\n\nNew\n",
        "develop",
    )
    assert updated.labels == ("spinney", "x")


def pull_base(github: GitHub, base: str) -> None:
    (issue,) = github.pulls()
    assert issue.pull is not None
    issue.pull.base = base


@pytest.mark.parametrize("end", ["closed", "merged"])
def test_what_is_over_is_not_touched(forge: Forge, tip: Oid, github: GitHub, end: str) -> None:
    pull = forge.open(DRAFT, tip)
    github.close(pull.number) if end == "closed" else github.merge(pull.number)
    before = len(github.calls.writes())
    assert forge.update(pull.number, replace(DRAFT, title="New"), tip).state == end
    assert len(github.calls.writes()) == before
    with pytest.raises(UserError, match=f"is {end} already"):
        forge.close(pull.number)


def test_update_of_nothing_new_writes_nothing(forge: Forge, tip: Oid, github: GitHub) -> None:
    pull = forge.open(DRAFT, tip)
    before = len(github.calls.writes())
    assert forge.update(pull.number, DRAFT, tip) == pull
    assert len(github.calls.writes()) == before


@pytest.mark.parametrize("kind", ["lose", "drop", "late-status"])
def test_update_without_an_answer_is_made_once_more(
    forge: Forge, tip: Oid, github: GitHub, kind: str
) -> None:
    pull = forge.open(DRAFT, tip)
    github.fail("PATCH ", kind)
    assert forge.update(pull.number, replace(DRAFT, body="New"), tip).body == "New"
    assert forge.get(pull.number).body == "New"


# --- branches


def test_branches_are_one_push_and_come_back_as_tips(forge: Forge, repo: Repo, github: GitHub) -> None:
    tips = {f"refs/heads/spinney/{n}": Oid(repo.commit(f"work {n}")) for n in range(24)}
    assert forge.send([Sent(ref, oid) for ref, oid in tips.items()]) == {}
    assert len(github.calls.pushes()) == 1
    assert forge.tips() == tips


def test_branch_that_somebody_moved_stays(forge: Forge, repo: Repo, tip: Oid, github: GitHub) -> None:
    theirs = github.commit(HEAD, "theirs", "x")
    assert forge.send([Sent(REF, Oid(repo.commit("more")), tip)]) == {REF: MOVED}
    assert forge.tips() == {REF: theirs}


@pytest.mark.parametrize("kind", ["lose", "late-status", "junk"])
def test_push_without_an_answer_is_looked_up(forge: Forge, repo: Repo, github: GitHub, kind: str) -> None:
    oid = Oid(repo.commit("work"))
    github.fail("GIT git-receive-pack", kind)
    assert forge.send([Sent(REF, oid)]) == {}
    assert forge.tips() == {REF: oid}


def test_push_that_was_cut_before_it_arrived_is_an_error(forge: Forge, repo: Repo, github: GitHub) -> None:
    github.fail("GIT git-receive-pack", "drop", times=0)
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        forge.send([Sent(REF, Oid(repo.commit("work")))])
    assert forge.tips() == {}


def test_token_that_may_not_push_is_told_apart(
    forge: Forge, repo: Repo, github: GitHub, parts: Parts
) -> None:
    github.repo.permissions.clear()
    with pytest.raises(Exception, match=r"127\.0\.0\.1/acme/widgets") as caught:
        forge.send([Sent(REF, Oid(repo.commit("work")))])
    assert github.token not in f"{caught.value} {caught.value.__cause__}"
