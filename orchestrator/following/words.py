"""What following speaks of: a branch as refs tell it, what was answered, and what is to be done. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.forge.port import PullRequest
from shared.forge.watching import CheckRun, Remark, Standing
from shared.model import LandingWay, Oid

MARK = "spinney"  # the context of our own marks on commits
Answers = frozenset[str]  # keys of the checks and remarks that one round answers


@dataclass(frozen=True, slots=True)
class Record:
    """What earlier rounds answered, and what was said last."""

    rounds: Mapping[Answers, Oid | None] = field(default_factory=dict)  # its commit; None: it changed nothing
    said: str = ""  # digest of the comment on the pull request

    @property
    def answered(self) -> Answers:
        return frozenset(key for answers in self.rounds for key in answers)


@dataclass(frozen=True, slots=True)
class Branch:
    """A pull request's branch over its base, as ancestry and trailers tell."""

    tip: Oid
    own: tuple[Oid, ...] = ()  # its task's commits and what people put among or on them, oldest first
    below: frozenset[str] = frozenset()  # tasks whose commits lie between its own and the base
    based: bool = True  # whether it contains the base's tip
    merges: bool = False  # whether one of its own commits is a merge


@dataclass(frozen=True, slots=True)
class Seen:
    """A pull request with everything that a decision about it depends on."""

    standing: Standing
    branch: Branch | None = None
    record: Record = Record()
    parents: Mapping[str, PullRequest] = field(default_factory=dict)  # by branch, those it may be stacked on
    trouble: str = ""  # why its branch cannot be worked on; empty: it can
    unsent: Oid | None = None  # a round's commit that is here, on top of the branch, and not on the forge yet
    spent: str = ""  # why no further round may be paid for; empty: it may
    bases: frozenset[str] = frozenset()  # the default branch, and those of Spinney's own choice or making

    @property
    def pull(self) -> PullRequest:
        return self.standing.pull


@dataclass(frozen=True, slots=True)
class Policy:
    rounds: int = 3  # a pull request
    land: LandingWay = "leave"


# Decisions


@dataclass(frozen=True, slots=True)
class Wait:
    """For something that comes by itself; ``soon`` where that is a matter of minutes."""

    why: str
    soon: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """To people, who have to do something; ``told`` where they are told so on the pull request."""

    why: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """Nothing stands in its way, and bringing it in is left to people."""


@dataclass(frozen=True, slots=True)
class Round:
    """One more round of fixes."""

    checks: tuple[CheckRun, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def said(self) -> tuple[Remark, ...]:
        """The remarks to be read: a review may ask for changes without a word, because its comments say which."""
        talkers = {remark.author for remark in self.remarks if remark.text.strip()}
        return tuple(remark for remark in self.remarks if remark.text.strip() or remark.author not in talkers)


@dataclass(frozen=True, slots=True)
class Send:
    """Bring a round's commit to the forge: whoever made it was ended before that."""

    tip: Oid


@dataclass(frozen=True, slots=True)
class Restack:
    """Bring its own commits onto ``base``, and the pull request with them."""

    base: str  # branch
    why: str


@dataclass(frozen=True, slots=True)
class Land:
    """Bring it in. ``way`` is never ``leave``."""

    way: LandingWay


@dataclass(frozen=True, slots=True)
class Over:
    why: str


Decision = Wait | Left | Ready | Round | Send | Restack | Land | Over
