"""Reading GitHub's answers: what may be missing, who counts as a person, and what servers of companies lack."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clock import ManualClock
from shared.forge.github import queries
from shared.forge.github.authors import Author, Authors
from shared.forge.github.errors import Refused
from shared.forge.github.notes import Notes
from shared.forge.github.people import People, allowed
from shared.forge.github.pulls import of_graphql, of_rest
from shared.forge.github.snapshots import comments, contributors, snapshot
from shared.forge.github.standings import check, rollup
from shared.forge.github.watching import end_of_log
from shared.forge.port import PullState

REST: dict[str, Any] = {
    "number": 3, "html_url": "https://github.com/o/r/pull/3", "title": "T", "body": None, "state": "closed",
    "merged_at": None, "head": {"ref": "spinney/a", "sha": "1" * 40, "repo": {"id": 1}},
    "base": {"ref": "main", "repo": {"id": 1}}, "labels": [{"name": "x"}], "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:06Z", "draft": True, "something": "new",
}  # fmt: skip


def nobody(author: Author) -> bool:
    return False


def anybody(author: Author) -> bool:
    return True


@pytest.mark.parametrize(
    ("permission", "kind", "may"),
    [("admin", "User", True), ("maintain", "User", True), ("write", "User", True), ("triage", "User", False),
     ("read", "User", False), ("none", "User", False), ("write", "Bot", False), ("admin", "Organization", False)],
)  # fmt: skip
def test_people_with_write_access_may_write(permission: str, kind: str, may: bool) -> None:
    assert allowed({"permission": permission, "user": {"type": kind}}) is may


def test_answer_that_tells_nothing_allows_nothing() -> None:
    assert not allowed({})
    assert not allowed({"permission": None, "user": None})


def test_right_that_was_taken_away_is_noticed_after_some_minutes() -> None:
    clock, told = ManualClock(), {"permission": "write", "user": {"type": "User"}}
    paths: list[str] = []

    class OneAnswer:
        def get(self, path: str, **query: object) -> object:
            paths.append(path)
            return told

    people = People(OneAnswer(), "o/r", clock.monotonic)  # type: ignore[arg-type]
    assert people.may_write("ada")
    told["permission"] = "read"
    assert people.may_write("Ada")
    clock.advance(600)
    assert not people.may_write("ada")
    assert paths == ["/repos/o/r/collaborators/ada/permission"] * 2


def test_pull_request_of_rest_is_read_without_what_newer_versions_left_out() -> None:
    pull = of_rest(REST, nobody).pull
    assert (pull.state, pull.merged, pull.body, pull.labels, pull.as_draft) == (
        PullState.CLOSED, None, "", ("x",), True,
    )  # fmt: skip
    assert pull.updated - pull.created == 1
    assert of_rest({**REST, "merged_at": "2026-01-02T03:04:05Z"}, nobody).pull.state is PullState.MERGED


@pytest.mark.parametrize("repo", [None, {"id": 2}])
def test_marker_of_a_fork_is_none(repo: dict[str, int] | None) -> None:
    body = '<!-- spinney:begin {"marker":"m"} -->\nx\n<!-- spinney:end -->'
    own = of_rest({**REST, "body": body}, anybody)
    fork = of_rest({**REST, "body": body, "head": {**REST["head"], "repo": repo}}, anybody)
    assert (own.pull.marker, own.own) == ("m", True)
    assert (fork.pull.marker, fork.own) == ("", False)


def test_marker_of_somebody_who_is_not_trusted_is_none() -> None:
    body = '<!-- spinney:begin {"marker":"m","base":"main"} -->\nx\n<!-- spinney:end -->'
    asked: list[Author] = []

    def trusts(author: Author) -> bool:
        asked.append(author)
        return author.login == "ada"

    theirs = of_rest({**REST, "body": body, "user": {"login": "eve", "type": "User"}}, trusts)
    assert (theirs.pull.marker, theirs.pull.meant, theirs.own, theirs.same_repository) == (
        "",
        "",
        False,
        True,
    )
    ours = of_rest({**REST, "body": body, "user": {"login": "ada", "type": "User"}}, trusts)
    assert (ours.pull.marker, ours.pull.meant, ours.own) == ("m", "main", True)
    assert asked == [Author("eve"), Author("ada")]


def test_nobody_is_asked_about_whoever_says_nothing_of_ours() -> None:
    def trusts(author: Author) -> bool:
        raise AssertionError(author)

    assert not of_rest({**REST, "body": "words", "user": {"login": "eve", "type": "User"}}, trusts).own


def test_author_is_this_account_a_program_or_somebody_who_may_write() -> None:
    notes, asked = Notes(), []

    class Viewer:
        def graphql(self, query: str, variables: object) -> object:
            asked.append("viewer")
            return {"viewer": {"login": "Me"}}

    def may_write(login: str) -> bool:
        asked.append(login)
        if login == "hidden":
            raise Refused(403, "no")
        return login == "ada"

    trusts = Authors(Viewer(), may_write, notes).trusts  # type: ignore[arg-type]
    assert trusts(Author("me", viewer=True))
    assert trusts(Author("github-actions", bot=True))
    assert not trusts(Author())
    assert asked == []
    assert trusts(Author("me"))
    assert trusts(Author("ada"))
    assert not trusts(Author("github-actions[bot]", viewer=False))
    assert not trusts(Author("hidden", viewer=False))
    assert asked == ["viewer", "ada", "github-actions[bot]", "hidden"]
    assert len(notes.all()) == 1


def test_pull_request_of_graphql_is_read_with_its_merge() -> None:
    node = {
        "number": 3, "url": "u", "title": "T", "body": "", "state": "MERGED", "isDraft": False, "isCrossRepository": False,
        "headRefName": "h", "headRefOid": "1" * 40, "baseRefName": "main", "createdAt": "2026-01-02T03:04:05Z",
        "updatedAt": "2026-01-02T03:04:05Z", "mergeCommit": {"oid": "2" * 40}, "labels": None,
        "viewerDidAuthor": False, "author": None,
    }  # fmt: skip
    pull = of_graphql(node, nobody).pull
    assert (pull.state, pull.merged, pull.labels) == (PullState.MERGED, "2" * 40, ())


def issue(**fields: Any) -> dict[str, Any]:
    return {
        "__typename": "Issue", "number": 1, "url": "u", "title": "T", "body": None, "state": "OPEN", "locked": False,
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-03T00:00:00Z", "lastEditedAt": None,
        "repository": {"nameWithOwner": "o/r"}, "author": None, "milestone": None, "labels": None, "assignees": None,
        "renamed": {"nodes": []}, "comments": {"totalCount": 0, "nodes": []}, **fields,
    }  # fmt: skip


def test_issue_whose_author_is_gone_is_read() -> None:
    read = snapshot(issue(), lambda *_: True, "o/r")
    assert (read.author, read.body, read.labels, read.parent, read.blocked_by, read.edited) == (
        "ghost", "", (), None, (), "",
    )  # fmt: skip


def test_later_of_text_and_title_is_the_edit() -> None:
    renamed = {"nodes": [{"createdAt": "2026-01-05T00:00:00Z"}]}
    node = issue(lastEditedAt="2026-01-04T00:00:00Z", renamed=renamed)
    assert snapshot(node, lambda *_: True, "o/r").edited == "2026-01-05T00:00:00Z"


def test_part_that_may_not_be_seen_is_left_out() -> None:
    child = {"number": 2, "title": "c", "state": "CLOSED", "repository": {"nameWithOwner": "o/r"}}
    read = snapshot(issue(subIssues={"nodes": [None, child]}), lambda *_: True, "o/r")
    assert [part.ref.number for part in read.sub_issues] == [2]


def said(login: str | None, **fields: Any) -> dict[str, Any]:
    author = {"__typename": fields.pop("kind", "User"), "login": login} if login else None
    return {
        "databaseId": 1, "url": "u", "body": "x", "createdAt": "2026-01-01T00:00:00Z", "lastEditedAt": None,
        "isMinimized": False, "viewerDidAuthor": False, "authorAssociation": "MEMBER", "author": author, **fields,
    }  # fmt: skip


def test_only_people_are_asked_about_and_the_newest_first() -> None:
    asked: list[str] = []

    def takes(login: str, association: str) -> bool:
        asked.append(login)
        return True

    all_of_them = [
        said("old"), said(None), said("robot", kind="Bot"), said("spam", isMinimized=True),
        said("ours", body='<!-- spinney:said {"marker":"m"} -->\nx'), said("new"),
    ]  # fmt: skip
    node = {"comments": {"totalCount": 106, "nodes": all_of_them}}
    taken, others = comments(node, takes)
    assert asked == ["new", "old"]
    assert [comment.author for comment in taken] == ["old", "new"]
    assert others == 103


def test_unknown_fields_that_can_be_done_without_are_named() -> None:
    message = "Field 'blockedBy' doesn't exist on type 'Issue'; Field 'title' doesn't exist on type 'Issue'"
    assert queries.unknown_fields(message) == {"blockedBy"}
    assert "blockedBy" not in queries.issues([1], {"blockedBy"})
    assert "blockedBy" in queries.issues([1])


def test_checks_without_a_commit_or_a_rollup_are_none() -> None:
    assert rollup({"commits": {"nodes": []}}) == ([], None)
    assert rollup({"commits": {"nodes": [{"commit": {"statusCheckRollup": None}}]}}) == ([], None)


@pytest.mark.parametrize(
    ("status", "conclusion", "state"),
    [("QUEUED", None, "waiting"), ("COMPLETED", "SUCCESS", "passed"), ("COMPLETED", "NEUTRAL", "passed"),
     ("COMPLETED", "CANCELLED", "failed"), ("COMPLETED", "STARTUP_FAILURE", "failed"), ("COMPLETED", "NEW_WORD", "failed"),
     ("COMPLETED", "ACTION_REQUIRED", "waiting"), ("NEW_WORD", None, "waiting")],
)  # fmt: skip
def test_state_of_a_check(status: str, conclusion: str | None, state: str) -> None:
    node = {
        "__typename": "CheckRun", "databaseId": 5, "name": "n", "status": status, "conclusion": conclusion,
        "detailsUrl": None, "title": "t", "summary": "s" * 9000, "isRequired": True,
        "checkSuite": {"app": {"slug": "other"}},
    }  # fmt: skip
    read = check(node)
    assert (read.state, read.job, read.required, len(read.summary)) == (state, None, True, 4000)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\0", b"##[error]", b"\xef\xbb\xbf2026-01-02T03:04:05.1Z x"])
def test_log_of_any_bytes_is_read(data: bytes) -> None:
    assert len(end_of_log(data, 10)) <= 10


def test_contributors_are_those_who_may_be_members_that_do_not_show_it() -> None:
    def by(login: str, association: str, kind: str = "User", **fields: Any) -> dict[str, Any]:
        return {"author": {"login": login, "__typename": kind}, "authorAssociation": association, **fields}

    said = [
        by("a", "NONE"), by("b", "CONTRIBUTOR"), by("c", "MEMBER"), by("d", "CONTRIBUTOR", "Bot"),
        by("e", "CONTRIBUTOR", isMinimized=True),
    ]  # fmt: skip
    node = issue(
        comments={"totalCount": 5, "nodes": said},
        closedByPullRequestsReferences={"nodes": [by("f", "CONTRIBUTOR"), None]},
    )
    assert list(contributors(node)) == ["b", "f"]
