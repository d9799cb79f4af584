"""Why an issue, as it stands, is no task of a run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestrator.intake.issue_text import IssueText, after, changed_since
from shared.forge.port import PullRequest, PullState
from shared.forge.tracker import IssueSnapshot, LinkedPull
from shared.text import first_sentence

_CLOSED = {"not_planned": " as not planned", "duplicate": " as a duplicate", "completed": " as completed"}


@dataclass(frozen=True, slots=True)
class Terms:
    """How a run takes issues in."""

    fresh: bool = False  # anew, whatever was done before
    go_on: bool = False  # from what was done before
    trusted_until: datetime | None = None  # text that was written or changed later is not taken
    trusted_label: str = ""  # that somebody who may write must have put on, after the text was written


@dataclass(frozen=True, slots=True)
class Out:
    """Left out, and why."""

    reason: str
    pull: int | None = None  # that has it in work
    met: bool = False  # whoever waits for it need not: it is done


def why_left_out(issue: IssueText, branch: str, ours: PullRequest | None, terms: Terms) -> Out | None:
    """None where ``issue`` is to be worked on. ``ours`` is the newest pull request from its ``branch``."""
    read = issue.snapshot
    if read.state == "closed":
        return Out(f"it is closed{_CLOSED.get(read.state_reason.lower(), '')}", met=True)
    if read.locked:
        return Out("it is locked")
    if not issue.body:
        hidden = " that can be seen" if issue.hidden else ""
        return Out(f"it has no text{hidden}; say in it what to do")
    if terms.trusted_until is not None and (told := _later(read, terms.trusted_until)):
        return Out(f"its text was {told}, after it was asked for; read it, and ask again")
    return _in_work(read, branch, ours, terms)


def _later(read: IssueSnapshot, until: datetime) -> str:
    """How its text came after that moment; empty where it did not."""
    if changed_since(read.edited, until):
        return f"changed at {read.edited}"
    return f"written at {read.created}" if after(read.created, until) else ""


def _in_work(read: IssueSnapshot, branch: str, ours: PullRequest | None, terms: Terms) -> Out | None:
    if terms.fresh:
        return None
    if ours is not None and not (terms.go_on and ours.state is PullState.OPEN):
        return _worked_on(ours)
    if ours is not None or terms.go_on:
        return None
    counts = (pull for pull in read.pulls if pull.trusted)
    other = next((pull for pull in counts if not (pull.same_repository and pull.head == branch)), None)
    return _others(other) if other else None


def _worked_on(pull: PullRequest) -> Out:
    match pull.state:
        case PullState.OPEN:
            told = f"pull request #{pull.number} is open for it; --continue goes on with that, --fresh begins anew"
            return Out(told, pull.number)
        case PullState.CLOSED:
            return Out(f"its pull request #{pull.number} was closed without merging; --fresh begins anew")
        case PullState.MERGED:
            return Out(f"its pull request #{pull.number} is merged; --fresh begins anew", met=True)


def _others(pull: LinkedPull) -> Out:
    by = f" by {first_sentence(pull.author, 60)}" if pull.author else ""
    return Out(
        f"pull request #{pull.number}{by} is open and closes it; --fresh works on it nevertheless",
        pull.number,
    )
