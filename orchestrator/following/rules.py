"""What is to be done about a pull request. Pure: how it stands, what its branch holds, what was answered.

Only people with write access are listened to. A round answers a check or a remark once, whatever becomes of it, so
that an event that comes twice, and a round that did not help, lead to nothing further.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from orchestrator.following import marks
from orchestrator.following.record import key
from orchestrator.following.restacking import OURS, restacking
from orchestrator.following.words import (
    MARK,
    Decision,
    Land,
    Left,
    Over,
    Policy,
    Ready,
    Restack,
    Round,
    Seen,
    Send,
    Wait,
)
from shared.forge.port import PullState
from shared.forge.watching import CheckRun, Remark

# Between a push and the first check that it starts. GitHub says nothing of checks that are still to come.
SETTLING_SECONDS = 60.0


def decide(seen: Seen, policy: Policy, now: float) -> Decision:
    """``now`` is in seconds since the epoch."""
    match seen.pull.state:
        case PullState.MERGED:
            return Over("merged")
        case PullState.CLOSED:
            return Over("closed")
        case PullState.OPEN:
            pass
        case _:
            assert_never(seen.pull.state)
    if seen.trouble or seen.branch is None:
        return Left(seen.trouble or "its branch is not known")
    if seen.branch.tip != seen.pull.tip:
        return Wait("for GitHub to see the branch's tip", soon=True)
    if seen.unsent is not None:
        return Send(seen.unsent)
    decision = restacking(seen) or _answering(seen, policy) or _landing(seen, policy, now)
    return _where_it_may(seen, decision)


def _where_it_may(seen: Seen, decision: Decision) -> Decision:
    """Nothing is moved to, or brought into, a branch that only somebody else has chosen."""
    match decision:
        case Restack(base):
            pass
        case Land():
            base = seen.pull.base
        case _:
            return decision
    if base in seen.bases:
        return decision
    return Left(f"its base {base} was chosen by somebody else: bring it in by hand", told=True)


def unanswered(seen: Seen) -> Round:
    """What a further round has to answer."""
    answered = seen.record.answered
    failed = tuple(check for check in _failed(seen) if key(check) not in answered)
    remarks = tuple(
        remark for remark in seen.standing.remarks if asks(remark) and key(remark) not in answered
    )
    return Round(failed if _checks_are_over(seen) else (), remarks)


def asks(remark: Remark) -> bool:
    """Whether somebody who may write wants something: at a line that is not resolved, or of the whole."""
    return remark.may_write and bool(remark.path or remark.wants_changes)


def _answering(seen: Seen, policy: Policy) -> Round | Left | None:
    found = unanswered(seen)
    if not found.checks and not found.remarks:
        return None
    if len(seen.record.rounds) >= policy.rounds:
        rounds = (
            "no rounds of fixes are allowed"
            if not policy.rounds
            else f"all rounds are used ({policy.rounds})"
        )
        return Left(f"{what(found)}, and {rounds}", told=True)
    if seen.spent:
        return Left(f"{what(found)}, and {seen.spent}")
    return found


def _landing(seen: Seen, policy: Policy, now: float) -> Decision:
    standing = seen.standing
    waiting = _names(check for check in _others(seen) if check.state == "waiting")
    if waiting:
        return Wait(f"for {waiting}", soon=True)
    if failed := _names(_failed(seen)):
        return Left(f"{failed} failed, and a round of fixes did not help")
    if standing.mergeable is False:
        return Left(f"it conflicts with {seen.pull.base}: resolve that by hand", told=True)
    if any(marks.says_conflict(check) for check in standing.checks):
        return Left(
            "it conflicts with other work of its batch: bring that in first, or resolve it by hand", told=True
        )
    if any(asks(remark) for remark in standing.remarks):
        return Wait("for people to look at what was answered")
    if standing.approved is False:
        return Wait("for a review")
    if seen.pull.base.startswith(OURS):
        return Wait(f"for {seen.pull.base} to be merged")
    if standing.auto:
        return Wait("for GitHub to merge it")
    if standing.unseen:
        return Left(
            "the token may not see all of its checks and reviews, so nobody knows whether they passed"
        )
    if standing.cut:
        return Left("it has more reviews and conversations than are looked at, and one may be an objection")
    if not _others(seen) and now < seen.pull.updated + SETTLING_SECONDS:
        return Wait("for checks to begin", soon=True)
    if policy.land == "leave":
        return Ready()
    if standing.mergeable is None:
        return Wait("for GitHub to say whether it can be merged", soon=True)
    return Land(policy.land)


def what(asked: Round) -> str:
    """What a round is about, in words."""
    parts = []
    if asked.checks:
        parts.append(f"{_names(asked.checks)} failed")
    if asked.remarks:
        people = ", ".join(dict.fromkeys(remark.author for remark in asked.remarks))
        count = len(asked.said)
        parts.append(f"{people} left {count} remark{'s' if count != 1 else ''}")
    return " and ".join(parts)


def _names(checks: Iterable[CheckRun]) -> str:
    names = list(dict.fromkeys(check.name for check in checks))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _failed(seen: Seen) -> tuple[CheckRun, ...]:
    """Where the branch conflicts with its base, our own mark says no more than that; a conflict with other work is no
    failure that could be answered on this branch."""
    checks = _others(seen) if seen.standing.mergeable is False else seen.standing.checks
    return tuple(check for check in checks if check.state == "failed" and not marks.only_conflict(check))


def _others(seen: Seen) -> tuple[CheckRun, ...]:
    """Checks but for our own mark: one that says that work goes on is left behind by a run that died."""
    return tuple(check for check in seen.standing.checks if check.name != MARK)


def _checks_are_over(seen: Seen) -> bool:
    """Whether more of them would change nothing: all have ended, or one that must pass has failed."""
    checks = seen.standing.checks
    return all(check.state != "waiting" for check in _others(seen)) or any(
        check.required and check.state == "failed" for check in checks
    )
