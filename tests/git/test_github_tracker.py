"""Issues on the stand-in: read whole by one question, told about once, and nobody believed who may not write."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from orchestrator.composition.forges import GitHub as Parts
from shared.clock import SystemClock
from shared.errors import UserError
from shared.forge.errors import AnswerLost
from shared.forge.github.addresses import host_at
from shared.forge.github.auth import Given
from shared.forge.github.client import open_client
from shared.forge.github.issues import GitHubTracker
from shared.forge.tracker import IssueQuery, IssueRef, IssueSnapshot, NoIssue, Relation, Tracker
from tests.support.github.standin import ALL_PERMISSIONS, GitHub
from tests.support.repository import Repo

pytestmark = pytest.mark.git


@pytest.fixture
def tracker(parts: Parts) -> Tracker:
    return parts.tracker


def read(tracker: Tracker, *numbers: int) -> list[IssueSnapshot | NoIssue]:
    return list(tracker.issues([IssueRef(number) for number in numbers]))


def one(tracker: Tracker, number: int) -> IssueSnapshot:
    (issue,) = read(tracker, number)
    assert isinstance(issue, IssueSnapshot)
    return issue


# --- reading


def test_issue_is_read_with_all_that_it_says(tracker: Tracker, github: GitHub) -> None:
    github.person("bob", "write")
    parent, child, blocker = github.issue("parent"), github.issue("child"), github.issue("blocker")
    made = github.issue(
        "Do it",
        "How\r\n<!-- hidden -->",
        labels=["a", "b"],
        milestone=github.milestone("1.0"),
        assignees=["bob"],
    )
    github.sub_issue(parent, made)
    github.sub_issue(made, child)
    github.blocked(made, blocker)
    github.close(blocker)
    issue = one(tracker, made.number)
    name = "acme/widgets"
    assert (issue.ref, issue.title, issue.body) == (
        IssueRef(made.number, name),
        "Do it",
        "How\r\n<!-- hidden -->",
    )
    assert (issue.author, issue.state, issue.locked, issue.is_pull_request) == ("ada", "open", False, False)
    assert (set(issue.labels), issue.milestone, issue.assignees) == ({"a", "b"}, 1, ("bob",))
    assert issue.parent == Relation(IssueRef(parent.number, name), "open", "parent")
    assert issue.sub_issues == (Relation(IssueRef(child.number, name), "open", "child"),)
    assert issue.blocked_by == (Relation(IssueRef(blocker.number, name), "closed", "blocker"),)
    assert issue.url == f"{github.url}/{name}/issues/{made.number}"
    assert issue.updated


def test_fifty_issues_are_one_question(tracker: Tracker, github: GitHub) -> None:
    numbers = [github.issue(f"issue {n}").number for n in range(50)]
    before = len(github.calls)
    found = read(tracker, *numbers)
    assert len(github.calls) - before == 1
    assert [issue.ref.number for issue in found] == numbers


def test_each_comes_once_and_in_the_order_of_asking(tracker: Tracker, github: GitHub) -> None:
    first, second = github.issue("first"), github.issue("second")
    again = IssueRef(first.number, "ACME/Widgets")
    found = tracker.issues([IssueRef(second.number), IssueRef(first.number), again, IssueRef(second.number)])
    assert [issue.ref.number for issue in found] == [second.number, first.number]


def test_what_is_no_issue_says_why(tracker: Tracker, github: GitHub, repo: Repo) -> None:
    other = github.repository("other", repo.path)
    moved, deleted = github.issue("moved"), github.issue("deleted")
    new = github.transfer(moved, other)
    github.delete(deleted)
    found = read(tracker, moved.number, deleted.number, 999, 2**40)
    assert all(isinstance(issue, NoIssue) for issue in found)
    assert [issue.reason.split(",")[0] for issue in found if isinstance(issue, NoIssue)] == [
        f"it was transferred to acme/other#{new.number}", "it was deleted", "there is none",
        "there is no issue of that number",
    ]  # fmt: skip
    assert isinstance(found[0], NoIssue)
    assert found[0].moved_to == f"acme/other#{new.number}"


def test_pull_request_is_told_apart(tracker: Tracker, github: GitHub) -> None:
    github.commit("topic", "x", "y")
    pull = github.pull("topic", title="A change")
    issue = one(tracker, pull.number)
    assert (issue.is_pull_request, issue.title, issue.state) == (True, "A change", "open")


def test_issue_of_another_repository_is_read_there(tracker: Tracker, github: GitHub, repo: Repo) -> None:
    other = github.repository("other", repo.path)
    made = github.transfer(github.issue("elsewhere"), other)
    (issue,) = tracker.issues([IssueRef(made.number, "acme/other")])
    assert isinstance(issue, IssueSnapshot)
    assert (issue.ref, issue.title) == (IssueRef(made.number, "acme/other"), "elsewhere")


def test_open_pull_request_that_closes_it_is_told(tracker: Tracker, github: GitHub) -> None:
    made = github.issue("Do it")
    github.commit("topic", "x", "y")
    pull = github.pull("topic", body=f"Closes #{made.number}", author="bob")
    (linked,) = one(tracker, made.number).pulls
    assert (linked.number, linked.head, linked.author, linked.same_repository) == (
        pull.number,
        "topic",
        "bob",
        True,
    )
    github.close(pull)
    assert one(tracker, made.number).pulls == ()


@pytest.mark.parametrize(
    ("who", "counts"), [("ada", True), ("bob", True), ("eve", False), ("robot[bot]", True), ("reader", False)]
)
def test_pull_request_that_closes_it_counts_where_its_author_may_write(
    tracker: Tracker, github: GitHub, who: str, *, counts: bool
) -> None:
    github.person("bob", "write")
    github.person("reader", None)
    github.bot("robot", "write")
    made = github.issue("Do it")
    github.commit("topic", "x", "y")
    github.pull("topic", body=f"Closes #{made.number}", author=who)
    (linked,) = one(tracker, made.number).pulls
    assert linked.trusted is counts


def test_change_of_the_text_or_the_title_is_an_edit(tracker: Tracker, github: GitHub) -> None:
    made = github.issue("Do it", "text")
    assert one(tracker, made.number).edited == ""
    github.edit(made, title="Do something else")
    renamed = one(tracker, made.number).edited
    assert renamed
    github.edit(made, body="other")
    assert one(tracker, made.number).edited >= renamed


def test_server_without_dependencies_is_asked_without_them(
    tracker: Tracker, github: GitHub, parts: Parts
) -> None:
    made = github.issue("Do it")
    github.hidden_fields = {"Issue.blockedBy", "Issue.subIssues", "Issue.parent"}
    assert one(tracker, made.number).title == "Do it"
    before = len(github.calls)
    assert one(tracker, made.number).blocked_by == ()
    assert len(github.calls) - before == 1
    assert any("does not tell" in note for note in parts.noted())


# --- comments


def test_comments_are_those_of_people_who_may_write(tracker: Tracker, github: GitHub) -> None:
    github.person("bob", "write")
    github.person("eve", None)
    github.person("reader", "read")
    github.bot("robot", "write")
    made = github.issue("Do it")
    for who in ("ada", "eve", "bob", "reader", "robot[bot]"):
        github.comment(made, f"by {who}", author=who)
    issue = one(tracker, made.number)
    assert [(comment.author, comment.text) for comment in issue.comments] == [
        ("ada", "by ada"),
        ("bob", "by bob"),
    ]
    assert issue.other_comments == 3


def test_crowd_of_strangers_costs_a_few_questions(tracker: Tracker, github: GitHub) -> None:
    made = github.issue("Do it")
    for n in range(60):
        github.comment(made, "me too", author=github.person(f"stranger-{n}", None))
    before = len(github.calls)
    assert one(tracker, made.number).other_comments == 60
    assert len(github.calls) - before <= 11


def test_people_of_whom_nobody_was_asked_are_told(tracker: Tracker, github: GitHub, parts: Parts) -> None:
    made = github.issue("Do it")
    for n in range(11):
        github.comment(made, "me too", author=github.person(f"stranger-{n}", None))
    assert one(tracker, made.number).comments == ()
    assert any("asked of 10 people" in note for note in parts.noted())


def test_what_spinney_said_is_nobodys_comment(tracker: Tracker, github: GitHub) -> None:
    made = github.issue("Do it")
    tracker.say(made.number, "spinney-issue:1", "At work")
    issue = one(tracker, made.number)
    assert (issue.comments, issue.other_comments) == ((), 0)


@pytest.mark.parametrize(
    ("login", "permission", "may"),
    [("a", "admin", True), ("b", "maintain", True), ("c", "write", True), ("d", "triage", False), ("e", "read", False),
     ("f", None, False)],
)  # fmt: skip
def test_who_may_write(tracker: Tracker, github: GitHub, login: str, permission: str, may: bool) -> None:
    github.person(login, permission)  # type: ignore[arg-type]
    assert tracker.may_write(login) is may
    before = len(github.calls)
    assert tracker.may_write(login.upper()) is may
    assert len(github.calls) == before


@pytest.mark.parametrize("login", ["", "nobody", "robot[bot]", "x" * 200, "../../user", "a/b"])
def test_nobody_else_may(tracker: Tracker, github: GitHub, login: str) -> None:
    github.bot("robot", "write")
    assert tracker.may_write(login) is False


# --- queries


def found(tracker: Tracker, **query: Any) -> list[str]:
    got = tracker.issues([], IssueQuery(**query))
    return [issue.title for issue in got if isinstance(issue, IssueSnapshot)]


def test_query_finds_open_issues_by_all_it_says(tracker: Tracker, github: GitHub) -> None:
    soon = github.milestone("soon")
    github.person("bob", "write")
    github.issue("first", labels=["ready", "Bug"], milestone=soon, assignees=["ada"])
    github.issue("second", labels=["ready"], assignees=["bob"])
    github.issue("third", labels=["bug"], milestone=soon)
    github.issue("closed", labels=["ready"], state="closed")
    github.commit("topic", "x", "y")
    github.pull("topic")
    assert found(tracker, labels=("ready",)) == ["first", "second"]
    assert found(tracker, labels=("ready", "bug")) == ["first"]
    assert found(tracker, milestone="soon") == ["first", "third"]
    assert found(tracker, milestone="1") == ["first", "third"]
    assert found(tracker, assignee="@me") == ["first"]
    assert found(tracker, assignee="none") == ["third"]
    assert found(tracker, search="second") == ["second"]
    assert found(tracker, search="is:open", labels=("ready",), assignee="bob") == ["second"]


def test_those_named_come_first_and_none_twice(tracker: Tracker, github: GitHub) -> None:
    github.issue("first", labels=["ready"])
    second = github.issue("second", labels=["ready"])
    other = github.issue("other")
    refs = [IssueRef(other.number), IssueRef(second.number)]
    got = tracker.issues(refs, IssueQuery(labels=("ready",)))
    assert [issue.title for issue in got if isinstance(issue, IssueSnapshot)] == ["other", "second", "first"]


def test_limit_takes_the_oldest_and_says_so(tracker: Tracker, github: GitHub, parts: Parts) -> None:
    for n in range(5):
        github.issue(f"issue {n}", labels=["ready"])
    assert found(tracker, labels=("ready",), limit=3) == ["issue 0", "issue 1", "issue 2"]
    assert any("more than 3 issues match" in note for note in parts.noted())


def test_label_that_does_not_exist_is_told_where_nothing_was_found(
    tracker: Tracker, github: GitHub, parts: Parts
) -> None:
    github.issue("first", labels=["ready"])
    assert found(tracker, labels=("READY",)) == ["first"]
    assert not any(call.path.endswith("/labels") for call in github.calls)
    assert found(tracker, labels=("raedy", "nonsense")) == []
    assert list(parts.noted()) == [
        "acme/widgets has no label 'raedy': did you mean 'ready'?",
        "acme/widgets has no label 'nonsense'",
    ]


def test_milestone_that_is_not_there_is_an_error_that_names_those_that_are(
    tracker: Tracker, github: GitHub
) -> None:
    github.milestone("soon")
    with pytest.raises(UserError) as caught:
        found(tracker, milestone="son")
    assert (caught.value.message, caught.value.hints) == (
        "acme/widgets has no milestone 'son'",
        ("open ones: soon",),
    )


def test_states_of_others_are_one_question(tracker: Tracker, github: GitHub) -> None:
    first, second = github.issue("first"), github.issue("second", state="closed")
    refs = [IssueRef(first.number), IssueRef(second.number), IssueRef(99)]
    before = len(github.calls)
    states = tracker.states(refs)
    assert len(github.calls) - before == 1
    assert {ref.number: there.state for ref, there in states.items()} == {1: "open", 2: "closed"}


# --- telling


def test_comment_is_made_once_and_edited_in_place(tracker: Tracker, github: GitHub) -> None:
    made = github.issue("Do it")
    one(tracker, made.number)
    before = len(github.calls)
    url = tracker.say(made.number, "spinney-issue:1", "At work")
    assert tracker.say(made.number, "spinney-issue:1", "Done") == url
    assert tracker.say(made.number, "spinney-issue:1", "Done") == url
    assert len(github.calls) - before == 2
    (comment,) = made.comments
    assert comment.body.endswith("Done")


def test_next_process_finds_the_comment_also_behind_many_others(
    tracker: Tracker, github: GitHub, parts: Parts
) -> None:
    made = github.issue("Do it")
    url = tracker.say(made.number, "spinney-issue:1", "At work")
    for n in range(120):
        github.comment(made, f"comment {n}")
    again = type(tracker)(parts.api, "acme/widgets")  # type: ignore[call-arg]
    assert again.say(made.number, "spinney-issue:1", "Done") == url
    assert len(made.comments) == 121


def test_marker_that_somebody_copied_is_not_ours(tracker: Tracker, github: GitHub) -> None:
    made = github.issue("Do it")
    tracker.say(made.number, "spinney-issue:1", "At work")
    copied = github.comment(made, made.comments[0].body, author=github.person("eve", "write"))
    tracker.say(made.number, "spinney-issue:1", "Done")
    assert copied.body.endswith("At work")


@pytest.mark.parametrize("kind", ["lose", "late-status", "junk"])
def test_comment_without_an_answer_is_looked_for(tracker: Tracker, github: GitHub, kind: str) -> None:
    made = github.issue("Do it")
    github.fail("POST /.*/comments", kind)
    assert tracker.say(made.number, "spinney-issue:1", "At work")
    tracker.say(made.number, "spinney-issue:1", "Done")
    assert [comment.body.split("\n")[1] for comment in made.comments] == ["Done"]


def test_comment_that_never_arrived_is_said_to_be_lost_and_made_by_the_next_try(
    tracker: Tracker, github: GitHub
) -> None:
    made = github.issue("Do it")
    github.fail("POST /.*/comments", "status", status=500)
    with pytest.raises(AnswerLost):
        tracker.say(made.number, "spinney-issue:1", "At work")
    tracker.say(made.number, "spinney-issue:1", "At work")
    assert len(made.comments) == 1


def test_comment_that_somebody_deleted_stays_away(tracker: Tracker, github: GitHub, parts: Parts) -> None:
    made = github.issue("Do it")
    tracker.say(made.number, "spinney-issue:1", "At work")
    made.comments.clear()
    assert tracker.say(made.number, "spinney-issue:1", "Done") == ""
    assert made.comments == []
    assert any("was deleted" in note for note in parts.noted())


def test_status_shows_at_the_commit_and_the_same_is_said_once(
    tracker: Tracker, github: GitHub, repo: Repo
) -> None:
    tip = github.bare.heads()["main"]
    tracker.mark(tip, "spinney", "pending", "at work")  # type: ignore[arg-type]
    for _ in range(2):
        tracker.mark(tip, "spinney", "success", "3 phases, " + "x" * 200, "https://example.com/")  # type: ignore[arg-type]
    pending, success = github.statuses()
    assert (pending.state, success.state) == ("pending", "success")
    assert len(success.description or "") <= 140


# --- whose label it is


def test_who_put_a_label_on_last_is_told_and_vouched_for(tracker: Tracker, github: GitHub) -> None:
    github.person("triager", "triage")
    github.bot("robot", "write")
    made = github.issue("Do it", labels=["bug"])
    for who, trusted in (("ada", True), ("triager", False), ("robot[bot]", False)):
        github.unlabel(made, "spinney")
        github.label(made, "spinney", by=who)
        last = one(tracker, made.number).labelled[-1]
        assert (last.label, last.bot, tracker.vouches(last)) == ("spinney", "[bot]" in who, trusted)
        assert last.by.removesuffix("[bot]") == who.removesuffix("[bot]")


def test_programs_that_vouch_are_this_account_and_actions(github: GitHub, parts: Parts) -> None:
    token = github.new_installation_token(dict(ALL_PERMISSIONS)).value
    client = open_client(
        host_at(github.api),
        Given(token, "a test"),
        "acme/widgets",
        clock=SystemClock(),
        stop=threading.Event(),
    )
    tracker = GitHubTracker(client, "acme/widgets")
    made = github.issue("Do it")
    for name in ("spinney-test[bot]", "github-actions[bot]", "other[bot]"):
        github.label(made, name.removesuffix("[bot]"), by=github.bot(name, "write"))
    assert [tracker.vouches(put_on) for put_on in one(tracker, made.number).labelled] == [True, True, False]
    client.close()
