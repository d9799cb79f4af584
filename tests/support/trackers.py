"""Issues in memory: the port to where issues live, for tests of those who read them and tell on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.forge.tracker import (
    Comment,
    CommitState,
    IssueQuery,
    IssueRef,
    IssueSnapshot,
    Labelling,
    NoIssue,
    Relation,
)
from shared.model import Oid

REPOSITORY = "octo/repo"


def issue(number: int, body: str = "Do it.", *, repository: str = REPOSITORY, **fields: Any) -> IssueSnapshot:
    """An open issue with what a test says of it."""
    defaults: dict[str, Any] = {
        "url": f"https://github.com/{repository}/issues/{number}",
        "title": f"Issue {number}",
        "author": "ada",
        "state": "open",
        "updated": "2026-11-20T10:00:00Z",
    }
    return IssueSnapshot(ref=IssueRef(number, repository), body=body, **(defaults | fields))


def comment(
    text: str, author: str = "grace", created: str = "2026-11-20T11:00:00Z", **fields: Any
) -> Comment:
    return Comment(author, text, created, **fields)


def relation(number: int, state: Any = "open", repository: str = REPOSITORY) -> Relation:
    return Relation(IssueRef(number, repository), state, f"Issue {number}")


@dataclass(slots=True)
class MemoryTracker:
    """``issues`` are all there are; ``labels`` and ``assignee`` of a query are understood, as is its ``limit``.

    ``calls`` counts the questions, ``said`` holds the comments by issue and marker, ``marks`` what commits show.
    """

    known: dict[IssueRef, IssueSnapshot | NoIssue] = field(default_factory=dict)
    repository: str = REPOSITORY
    writers: frozenset[str] = frozenset()
    calls: list[str] = field(default_factory=list)
    said: dict[tuple[int, str], str] = field(default_factory=dict)
    marks: list[tuple[Oid, str, CommitState, str]] = field(default_factory=list)

    @classmethod
    def of(cls, *issues: IssueSnapshot | NoIssue, **fields: Any) -> MemoryTracker:
        tracker = cls(**fields)
        tracker.known = {tracker._whole(one.ref): one for one in issues}
        return tracker

    def issues(
        self, refs: Sequence[IssueRef], query: IssueQuery | None = None
    ) -> Sequence[IssueSnapshot | NoIssue]:
        self.calls.append("issues")
        named = [self.known.get(self._whole(ref), NoIssue(ref, "there is none")) for ref in refs]
        found = [one for one in self._found(query) if one not in named]
        return [*named, *found]

    def states(self, refs: Sequence[IssueRef]) -> Mapping[IssueRef, Relation]:
        self.calls.append("states")
        read = ((ref, self.known.get(self._whole(ref))) for ref in refs)
        return {
            ref: Relation(ref, one.state, one.title) for ref, one in read if isinstance(one, IssueSnapshot)
        }

    def say(self, number: int, marker: str, text: str) -> str:
        self.calls.append("say")
        self.said[number, marker] = text
        return f"https://github.com/{self.repository}/issues/{number}#issuecomment-1"

    def mark(self, tip: Oid, context: str, state: CommitState, description: str, url: str = "") -> None:
        self.calls.append("mark")
        self.marks.append((tip, context, state, description))

    def may_write(self, login: str) -> bool:
        return login in self.writers

    def vouches(self, labelling: Labelling) -> bool:
        self.calls.append(f"vouches {labelling.by}")
        return labelling.by in self.writers

    def _found(self, query: IssueQuery | None) -> Iterable[IssueSnapshot]:
        if query is None:
            return []
        read = [one for one in self.known.values() if isinstance(one, IssueSnapshot)]
        fitting = [
            one
            for one in read
            if one.state == "open"
            and set(query.labels) <= set(one.labels)
            and (not query.assignee or query.assignee in one.assignees)
        ]
        return sorted(fitting, key=lambda one: one.ref.number)[: query.limit]

    def _whole(self, ref: IssueRef) -> IssueRef:
        return IssueRef(ref.number, (ref.repository or self.repository).lower())
