"""What Spinney tells on GitHub beside pull requests: one comment an issue, edited in place, and marks at commits."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.forge.github import bodies, queries, snapshots
from shared.forge.github.api import Api
from shared.forge.github.errors import AnswerLost, Refused
from shared.forge.github.notes import Notes
from shared.forge.tracker import CommitState
from shared.model import CommitMark, Oid
from shared.text import first_sentence

_PAGES = 10  # of a hundred comments that are looked through for ours
_LONGEST = 140  # characters of a status


@dataclass(frozen=True, slots=True)
class _Said:
    id: int
    url: str
    text: str


class Saying:
    def __init__(self, api: Api, repository: str, mark: CommitMark, notes: Notes) -> None:
        self._api, self._mark, self._notes = api, mark, notes
        self._owner, _, self._name = repository.partition("/")
        self._path = f"/repos/{repository}"
        self._said: dict[tuple[int, str], _Said | None] = {}  # None: surely not there
        self._complete: set[int] = set()  # issues all of whose comments were read
        self._marked: dict[tuple[Oid, str], tuple[str, str, str]] = {}
        self._checks: dict[tuple[Oid, str], int] = {}
        self._one = threading.Lock()

    def heard(self, number: int, node: Mapping[str, Any]) -> None:
        """An issue was read with its comments: ours need not be looked for again."""
        with self._one:
            for marker, id, url, text in snapshots.own_comments(node):
                self._said.setdefault((number, marker), _Said(id, url, text))
            if node["comments"]["totalCount"] <= len(node["comments"]["nodes"]):
                self._complete.add(number)

    # --- comments

    def say(self, number: int, marker: str, text: str) -> str:
        """Only a comment that this account wrote itself is edited: a marker alone can be copied by anybody."""
        body = bodies.comment(marker, text)
        with self._one:
            known = self._known(number, marker)
            if known is not None:
                return self._edited(number, marker, known, body)
            return self._added(number, marker, body)

    def _known(self, number: int, marker: str) -> _Said | None:
        if (number, marker) not in self._said and number not in self._complete:
            self._said[number, marker] = self._look(number, marker)
        return self._said.get((number, marker))

    def _look(self, number: int, marker: str) -> _Said | None:
        before: str | None = None
        for _ in range(_PAGES):
            variables = {"owner": self._owner, "name": self._name, "number": number, "before": before}
            there = self._api.graphql(queries.OWN_COMMENTS, variables).get("repository") or {}
            node = there.get("issueOrPullRequest")
            if node is None:
                return None
            for found, id, url, text in reversed(list(snapshots.own_comments(node))):
                if found == marker:
                    return _Said(id, url, text)
            if not node["comments"]["pageInfo"]["hasPreviousPage"]:
                return None
            before = node["comments"]["pageInfo"]["startCursor"]
        return None

    def _added(self, number: int, marker: str, body: str) -> str:
        path = f"{self._path}/issues/{number}/comments"
        try:
            item = self._api.send("POST", path, {"body": body}, creates=True)
        except AnswerLost:
            self._complete.discard(number)
            self._said.pop((number, marker), None)
            said = self._look(number, marker)
            if said is None:
                raise  # it may still be on its way: the next one looks again
        else:
            said = _Said(item["id"], item["html_url"], body)
        self._said[number, marker] = said
        return said.url

    def _edited(self, number: int, marker: str, known: _Said, body: str) -> str:
        if bodies.digest(known.text) == bodies.digest(body):
            return known.url
        path, fields = f"{self._path}/issues/comments/{known.id}", {"body": body}
        try:
            self._twice("PATCH", path, fields)
        except Refused as error:
            if error.status != 404:
                raise
            self._notes.add(f"the comment on #{number} was deleted by somebody, and is not written again")
            return ""
        self._said[number, marker] = _Said(known.id, known.url, body)
        return known.url

    # --- marks at commits

    def mark(self, tip: Oid, context: str, state: CommitState, description: str, url: str) -> None:
        said = (state, first_sentence(description, _LONGEST), url)
        with self._one:
            if self._mark == "none" or self._marked.get((tip, context)) == said:
                return
            if self._mark == "check":
                self._check(tip, context, *said)
            else:
                self._status(tip, context, *said)
            self._marked[tip, context] = said

    def _status(self, tip: Oid, context: str, state: str, description: str, url: str) -> None:
        fields = {"state": state, "context": context, "description": description}
        self._twice("POST", f"{self._path}/statuses/{tip}", fields | ({"target_url": url} if url else {}))

    def _check(self, tip: Oid, context: str, state: str, description: str, url: str) -> None:
        """A check run, which only Apps may make."""
        fields: dict[str, Any] = {"output": {"title": description or context, "summary": description}}
        fields |= {"details_url": url} if url else {}
        if state == "pending":
            fields["status"] = "in_progress"
        else:
            conclusion = "success" if state == "success" else "failure"
            fields |= {"status": "completed", "conclusion": conclusion}
        known = self._checks.get((tip, context))
        if known is not None:
            self._twice("PATCH", f"{self._path}/check-runs/{known}", fields)
            return
        item = self._twice("POST", f"{self._path}/check-runs", {"name": context, "head_sha": tip, **fields})
        self._checks[tip, context] = item["id"]

    def _twice(self, method: str, path: str, fields: Mapping[str, Any]) -> Any:
        """Once more where the answer was lost: the latest counts, so that one more changes nothing."""
        try:
            return self._api.send(method, path, fields)
        except AnswerLost:
            return self._api.send(method, path, fields)
