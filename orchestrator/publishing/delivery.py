"""Carrying out one wish after another: looked up where it may be there already, never over what somebody else did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from orchestrator.publishing.links import linked
from orchestrator.publishing.outbox import Job, Look, Mark, Open, Push, Say
from shared.errors import Interrupted, SpinneyError
from shared.forge.errors import AnswerLost
from shared.forge.port import Draft, Forge, PullRequest, PullState, Sent, Sought
from shared.forge.tracker import Tracker
from shared.model import Oid

TRIES = 3  # of a call whose answer was lost; between two of them it is looked up
CONTEXT = "spinney"  # of commit marks
_ARCHIVE = "refs/spinney/archive/"

Tell = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A forge that is not this repository: branches must be pushed there, and issues are told how it goes."""

    tracker: Tracker
    contains: Callable[[Oid, Oid], bool]  # whether the second commit has the first one in its history
    check: Callable[[], None] = lambda: (
        None
    )  # raises Interrupted where this run may do nothing there any more
    ending: Callable[[], str] = lambda: ""  # why the run is to end now; empty where it may go on
    interrupt: Callable[[], None] = lambda: None  # lets go whoever waits for the forge
    moved: Callable[[], str] = lambda: ""  # what to tell of the branch that pull requests go into, at the end
    job: str = ""  # address of the job of GitHub Actions that this runs in
    template: str = ""  # of pull requests; empty: the built-in one
    before: Mapping[str, int] = field(
        default_factory=dict
    )  # pull requests by marker that were there at first
    replaces: Mapping[str, Oid] = field(
        default_factory=dict
    )  # refs that are started anew, and where they were


@dataclass(slots=True)
class Delivery:
    """Used by one thread. What came of it is told as events; an error that is expected never leaves."""

    forge: Forge
    tell: Tell
    sought: Sequence[Sought]  # all pull requests that the run may ask for
    elsewhere: Elsewhere | None = None
    _pulls: dict[str, PullRequest] = field(default_factory=dict)  # by marker, as they were last seen
    _looked: bool = False
    _tips: dict[str, Oid] | None = None  # where refs are there, as they were last seen
    _lost: dict[str, str] = field(default_factory=dict)  # refs that somebody else moved, and why they stay
    _sent: set[str] = field(default_factory=set)  # refs that this session has brought there
    _unkept: dict[str, Push] = field(default_factory=dict)  # archives that are not there yet
    _noted: set[str] = field(default_factory=set)

    def do(self, job: Job) -> None:
        if self.elsewhere is not None:
            try:
                self.elsewhere.check()
            except Interrupted:
                return  # it is wanted still when the run is gone on with
        match job:
            case tuple():
                self._push(job)
            case Open():
                self._open(job)
            case Say():
                self._say(job)
            case Mark():
                self._mark(job)
            case Look():
                self._gladly(self._look, "what people did meanwhile on the forge is not known")
            case _:
                assert_never(job)

    # --- branches

    def _push(self, pushes: tuple[Push, ...]) -> None:
        """What branches were that are started anew comes first: nothing is replaced that is not kept."""
        self._unkept |= {push.ref: push for push in pushes if push.ref.startswith(_ARCHIVE)}
        rest = tuple(push for push in pushes if push.ref not in self._unkept)
        if self._unkept:
            self._push_together(tuple(self._unkept.values()))
            self._unkept = {ref: push for ref, push in self._unkept.items() if ref not in self._sent}
        if rest:
            self._push_together(rest)

    def _push_together(self, pushes: tuple[Push, ...]) -> None:
        try:
            refused = self._send(pushes)
        except Interrupted:
            return
        except SpinneyError as error:
            names = ", ".join(_short(push.ref) for push in pushes)
            self._note(f"{names}: not pushed to the forge: {error.message}")
            self._tips = None
            self._lost.update({push.ref: error.message for push in pushes})
            return
        for push in pushes:
            if push.ref in refused:
                self._lost[push.ref] = refused[push.ref]
                self._note(f"{_short(push.ref)} on the forge stays where it is: {refused[push.ref]}")
            else:
                self._lost.pop(push.ref, None)
                self._sent.add(push.ref)
                self.tell("branch.sent", {"task": push.task, "ref": push.ref, "oid": push.tip})

    def _send(self, pushes: tuple[Push, ...]) -> dict[str, str]:
        """All at once; why each that stays does so."""
        refused: dict[str, str] = {}
        for number in range(1, TRIES + 1):
            if self._tips is None:
                self._tips = dict(self.forge.tips())
            refused = self._moved(pushes)
            wanted = [
                Sent(push.ref, push.tip, self._tips.get(push.ref))
                for push in pushes
                if push.ref not in refused and self._tips.get(push.ref) != push.tip
            ]
            if not wanted:
                return refused
            try:
                stayed = self.forge.send(wanted)
            except AnswerLost:
                self._tips = None
                if number == TRIES:
                    raise
                continue
            self._tips.update(
                {one.ref: one.tip for one in wanted if one.tip is not None and one.ref not in stayed}
            )
            return {**refused, **stayed}
        return refused

    def _moved(self, pushes: tuple[Push, ...]) -> dict[str, str]:
        """Branches that are not where this run may move them from."""
        assert self.elsewhere is not None
        assert self._tips is not None
        moved = {}
        for push in pushes:
            there = self._tips.get(push.ref)
            replaced = there is not None and there == self.elsewhere.replaces.get(push.ref)
            if replaced and any(kept.tip == there for kept in self._unkept.values()):
                moved[push.ref] = "what it was could not be kept first"
                continue
            ours = replaced or there in (None, push.tip)
            if there is not None and not ours and not self.elsewhere.contains(there, push.tip):
                moved[push.ref] = "it has commits of somebody else, which a run with --fresh keeps aside"
        return moved

    # --- pull requests

    def _open(self, wish: Open) -> None:
        ref = f"refs/heads/{wish.draft.head}"
        try:
            if ref in self._lost:
                raise SpinneyError(f"its branch could not be pushed: {self._lost[ref]}")
            pull = self._published(wish)
            if wish.landed is not None:
                pull = self.forge.merged(pull.number, wish.landed)
        except Interrupted:
            return
        except SpinneyError as error:
            what = wish.task or "the batch"
            self.tell("pull.failed", {"task": wish.task, "reason": error.message})
            self._note(f"the pull request of {what} could not be published: {error.message}")
            return
        fields = {"task": wish.task, "number": pull.number, "url": pull.url, "state": str(pull.state)}
        self.tell("pull.opened", fields)

    def _published(self, wish: Open) -> PullRequest:
        draft = wish.draft
        for number in range(1, TRIES + 1):
            self._look_up(draft)
            draft = replace(draft, body=linked(wish.draft.body, self._numbers()))
            known = self._pulls.get(draft.marker)
            if self.elsewhere is not None:
                self.elsewhere.check()  # looking up may have taken long
            try:
                if known is None or self._from_before(draft, known):
                    pull = self.forge.open(replace(draft, base=self._base(wish)), wish.tip)
                elif known.state is PullState.OPEN:
                    pull = self.forge.update(known.number, replace(draft, base=self._base(wish)), wish.tip)
                else:
                    pull = known
            except AnswerLost:
                self._looked = False
                if number == TRIES:
                    raise
                continue
            if pull.state is not PullState.OPEN:
                self._note(f"pull request #{pull.number} was {pull.state} by somebody else and stays so")
            self._pulls[draft.marker] = pull
            return pull
        raise AssertionError

    def _look_up(self, draft: Draft) -> None:
        """One question for all pull requests of the run, the first time and after an answer was lost."""
        if self.elsewhere is None or not self._looked:
            own = Sought(draft.head, draft.marker)
            sought = [own] if self.elsewhere is None else [*self.sought, own]
            self._pulls = dict(self.forge.find(list(dict.fromkeys(sought))))
            self._looked = True

    def _numbers(self) -> dict[str, int]:
        """Of those that are open, by marker: what is merged or closed is nothing to go and merge."""
        open_ones = (pull for pull in self._pulls.values() if pull.state is PullState.OPEN)
        return {pull.marker: pull.number for pull in open_ones}

    def _from_before(self, draft: Draft, known: PullRequest) -> bool:
        """Whether it was closed or merged before this run, which asked for a new one."""
        if known.state is PullState.OPEN:
            return False
        return self.elsewhere is None or self.elsewhere.before.get(draft.marker) == known.number

    def _base(self, wish: Open) -> str:
        """The branch of the one it stands on while that is open, else what that stood on itself."""
        under = self._pulls.get(wish.stands_on) if wish.stands_on else None
        if self.elsewhere is None or under is None:
            return wish.draft.base
        found = self.forge.find([Sought(under.head, wish.stands_on)])
        under = self._pulls[wish.stands_on] = found.get(wish.stands_on, under)
        return wish.draft.base if under.state is PullState.OPEN else under.base

    def _look(self) -> None:
        """Tell what people did to pull requests and branches since they were last seen; all of it stays."""
        opened = [pull for pull in self._pulls.values() if pull.state is PullState.OPEN]
        found = self.forge.find([Sought(pull.head, pull.marker) for pull in opened]) if opened else {}
        for before in opened:
            now = found.get(before.marker, before)
            if now.state is not PullState.OPEN:
                self._note(f"pull request #{now.number} was {now.state} by somebody else and stays so")
            elif now.title != before.title:
                self._note(f"pull request #{now.number} was given another title, which stays")
        tips = self.forge.tips() if self._tips else {}
        for ref, tip in (self._tips or {}).items():
            if ref.startswith("refs/heads/") and ref in self._sent and tips.get(ref) != tip:
                what = "moved" if ref in tips else "deleted"
                self._note(f"{_short(ref)} on the forge was {what} by somebody else and stays so")
        if opened and self.elsewhere is not None and (told := self.elsewhere.moved()):
            self._note(told)

    # --- issues and commits; what fails here is told and stops nothing

    def _say(self, wish: Say) -> None:
        assert self.elsewhere is not None
        tracker = self.elsewhere.tracker

        def say() -> None:
            url = tracker.say(wish.number, wish.marker, wish.text)
            self.tell("issue.told", {"task": wish.task, "stage": wish.stage, "url": url})

        self._gladly(say, f"issue #{wish.number} was not told how {wish.task} goes")

    def _mark(self, wish: Mark) -> None:
        assert self.elsewhere is not None
        tracker, job = self.elsewhere.tracker, self.elsewhere.job
        if f"refs/heads/spinney/{wish.task}" in self._lost:
            return  # the commit is not there

        def mark() -> None:
            tracker.mark(wish.tip, CONTEXT, wish.state, wish.description, job)
            self.tell("commit.marked", {"task": wish.task, "oid": wish.tip, "state": wish.state})

        self._gladly(mark, f"the last commit of {wish.task} was not marked")

    def _gladly(self, act: Callable[[], None], otherwise: str) -> None:
        """Both say the same once more when they are repeated, so that a lost answer needs no looking up."""
        for number in range(1, TRIES + 1):
            try:
                act()
            except Interrupted:
                return
            except AnswerLost as error:
                if number == TRIES:
                    self._note(f"{otherwise}: {error.message}")
                continue
            except SpinneyError as error:
                self._note(f"{otherwise}: {error.message}")
            return

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.tell("note", {"text": text})


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
