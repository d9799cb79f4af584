"""Issues on GitHub: many of them read whole by one question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.errors import UserError
from shared.forge.github import queries, selecting, snapshots
from shared.forge.github.api import Api
from shared.forge.github.errors import Refused, TooMuch
from shared.forge.github.notes import Notes
from shared.forge.github.people import People
from shared.forge.github.saying import Saying
from shared.forge.tracker import (
    CommitState,
    IssueQuery,
    IssueRef,
    IssueSnapshot,
    Labelling,
    NoIssue,
    Relation,
)
from shared.model import CommitMark, Oid

_STRANGERS = (
    10  # of whom it is asked whether they may write all the same: members of an organisation can hide that
)
_FEWER = (10, 1)  # comments, of an issue whose newest hundred are too much for one answer
_ACTIONS = "github-actions"
_ISSUE_URL = re.compile(r".*/([^/]{1,100}/[^/]{1,100})/issues/([0-9]{1,10})\Z")
_SAY = {
    "parent": "parents and parts",
    "subIssues": "parents and parts",
    "blockedBy": "dependencies",
    "closedByPullRequestsReferences": "which pull requests close them",
}


class GitHubTracker:
    def __init__(
        self, api: Api, repository: str, mark: CommitMark = "status", notes: Notes | None = None
    ) -> None:
        self.repository = repository
        self._api, self._notes = api, notes or Notes()
        self._people: dict[str, People] = {}
        self._saying = Saying(api, repository, mark, self._notes)
        self._without: set[str] = set()  # fields that this server does not have
        self._strangers = _STRANGERS
        self._login: str | None = None  # of this account

    # --- reading

    def issues(
        self, refs: Sequence[IssueRef], query: IssueQuery | None = None
    ) -> Sequence[IssueSnapshot | NoIssue]:
        wanted = list(dict.fromkeys(self._full(ref) for ref in refs))
        found: list[IssueRef] = []
        if query:
            numbers, more = selecting.numbers(self._api, self.repository, query)
            if more:
                self._notes.add(
                    f"more than {query.limit} issues match: the {query.limit} oldest are taken; see --limit"
                )
            found = [ref for number in sorted(numbers) if (ref := self._full(IssueRef(number))) not in wanted]
        read = self._read([*wanted, *found])
        chosen = self._chosen(query, [read[ref] for ref in found]) if query else []
        if query and query.labels and not chosen:
            for note in selecting.unknown_labels(self._api, self.repository, query.labels):
                self._notes.add(note)
        return [*(read[ref] for ref in wanted), *chosen]

    def _chosen(
        self, query: IssueQuery, found: Sequence[IssueSnapshot | NoIssue]
    ) -> list[IssueSnapshot | NoIssue]:
        """What a search found, as far as it is what else was asked for: its index may be behind."""
        there = [one for one in found if isinstance(one, IssueSnapshot) and not one.is_pull_request]
        if query.search:
            known = selecting.looked_up(self._api, self.repository, query)
            there = [one for one in there if selecting.fits(one, query, known)]
            if len(there) > query.limit:
                self._notes.add(
                    f"more than {query.limit} issues match: the {query.limit} oldest are taken; see --limit"
                )
        return list(there[: query.limit])

    def _read(self, refs: Sequence[IssueRef]) -> Mapping[IssueRef, IssueSnapshot | NoIssue]:
        found: dict[IssueRef, IssueSnapshot | NoIssue] = {}
        for repository, numbers in _by_repository(refs):
            there = self._asked(repository, numbers)
            for login in (login for node in there.values() if node for login in snapshots.contributors(node)):
                self.takes(login, "CONTRIBUTOR", repository)  # before strangers use up what may be asked
            for number in numbers:
                if node := there.get(f"i{number}"):
                    ref = IssueRef(number, repository)
                    found[ref] = self._snapshot(ref, node)
        return {ref: found.get(ref) or self._missing(ref) for ref in refs}

    def _snapshot(self, ref: IssueRef, node: Mapping[str, Any]) -> IssueSnapshot | NoIssue:
        def takes(login: str, association: str) -> bool:
            return self.takes(login, association, ref.repository)

        issue = snapshots.snapshot(node, takes, ref.repository)
        if (issue.ref.number, issue.ref.repository.casefold()) != (ref.number, ref.repository.casefold()):
            return _moved(ref, issue.ref.repository, issue.ref.number)
        if ref.repository == self.repository and not issue.is_pull_request:
            self._saying.heard(ref.number, node)
        return issue

    def _asked(self, repository: str, numbers: Sequence[int]) -> Mapping[str, Any]:
        """Fewer at a time where so many are too much for one answer; of a single one, fewer comments.

        Anybody may write long comments on as many issues as they like, and must not stop the others with that.
        """
        try:
            return self._told(repository, numbers, queries.COMMENTS)
        except TooMuch:
            half = len(numbers) // 2
            if half:
                first = self._asked(repository, numbers[:half])
                return {**first, **self._asked(repository, numbers[half:])}
        return {f"i{numbers[0]}": self._with_fewer_comments(repository, numbers[0])}

    def _with_fewer_comments(self, repository: str, number: int) -> Mapping[str, Any] | None:
        for comments in _FEWER:
            try:
                told = self._told(repository, [number], comments)
            except TooMuch:
                continue
            self._notes.add(f"#{number}: only the newest comments are looked at, because they are very long")
            node: Mapping[str, Any] | None = told.get(f"i{number}")
            return node
        self._notes.add(f"#{number} is left out: it is more than GitHub tells at once")
        return None

    def _told(self, repository: str, numbers: Sequence[int], comments: int) -> Mapping[str, Any]:
        owner, _, name = repository.partition("/")
        while True:
            query = queries.issues(numbers, self._without, comments)
            try:
                told = self._api.graphql(query, {"owner": owner, "name": name})
            except Refused as error:
                unknown = queries.unknown_fields(error.message) - self._without
                if not unknown:
                    raise
                self._without |= unknown
                lacking = sorted({_SAY[field] for field in unknown if field in _SAY})
                if lacking:
                    self._notes.add(f"this server does not tell {' and '.join(lacking)} of issues")
                continue
            return told.get("repository") or {}

    def _missing(self, ref: IssueRef) -> NoIssue:
        """Why there is none, which only REST tells."""
        if not 0 < ref.number < 2**31:
            return NoIssue(ref, "there is no issue of that number")
        try:
            item = self._api.get(f"/repos/{ref.repository}/issues/{ref.number}")
        except Refused as error:
            if error.status == 410:
                return NoIssue(ref, "it was deleted, or issues are turned off there")
            if error.status in (401, 403, 404, 451):
                return NoIssue(ref, "there is none, or the token may not see it")
            raise
        found = _ISSUE_URL.match(str(item.get("url", "")))
        if found and (found[1].casefold(), int(found[2])) != (ref.repository.casefold(), ref.number):
            return _moved(ref, found[1], int(found[2]))
        return NoIssue(ref, "GitHub does not show it whole; try again")

    def states(self, refs: Sequence[IssueRef]) -> Mapping[IssueRef, Relation]:
        found = {}
        given = {self._full(ref): ref for ref in refs}
        for repository, numbers in _by_repository(given):
            owner, _, name = repository.partition("/")
            told = self._api.graphql(queries.states(numbers), {"owner": owner, "name": name})
            there = told.get("repository") or {}
            for number in numbers:
                if node := there.get(f"i{number}"):
                    ref = IssueRef(number, repository)
                    found[given[ref]] = snapshots.standing(node, ref)
        return found

    def _full(self, ref: IssueRef) -> IssueRef:
        if not ref.repository or ref.repository.casefold() == self.repository.casefold():
            return IssueRef(ref.number, self.repository)
        return ref

    # --- people

    def may_write(self, login: str) -> bool:
        return self._of(self.repository).may_write(login)

    def vouches(self, labelling: Labelling) -> bool:
        """What Actions put on, our own check has put on there: the label is one that other workflows do not use."""
        try:
            if not labelling.bot:
                return labelling.by != "ghost" and self.may_write(labelling.by)
            name = _program(labelling.by)
            return name == _ACTIONS or name == _program(self._viewer())
        except Refused:
            self._notes.add(f"the token may not ask who may write to {self.repository}: no label counts")
            return False

    def _viewer(self) -> str:
        if self._login is None:
            told = self._api.graphql(queries.VIEWER, {}).get("viewer") or {}
            self._login = str(told.get("login", ""))
        return self._login

    def _of(self, repository: str) -> People:
        if repository not in self._people:
            self._people[repository] = People(self._api, repository)
        return self._people[repository]

    def takes(self, login: str, association: str, repository: str = "") -> bool:
        """Whether what somebody said may be read by an agent; nobody's, where GitHub does not tell who may write."""
        people = self._of(repository or self.repository)
        if association not in snapshots.TEAM and not people.knows(login):
            if self._strangers <= 0:
                if self._strangers == 0:
                    self._notes.add(
                        f"GitHub was asked of {_STRANGERS} people whether they may write: what further ones say is "
                        "not taken, and pull requests of theirs do not count"
                    )
                return False
            self._strangers -= 1
        try:
            return people.may_write(login)
        except Refused:
            self._notes.add(
                f"the token may not ask who may write to {repository or self.repository}: "
                "nobody's comments there are taken"
            )
            self._strangers = -1
            return False

    # --- telling

    def say(self, number: int, marker: str, text: str) -> str:
        return self._saying.say(number, marker, text)

    def mark(self, tip: Oid, context: str, state: CommitState, description: str, url: str = "") -> None:
        self._saying.mark(tip, context, state, description, url)


def _by_repository(refs: Iterable[IssueRef]) -> Iterator[tuple[str, list[int]]]:
    """Numbers of each repository, as many at once as one question may have, without those that cannot be."""
    grouped: dict[str, list[int]] = {}
    for ref in refs:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}", ref.repository):
            raise UserError(f"{ref.repository!r} is no repository: owner/name is wanted")
        if 0 < ref.number < 2**31:
            grouped.setdefault(ref.repository, []).append(ref.number)
    for repository, numbers in grouped.items():
        for start in range(0, len(numbers), queries.AT_ONCE):
            yield repository, numbers[start : start + queries.AT_ONCE]


def _moved(ref: IssueRef, repository: str, number: int) -> NoIssue:
    where = f"{repository}#{number}"
    return NoIssue(ref, f"it was transferred to {where}", where)


def _program(login: str) -> str:
    """GraphQL tells some logins of programs without what REST has behind them."""
    return login.casefold().removesuffix("[bot]")
