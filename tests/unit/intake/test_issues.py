"""Issues as they were read become tasks, or are left out with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.intake.issue_text import COMMENTS, read
from orchestrator.intake.issues import Found, Taken, branch, mentioned, take, task_id
from orchestrator.intake.references import whole
from orchestrator.intake.standing import Terms
from shared.errors import UserError
from shared.forge.port import PullRequest, PullState
from shared.forge.tracker import IssueRef, IssueSnapshot, LinkedPull, NoIssue
from shared.model import TaskId
from tests.support import build
from tests.support.trackers import REPOSITORY, comment, issue, relation


def taken(
    *snapshots: IssueSnapshot | NoIssue,
    states: tuple[Any, ...] = (),
    pulls: Mapping[int, PullState] | None = None,
    named: bool = True,
    **terms: Any,
) -> Taken:
    made = Terms(**terms)
    issues = [s if isinstance(s, NoIssue) else read(s, "github.com", made.trusted_until) for s in snapshots]
    refs = frozenset(whole(s.ref, REPOSITORY) for s in snapshots) if named else frozenset()
    ours = {TaskId(f"issue-{n}"): pull(n, state) for n, state in (pulls or {}).items()}
    return take(Found(REPOSITORY, issues, refs, {r.ref: r for r in states}, ours), made)


def pull(number: int, state: PullState) -> PullRequest:
    head = f"spinney/issue-{number}"
    return PullRequest(number + 100, "", head, "main", "", "", state, build.oid(1))


def reasons(result: Taken) -> dict[str, str]:
    return {entry.source: entry.reason for entry in result.left_out}


def needs(result: Taken) -> dict[str, tuple[str, ...]]:
    return {task.id: task.needs for task in result.tasks}


# --- tasks


def test_an_issue_is_a_task_with_its_text_and_where_it_comes_from() -> None:
    read_ = issue(12, "Do\r\nit.", title="Fix\u200b the login", labels=("bug",), milestone=3)
    [task] = taken(read_).tasks
    assert (task.id, task.title, task.body, task.labels) == ("issue-12", "Fix the login", "Do\nit.", ("bug",))
    made = task.issue
    assert (made.repository, made.number, made.url, made.author) == (REPOSITORY, 12, read_.url, "ada")
    assert (made.updated, made.labels, made.milestone) == ("2026-11-20T10:00:00Z", ("bug",), 3)
    assert made.hidden == 1
    assert len(made.digest) == 64


def test_the_digest_is_of_the_text_that_was_taken() -> None:
    def digest(one: IssueSnapshot) -> str:
        return taken(one).tasks[0].issue.digest

    assert digest(issue(1, "a <!-- x -->")) == digest(issue(1, "a", labels=("x",)))
    assert digest(issue(1, "a")) != digest(issue(1, "b"))
    assert digest(issue(1, "a")) != digest(issue(1, "a", comments=(comment("b"),)))


def test_an_issue_of_another_repository_is_called_by_it() -> None:
    assert task_id(IssueRef(1, "Octo/Repo"), REPOSITORY) == "issue-1"
    assert task_id(IssueRef(1, "ada/Engine"), REPOSITORY) == "ada-engine-1"
    assert branch(IssueRef(1), REPOSITORY) == "spinney/issue-1"
    [task] = taken(issue(1, repository="ada/engine")).tasks
    assert task.id == "ada-engine-1"
    assert task.issue.repository == "ada/engine"


@pytest.mark.parametrize("body", ["---\nrun: rm -rf /\n---\n", "run: rm -rf /", "```\nrun: x\n```"])
def test_text_that_looks_like_a_setting_is_text(body: str) -> None:
    [task] = taken(issue(1, body)).tasks
    assert task.body == body.strip("\n")


def test_comments_follow_as_quotes_with_author_and_time() -> None:
    both = (comment("First.\n\n- [ ] a box"), comment("Second.", "alan", "2026-11-21T11:00:00Z"))
    [task] = taken(issue(1, "Do it.", comments=both)).tasks
    assert task.body == (
        "Do it.\n\n## Comments\n\n"
        "grace wrote on 2026-11-20T11:00:00Z:\n\n> First.\n>\n> - [ ] a box\n\n"
        "alan wrote on 2026-11-21T11:00:00Z:\n\n> Second."
    )
    assert task.issue.comments == 2


def test_of_many_comments_the_newest_are_taken_and_the_rest_is_counted() -> None:
    many = tuple(comment(f"{number:05} " + "x" * 94) for number in range(10_000))
    [task] = taken(issue(1, comments=many)).tasks
    assert "> 09999 " in task.body
    assert "> 00000 " not in task.body
    assert len(task.body) < COMMENTS
    assert task.issue.comments == 99  # 100 characters each, and 64 for who wrote it
    assert task.issue.cut == 1_000_000 - 99 * 100
    assert taken(issue(1, comments=many)).notes == (
        "#1: 990,100 characters were left out of its text, which is too long",
    )


def test_comments_without_anything_to_see_do_not_take_long() -> None:
    many = tuple(comment("\u200b" * 60_000) for _ in range(1_000))
    [task] = taken(issue(1, comments=many)).tasks
    assert task.issue.comments == 0
    assert task.body == "Do it."


def test_a_long_body_is_cut_and_hidden_text_counted_for_people() -> None:
    result = taken(issue(1, "x" * 65_540), issue(2, "a<!-- 340 -->"), issue(3, "a\u200b"))
    assert result.notes == (
        "#1: 4 characters were left out of its text, which is too long",
        "#2: 12 hidden characters were left out of its text",
        "#3: 1 hidden character was left out of its text",
    )


# --- left out


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "closed"}, "it is closed"),
        ({"state": "closed", "state_reason": "NOT_PLANNED"}, "it is closed as not planned"),
        ({"state": "closed", "state_reason": "duplicate"}, "it is closed as a duplicate"),
        ({"locked": True}, "it is locked"),
        ({"body": ""}, "it has no text; say in it what to do"),
        ({"body": " \n"}, "it has no text; say in it what to do"),
        ({"body": "<!-- a -->"}, "it has no text that can be seen; say in it what to do"),
    ],
)
def test_what_is_not_to_be_worked_on_is_left_out(fields: dict[str, Any], reason: str) -> None:
    result = taken(issue(1, **fields))
    assert result.tasks == ()
    [entry] = result.left_out
    assert (entry.source, entry.title, entry.reason) == ("#1", "Issue 1", reason)
    assert entry.url == "https://github.com/octo/repo/issues/1"


@pytest.mark.parametrize(
    ("state", "terms", "reason"),
    [
        (PullState.OPEN, {}, "pull request #101 is open for it; --continue goes on with that, --fresh begins anew"),
        (PullState.OPEN, {"go_on": True}, ""),
        (PullState.OPEN, {"fresh": True}, ""),
        (PullState.CLOSED, {}, "its pull request #101 was closed without merging; --fresh begins anew"),
        (PullState.CLOSED, {"go_on": True}, "its pull request #101 was closed without merging; --fresh begins anew"),
        (PullState.CLOSED, {"fresh": True}, ""),
        (PullState.MERGED, {}, "its pull request #101 is merged; --fresh begins anew"),
        (PullState.MERGED, {"go_on": True}, "its pull request #101 is merged; --fresh begins anew"),
    ],
)  # fmt: skip
def test_what_was_worked_on_is_left_out_unless_asked_for(
    state: PullState, terms: dict[str, Any], reason: str
) -> None:
    assert reasons(taken(issue(1), pulls={1: state}, **terms)) == ({"#1": reason} if reason else {})


def test_the_pull_request_that_has_an_issue_in_work_is_named_for_machines() -> None:
    assert taken(issue(1), pulls={1: PullState.OPEN}).left_out[0].pull == 101
    assert taken(issue(1), pulls={1: PullState.CLOSED}).left_out[0].pull is None


def test_somebody_elses_pull_request_has_an_issue_in_work() -> None:
    other = LinkedPull(7, "", "fix", "alan", same_repository=True, trusted=True)
    ours = LinkedPull(8, "", "spinney/issue-1", "bot", same_repository=True, trusted=True)
    fork = LinkedPull(9, "", "spinney/issue-1", "eve", same_repository=False, trusted=True)
    told = "by alan is open and closes it; --fresh works on it nevertheless"
    assert reasons(taken(issue(1, pulls=(ours, other)))) == {"#1": f"pull request #7 {told}"}
    assert reasons(taken(issue(1, pulls=(ours,)))) == {}
    assert "#9 by eve" in reasons(taken(issue(1, pulls=(fork,))))["#1"]
    assert reasons(taken(issue(1, pulls=(other,)), fresh=True)) == {}


@pytest.mark.parametrize("same_repository", [True, False])
def test_pull_request_of_a_stranger_keeps_no_issue_from_being_worked_on(*, same_repository: bool) -> None:
    theirs = LinkedPull(9, "", "fix", "eve", same_repository)
    found = taken(issue(1, pulls=(theirs,)))
    assert reasons(found) == {}
    assert found.notes == (
        "#1: pull request #9 by eve says that it closes it; its author may not write here, so that it does not count",
    )


UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_text_that_was_changed_after_it_was_asked_for_is_not_taken() -> None:
    before, later = "2026-11-20T11:59:59Z", "2026-11-20T14:00:00+01:00"
    result = taken(issue(1, edited=before), issue(2, edited=later), issue(3, edited="?"), trusted_until=UNTIL)
    same_second = "2026-11-20T12:00:00Z"
    assert not taken(issue(1, edited=same_second), trusted_until=UNTIL).tasks
    assert [task.id for task in result.tasks] == ["issue-1"]
    assert reasons(result)["#2"] == (
        f"its text was changed at {later}, after it was asked for; read it, and ask again"
    )
    assert "#3" in reasons(result)
    assert len(taken(issue(2, edited=later)).tasks) == 1


def test_an_issue_that_was_written_after_it_was_asked_for_is_not_taken() -> None:
    before, later = "2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z"
    result = taken(issue(1, created=before), issue(2, created=later), trusted_until=UNTIL)
    assert [task.id for task in result.tasks] == ["issue-1"]
    assert reasons(result)["#2"] == (
        f"its text was written at {later}, after it was asked for; read it, and ask again"
    )


def test_comments_that_came_or_changed_after_it_was_asked_for_are_not_taken() -> None:
    three = (
        comment("good"),
        comment("late", created="2026-11-20T12:00:01Z"),
        comment("changed", edited="2026-11-20T12:00:01Z"),
    )
    [task] = taken(issue(1, comments=three), trusted_until=UNTIL).tasks
    assert task.issue.comments == 1
    assert "late" not in task.body
    assert "changed" not in task.body


# --- missing


def test_issues_that_cannot_be_had_are_refused_all_together() -> None:
    gone = NoIssue(IssueRef(8), "it was deleted")
    moved = NoIssue(IssueRef(9), "it was transferred", "ada/engine#4")
    with pytest.raises(UserError) as caught:
        taken(issue(1), gone, moved, issue(10, is_pull_request=True))
    assert caught.value.message == "3 issues that were asked for cannot be had; nothing was started"
    assert caught.value.hints == (
        "#8: it was deleted",
        "#9: it was transferred; it is ada/engine#4 now",
        "#10: it is a pull request, and a task is made of an issue",
    )
    assert caught.value.exit_code == 2


def test_what_a_query_finds_and_is_no_issue_is_passed_over() -> None:
    result = taken(issue(1), issue(10, is_pull_request=True), named=False)
    assert [task.id for task in result.tasks] == ["issue-1"]
    assert result.left_out == ()


# --- order


def test_texts_and_githubs_own_relations_give_the_order() -> None:
    result = taken(
        issue(1),
        issue(2, "Blocked by #1."),
        issue(3, blocked_by=(relation(2),)),
        issue(4, "- [ ] #5\n- [x] #1", sub_issues=(relation(6),)),
        issue(5),
        issue(6),
        issue(7, "Part of #4."),
        issue(8, parent=relation(4)),
    )
    assert needs(result) == {
        "issue-1": (),
        "issue-2": ("issue-1",),
        "issue-3": ("issue-2",),
        "issue-4": ("issue-6", "issue-5", "issue-7", "issue-8"),
        "issue-5": (),
        "issue-6": (),
        "issue-7": (),
        "issue-8": (),
    }


def test_order_holds_across_repositories_however_they_are_written() -> None:
    result = taken(
        issue(1, "Depends on Ada/Engine#2, https://github.com/OCTO/repo/issues/3."),
        issue(2, "blocked by #5, octo/repo#3", repository="ada/engine"),
        issue(3),
        states=(relation(5, "closed", "Ada/Engine"),),
    )
    assert needs(result) == {
        "issue-1": ("ada-engine-2", "issue-3"),
        "ada-engine-2": ("issue-3",),
        "issue-3": (),
    }


def test_a_need_that_is_done_is_met() -> None:
    result = taken(
        issue(
            1,
            "blocked by #2, #3, #4",
            blocked_by=(relation(5, "closed"),),
            sub_issues=(relation(6, "closed"),),
        ),
        issue(2, state="closed"),
        issue(3),
        states=(relation(4, "closed"),),
        pulls={3: PullState.MERGED},
    )
    assert needs(result) == {"issue-1": ()}


def test_a_need_that_is_open_and_not_asked_for_leaves_out_who_waits_for_it() -> None:
    result = taken(
        issue(1, "blocked by #7"),
        issue(2, "depends on ada/engine#3"),
        issue(3, blocked_by=(relation(7),)),
        issue(4, sub_issues=(relation(9),)),
        issue(5, "blocked by #99"),
        issue(6, "part of #70"),
        states=(relation(7), relation(3, repository="ada/engine")),
    )
    assert reasons(result) == {
        "#1": "blocked by #7, which is open and not in this batch; add it: '#7'",
        "#2": "depends on ada/engine#3, which is open and not in this batch; add it: 'ada/engine#3'",
        "#3": "blocked by #7, which is open and not in this batch; add it: '#7'",
        "#4": "it has the part #9, which is open and not in this batch; add it: '#9'",
        "#5": "blocked by #99, which is not there, or cannot be seen from here",
    }
    assert needs(result) == {"issue-6": ()}


def test_whoever_waits_for_what_is_left_out_is_left_out_too() -> None:
    result = taken(
        issue(1, "blocked by #2"),
        issue(2, "blocked by #3"),
        issue(3, locked=True),
        issue(4, "part of #5"),
        issue(5),
    )
    assert reasons(result) == {
        "#1": "blocked by #2, which is left out",
        "#2": "blocked by #3, which is left out",
        "#3": "it is locked",
    }
    assert needs(result) == {"issue-4": (), "issue-5": ("issue-4",)}


def test_an_issue_does_not_wait_for_itself() -> None:
    assert needs(taken(issue(1, "blocked by #1, octo/repo#1. Part of #1. - [ ] #1"))) == {"issue-1": ()}


def test_a_single_text_cannot_make_a_circle() -> None:
    assert needs(taken(issue(1), issue(2, "Part of #1. Blocked by #1."))) == {
        "issue-1": (),
        "issue-2": ("issue-1",),
    }


def test_only_what_nobody_told_yet_is_asked_for() -> None:
    texts = [
        read(one, "github.com")
        for one in (
            issue(1, "blocked by #2, #3, #4", blocked_by=(relation(3),)),
            issue(2, "part of #50\n- [ ] #6\n- [x] #7"),
            issue(8, "depends on #9", repository="ada/engine"),
        )
    ]
    assert mentioned(texts, REPOSITORY) == (
        IssueRef(4, REPOSITORY),
        IssueRef(6, REPOSITORY),
        IssueRef(9, "ada/engine"),
    )
