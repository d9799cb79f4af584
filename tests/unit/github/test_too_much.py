"""Long texts of strangers keep nobody else's issue from being read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.forge.github.errors import TooMuch
from shared.forge.github.issues import GitHubTracker
from shared.forge.github.notes import Notes
from shared.forge.tracker import IssueRef, IssueSnapshot, NoIssue

REPOSITORY = "o/r"


class Weighing:
    """An API that tells so many characters of comments at once. ``comments`` are those of each issue, the oldest first."""

    def __init__(self, most: int, comments: Mapping[int, list[str]]) -> None:
        self.most, self.comments = most, comments
        self.asked: list[tuple[tuple[int, ...], int]] = []

    def graphql(self, query: str, variables: Mapping[str, Any], **_: Any) -> Mapping[str, Any]:
        numbers = tuple(int(n) for n in re.findall(r"\(number: (\d+)\)", query))
        [last] = re.findall(r"comments\(last: (\d+)\)", query)
        self.asked.append((numbers, int(last)))
        read = {n: self.comments[n][-int(last) :] for n in numbers}
        if sum(len(text) for texts in read.values() for text in texts) > self.most:
            raise TooMuch("POST /graphql: the answer is longer than 32 MiB")
        return {"repository": {f"i{n}": node(n, len(self.comments[n]), texts) for n, texts in read.items()}}

    def get(self, path: str, **_: Any) -> Any:
        if path.endswith("/permission"):
            return {"permission": "write", "user": {"type": "User"}}
        return {"url": f"https://api.github.com{path}"}


def node(number: int, total: int, texts: list[str]) -> dict[str, Any]:
    said = [
        {
            "databaseId": n, "url": "", "body": text, "createdAt": "2026-01-01T00:00:00Z", "lastEditedAt": None,
            "isMinimized": False, "viewerDidAuthor": False, "authorAssociation": "MEMBER",
            "author": {"__typename": "User", "login": "ada"},
        }
        for n, text in enumerate(texts)
    ]  # fmt: skip
    return {
        "__typename": "Issue", "number": number, "url": "", "title": "t", "body": "b", "state": "OPEN",
        "locked": False, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        "lastEditedAt": None, "repository": {"nameWithOwner": REPOSITORY}, "author": {"login": "ada"},
        "comments": {"totalCount": total, "nodes": said},
    }  # fmt: skip


def read(api: Weighing) -> tuple[list[IssueSnapshot | NoIssue], tuple[str, ...]]:
    notes = Notes()
    tracker = GitHubTracker(api, REPOSITORY, notes=notes)  # type: ignore[arg-type]
    return list(tracker.issues([IssueRef(number) for number in api.comments])), notes.all()


def test_so_many_issues_as_are_too_much_are_asked_for_in_halves() -> None:
    api = Weighing(100, {number: ["x" * 30] for number in range(1, 9)})
    found, notes = read(api)
    assert [one.ref.number for one in found if isinstance(one, IssueSnapshot)] == list(range(1, 9))
    assert [len(numbers) for numbers, _ in api.asked] == [8, 4, 2, 2, 4, 2, 2]
    assert notes == ()


def test_one_issue_that_is_too_much_is_read_with_its_newest_comments() -> None:
    api = Weighing(100, {1: ["y"], 2: ["x" * 60] * 4, 3: ["z"]})
    found, notes = read(api)
    texts = [[c.text for c in one.comments] for one in found if isinstance(one, IssueSnapshot)]
    assert texts == [["y"], ["x" * 60], ["z"]]
    assert [one.other_comments for one in found if isinstance(one, IssueSnapshot)] == [0, 3, 0]
    assert notes == ("#2: only the newest comments are looked at, because they are very long",)


def test_issue_that_is_never_told_is_none_and_hides_no_other() -> None:
    api = Weighing(100, {1: ["y"], 2: ["x" * 200]})
    first, second = read(api)[0]
    assert isinstance(first, IssueSnapshot)
    assert second == NoIssue(IssueRef(2, REPOSITORY), "GitHub does not show it whole; try again")
    assert read(api)[1] == ("#2 is left out: it is more than GitHub tells at once",)


def test_comment_of_ours_is_looked_for_where_not_all_comments_were_read() -> None:
    """Else a second one would be made."""
    api = Weighing(100, {2: ["x" * 60] * 4})
    tracker = GitHubTracker(api, REPOSITORY)  # type: ignore[arg-type]
    tracker.issues([IssueRef(2)])
    assert 2 not in tracker._saying._complete
