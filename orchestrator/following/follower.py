"""Following: look at all pull requests, decide about each, do it. It does not matter why, or how often, it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from orchestrator.following import feedback, marks, telling
from orchestrator.following import record as records
from orchestrator.following.looking import Looking
from orchestrator.following.port import Asked, Branches, Conflicting, Made, Rounds
from orchestrator.following.purse import Purse
from orchestrator.following.rules import decide
from orchestrator.following.words import (
    MARK,
    Answers,
    Decision,
    Land,
    Left,
    Over,
    Policy,
    Ready,
    Record,
    Restack,
    Round,
    Seen,
    Send,
    Wait,
)
from shared.clock import Clock
from shared.errors import Interrupted, RepositoryHeld, SpinneyError
from shared.forge.port import PullRequest, PullState
from shared.forge.tracker import Tracker
from shared.forge.watching import Standing, Watched
from shared.model import MergeMethod, Oid

AGAIN_SECONDS = (
    600.0  # before something that did not go well is tried again while everything stands as it does
)

Tell = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class World:
    """What following works with."""

    watched: Watched
    tracker: Tracker
    branches: Branches
    rounds: Rounds
    clock: Clock


@dataclass(frozen=True, slots=True)
class Turn:
    """What one look led to."""

    changed: bool  # something was done, or decided otherwise than before
    soon: bool  # something is expected within minutes
    open: bool  # there is one left to be followed
    again: bool  # what was done took long or moved what others stand on: they are looked at anew, at once


@dataclass(slots=True)
class Follower:
    """``tell`` hears what is decided and done."""

    looking: Looking
    world: World
    policy: Policy
    method: MergeMethod
    tell: Tell
    purse: Purse = field(default_factory=Purse)
    marks: bool = True  # whether commits are marked
    decisions: dict[int, tuple[PullRequest, Decision]] = field(default_factory=dict)
    failed: bool = False  # something that was tried did not go well
    signal: int = 0  # that ended a round
    _tried: dict[tuple[object, ...], float] = field(default_factory=dict)  # when it may be tried again

    def turn(self) -> Turn:
        """One look at everything, with what follows from it.

        Raises SpinneyError where it cannot even look, RepositoryHeld where others are at work on these branches, and
        Interrupted where a round was stopped.
        """
        before = {number: decision for number, (_, decision) in self.decisions.items()}
        acted = again = False
        all_seen = self.looking.look(self.purse.empty)
        self._end_others({seen.pull.number for seen in all_seen})
        for seen in all_seen:
            decision = decide(seen, self.policy, self.world.clock.now())
            self._decided(seen.pull, decision)
            if self._act(seen, decision):
                acted = True
                again = again or isinstance(decision, Restack | Round)
                if isinstance(decision, Round):
                    break  # meanwhile, others may have changed
        after = {number: decision for number, (_, decision) in self.decisions.items()}
        soon = any(isinstance(decision, Wait) and decision.soon for decision in after.values())
        return Turn(acted or before != after, soon, bool(all_seen), again)

    def _end_others(self, present: set[int]) -> None:
        """What was open, and is not among the open ones any more, is over; it is asked how."""
        for number, (pull, decision) in list(self.decisions.items()):
            if number not in present and not isinstance(decision, Over):
                now = self.looking.end_of(pull)
                if now.state is not PullState.OPEN:
                    self._decided(now, decide(Seen(Standing(now)), self.policy, self.world.clock.now()))

    def _decided(self, pull: PullRequest, decision: Decision) -> None:
        before = self.decisions.get(pull.number)
        self.decisions[pull.number] = pull, decision
        if before is None or before[1] != decision:
            kind, text = type(decision).__name__.lower(), telling.line(decision)
            self._tell("decided", pull, decision=kind, text=text)

    # --- doing

    def _act(self, seen: Seen, decision: Decision) -> bool:
        """Whether something was done."""
        match decision:
            case Over():
                return False
            case Wait() | Left() | Ready():
                return self._has_to_say(seen, decision) and self._try(seen, decision, self._say)
            case Send(tip):
                return self._try(seen, decision, lambda seen, _: self._send(seen, tip))
            case Restack(base):
                return self._try(seen, decision, lambda seen, _: self._restack(seen, base))
            case Land():
                return self._try(seen, decision, lambda seen, _: self._land(seen, decision))
            case Round():
                return self._try(seen, decision, lambda seen, _: self._round(seen, decision))
            case _:
                assert_never(decision)

    def _try(self, seen: Seen, decision: Decision, do: Callable[[Seen, Decision], bool]) -> bool:
        """What goes wrong with one pull request is told, and does not keep from the others."""
        trial = (seen.pull.number, seen.pull.tip, seen.standing.base_tip, decision)
        now = self.world.clock.monotonic()
        if now < self._tried.get(trial, 0.0):
            return False
        try:
            with self.world.branches.alone():
                return do(seen, decision)
        except (Interrupted, RepositoryHeld):
            raise
        except SpinneyError as error:
            self._tried[trial] = now + AGAIN_SECONDS
            self.failed = True
            self._tell("note", seen.pull, text="; ".join([error.message, *error.hints]))
            return False

    def _tell(self, what: str, pull: PullRequest, **fields: Any) -> None:
        self.tell(f"follow.{what}", {"pull": pull.number, **fields})

    def _has_to_say(self, seen: Seen, decision: Decision) -> bool:
        """Whether the comment says something else than it should; it is not edited for what lasts some minutes."""
        if isinstance(decision, Wait) and decision.soon and seen.record.said:
            return False
        text = telling.comment(seen.record, decision, self.policy)
        return bool(text) and records.digest(text) != seen.record.said

    def _say(self, seen: Seen, decision: Decision, record: Record | None = None) -> bool:
        """Bring the comment up to date and keep what was said; whether there was anything new to say."""
        record = record or seen.record
        text = telling.comment(record, decision, self.policy)
        digest = records.digest(text)
        if not text or digest == record.said:
            return False
        self.world.tracker.say(seen.pull.number, telling.marker(seen.pull.number), text)
        self.world.branches.keep(seen, replace(record, said=digest))
        return True

    def _send(self, seen: Seen, tip: Oid) -> bool:
        self.world.branches.send(seen, tip)
        self._tell("sent", seen.pull, tip=tip)
        return True

    def _restack(self, seen: Seen, base: str) -> bool:
        """First the branch: where this ends in between, the next look finds what is left to do."""
        try:
            tip = self.world.branches.restack(seen, base)
        except Conflicting as error:
            self._say(seen, Left(error.message, told=True))
            raise
        if base != seen.pull.base:
            self.world.watched.retarget(seen.pull.number, base)
        self._tell("restacked", seen.pull, base=base, tip=tip)
        return True

    def _land(self, seen: Seen, decision: Land) -> bool:
        assert decision.way != "leave"
        said = self.world.watched.land(seen.pull.number, seen.pull.tip, decision.way, self.method)
        trial = (seen.pull.number, seen.pull.tip, seen.standing.base_tip, decision)
        self._tried[trial] = self.world.clock.monotonic() + AGAIN_SECONDS  # GitHub may be slow to show it
        self._tell("landed", seen.pull, way=decision.way, text=said)
        return True

    def _round(self, seen: Seen, decision: Round) -> bool:
        if self.purse.empty:  # by a round of another pull request in this turn
            return False
        shown = feedback.shown(decision)
        answers = [*map(records.key, shown.checks), *map(records.key, shown.remarks)]
        logs = {check.id: self.world.watched.log(check) for check in shown.checks}
        title, body = feedback.title(seen.pull, shown), feedback.body(seen.pull, decision, logs)
        self._tell("round", seen.pull, title=title, answers=answers)
        made = self.world.rounds.make(Asked(seen, title, body, tuple(answers), self.purse.left))
        self.purse = self.purse.pay(made.usage)
        if made.interrupted:
            self.signal = made.signal
            raise Interrupted(f"run {made.run} was stopped", "go on with: spinney follow")
        answered = answers if made.answers is None else made.answers
        self._answered(seen, decision, frozenset(answered), made)
        return True

    def _answered(self, seen: Seen, decision: Round, answers: Answers, made: Made) -> None:
        """The branch goes first: were somebody's push in the way, nothing was answered."""
        if made.tip is not None:
            self.world.branches.send(seen, made.tip)
        record = Record({**seen.record.rounds, answers: made.tip}, seen.record.said)
        self.failed = self.failed or bool(made.reason)
        number = len(record.rounds)
        self._tell("answered", seen.pull, round=number, run=made.run, tip=made.tip, reason=made.reason)
        if not self._say(seen, decision, record):
            self.world.branches.keep(seen, record)
        if made.tip is not None and self.marks:
            conflict = any(marks.says_conflict(check) for check in seen.standing.checks)
            state, words = marks.of_round(number, made.reason, conflict=conflict)
            self.world.tracker.mark(made.tip, MARK, state, words)
