"""A forge elsewhere, in memory: refs that move by compare-and-swap, pull requests, comments, and calls that go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.clock import ManualClock
from shared.errors import SpinneyError
from shared.forge.errors import AnswerLost
from shared.forge.local import LocalForge
from shared.forge.port import Draft, PullRequest, PullState, Sent, Sought
from shared.forge.tracker import (
    CommitState,
    IssueQuery,
    IssueRef,
    IssueSnapshot,
    Labelling,
    NoIssue,
    Relation,
)
from shared.model import Oid
from tests.support.pulls import MemoryPulls


class Killed(BaseException):
    """The process died here."""


@dataclass(slots=True)
class Faults:
    """What goes wrong with which call, counted from 1; every call is written down."""

    at: dict[int, str] = field(default_factory=dict)  # before | lost | refused | killed | killed after
    calls: list[str] = field(default_factory=list)

    def around(self, name: str, act: Callable[[], object]) -> object:
        self.calls.append(name)
        fault = self.at.get(len(self.calls), "")
        if fault == "killed":
            raise Killed
        if fault == "refused":
            raise SpinneyError("the forge says no")
        if fault == "before":
            raise AnswerLost("no answer")
        done = act()
        if fault == "killed after":
            raise Killed
        if fault == "lost":
            raise AnswerLost("no answer")
        return done


class ElsewhereForge:
    """Keeps what survives the death of a process: hand it to the next one."""

    name = "elsewhere"

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.refs: dict[str, Oid] = {}
        self.sends: list[tuple[str, ...]] = []  # the refs of each
        self.drafts: dict[int, Draft] = {}
        self.pulls = LocalForge(MemoryPulls(), ManualClock())

    def find(self, sought: Sequence[Sought]) -> Mapping[str, PullRequest]:
        return self.faults.around("find", lambda: self.pulls.find(sought))  # type: ignore[return-value]

    def get(self, number: int) -> PullRequest:
        return self.pulls.get(number)

    def list(self, state: PullState | None = None) -> tuple[PullRequest, ...]:
        return self.pulls.list(state)

    def open(self, draft: Draft, tip: Oid) -> PullRequest:
        def act() -> PullRequest:
            assert self.refs.get(f"refs/heads/{draft.head}") == tip, "its branch is not there"
            pull = self.pulls.open(draft, tip)
            self.drafts[pull.number] = draft
            return pull

        return self.faults.around("open", act)  # type: ignore[return-value]

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:
        def act() -> PullRequest:
            if self.pulls.get(number).state is not PullState.OPEN:
                return self.pulls.get(number)
            return self.pulls.update(number, draft, tip)

        return self.faults.around("update", act)  # type: ignore[return-value]

    def merged(self, number: int, commit: Oid) -> PullRequest:
        return self.get(number)

    def close(self, number: int) -> PullRequest:
        return self.pulls.close(number)

    def tips(self) -> Mapping[str, Oid]:
        return self.faults.around("tips", lambda: dict(self.refs))  # type: ignore[return-value]

    def send(self, refs: Sequence[Sent]) -> Mapping[str, str]:
        def act() -> Mapping[str, str]:
            self.sends.append(tuple(one.ref for one in refs))
            stayed = {}
            for one in refs:
                if self.refs.get(one.ref) != one.expected:
                    stayed[one.ref] = "somebody else moved it"
                elif one.tip is not None:
                    self.refs[one.ref] = one.tip
            return stayed

        return self.faults.around("send", act)  # type: ignore[return-value]


class MemoryTracker:
    repository = "ada/engine"

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.comments: dict[tuple[int, str], str] = {}
        self.said: list[str] = []
        self.marks: list[tuple[Oid, str, CommitState, str, str]] = []

    def issues(
        self, refs: Sequence[IssueRef], query: IssueQuery | None = None
    ) -> Sequence[IssueSnapshot | NoIssue]:
        raise NotImplementedError

    def states(self, refs: Sequence[IssueRef]) -> Mapping[IssueRef, Relation]:
        raise NotImplementedError

    def may_write(self, login: str) -> bool:
        raise NotImplementedError

    def vouches(self, labelling: Labelling) -> bool:
        raise NotImplementedError

    def say(self, number: int, marker: str, text: str) -> str:
        def act() -> str:
            self.comments[number, marker] = text
            self.said.append(text)
            return f"https://forge.example/{number}#comment"

        return self.faults.around("say", act)  # type: ignore[return-value]

    def mark(self, tip: Oid, context: str, state: CommitState, description: str, url: str = "") -> None:
        self.faults.around("mark", lambda: self.marks.append((tip, context, state, description, url)))
