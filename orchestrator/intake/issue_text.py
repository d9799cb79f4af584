"""The text of an issue as a task gets it: clean, bounded, and with everybody's words told apart. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.intake.hygiene import clean
from orchestrator.intake.relations import Relations, relations
from shared.forge.tracker import Comment, IssueSnapshot
from shared.model import Issue
from shared.text import first_sentence

BODY = 65_536  # characters that are taken of an issue's text, as many as GitHub allows
COMMENTS = 16_384  # of all its comments together, the newest first
_TITLE = 1024
_LOOKED_AT = 16 * COMMENTS  # of comments in all, most of which may be hidden
_HEAD = 64  # characters that each comment costs beside its own, for who wrote it and when
_SHORTEST = 200  # characters of a comment; of one that has to be cut to fewer nothing is taken


@dataclass(frozen=True, slots=True)
class IssueText:
    """An issue with its text as it is taken. Numbers are characters."""

    snapshot: IssueSnapshot
    title: str
    body: str  # empty where there is nothing to see
    comments: tuple[Comment, ...]  # clean, oldest first
    hidden: int  # left out because nobody sees them
    cut: int  # left out because they were too many
    said: Relations

    @property
    def whole(self) -> str:
        """The task's text. What people said later is quoted, so that it is not taken for the issue's own words."""
        if not self.comments:
            return self.body
        return "\n\n".join([self.body, "## Comments", *map(_quoted, self.comments)])

    def issue(self, repository: str) -> Issue:
        """Where the task comes from; ``repository`` is the run's own, where the snapshot names none."""
        read = self.snapshot
        return Issue(
            repository=read.ref.repository or repository,
            number=read.ref.number,
            url=read.url,
            author=read.author,
            updated=read.updated,
            digest=hashlib.sha256(f"{self.title}\n\n{self.whole}".encode()).hexdigest(),
            hidden=self.hidden,
            cut=self.cut,
            comments=len(self.comments),
            labels=read.labels,
            milestone=read.milestone,
        )

    def notes(self, name: str) -> list[str]:
        """What of the issue called ``name`` was not taken, for people."""
        told = []
        if self.hidden:
            told.append(f"{name}: {_characters(self.hidden, 'hidden ')} left out of its text")
        if self.cut:
            told.append(f"{name}: {_characters(self.cut)} left out of its text, which is too long")
        told += [
            f"{name}: pull request #{pull.number} by {first_sentence(pull.author, 60)} says that it closes it; its "
            "author may not write here, so that it does not count"
            for pull in self.snapshot.pulls
            if not pull.trusted
        ]
        return told


def read(snapshot: IssueSnapshot, host: str, until: datetime | None = None) -> IssueText:
    """``snapshot`` as a task takes it; comments that were made or changed after ``until`` are not taken."""
    title, body = clean(snapshot.title, _TITLE), clean(snapshot.body, BODY)
    comments, hidden, cut = _comments([c for c in snapshot.comments if not late(c, until)])
    return IssueText(
        snapshot=snapshot,
        title=first_sentence(title.text, 200) or f"Issue {snapshot.ref.number}",
        body=body.text,
        comments=comments,
        hidden=title.hidden + body.hidden + hidden,
        cut=body.cut + cut,
        said=relations(body.text, host),
    )


def moment(text: str) -> datetime:
    """A time of ISO 8601, in UTC where it names no zone. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def late(comment: Comment, until: datetime | None) -> bool:
    return until is not None and any(after(time, until) for time in (comment.created, comment.edited))


def after(time: str, until: datetime) -> bool:
    """Whether ``time``, as a forge says it, is later; what cannot be read counts as later, nothing does not."""
    try:
        return bool(time) and moment(time) > until
    except ValueError:
        return True


def changed_since(edited: str, until: datetime) -> bool:
    """Like ``after``, of the last change of an issue's text. Times are whole seconds: whoever waits for the moment to
    change it can do that in the same one."""
    try:
        return bool(edited) and moment(edited) >= until
    except ValueError:
        return True


def _comments(comments: Sequence[Comment]) -> tuple[tuple[Comment, ...], int, int]:
    """Those that there is room for, and how many characters were hidden and cut."""
    taken: list[Comment] = []
    room, looked_at, hidden, cut = COMMENTS, 0, 0, 0
    for comment in reversed(comments):
        if room < _SHORTEST or looked_at > _LOOKED_AT:
            cut += len(comment.text)
            continue
        cleaned = clean(comment.text, room)
        hidden, cut = hidden + cleaned.hidden, cut + cleaned.cut
        if cleaned.text:
            taken.append(Comment(comment.author, cleaned.text, comment.created, comment.edited))
        room, looked_at = room - len(cleaned.text) - _HEAD, looked_at + len(comment.text)
    return tuple(reversed(taken)), hidden, cut


def _quoted(comment: Comment) -> str:
    head = f"{first_sentence(comment.author, 60)} wrote on {first_sentence(comment.created, 40)}:"
    return "\n".join([head, "", *(f"> {line}".rstrip() for line in comment.text.split("\n"))])


def _characters(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}character{'s were' if count != 1 else ' was'}"
