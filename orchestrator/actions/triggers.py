"""What an event of GitHub's asks for. Pure.

Every start reconciles: it lists what has the label, and does what is missing. An event only says that now is a time
for it, and puts its own wish where the next start finds it, too: a command in a comment becomes the label. So events
that come twice, in another order or not at all change nothing in the end. The event's texts are looked at for a
command and are in no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from orchestrator.actions.commands import command
from shared.errors import UserError

Do = Literal["run", "retry", "stop", "follow", "nothing"]
BRANCHES = "spinney/"
T = TypeVar("T")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_SETTLED = (
    "success",
    "failure",
    "timed_out",
    "action_required",
    "startup_failure",
)  # conclusions worth a look


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it, by a number that stays when the login is changed or taken by somebody else."""

    id: int
    login: str
    bot: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    do: Do
    reason: str
    issues: tuple[int, ...] = ()
    label: str = ""  # whose issues are worked on
    pulls: tuple[int, ...] = ()
    until: str = ""  # the time of the event: what was written later was not meant by who caused it
    who: Person | None = None  # whose right to write must be asked for first; None: nobody's
    marked: bool = False  # who caused it has put the label on; when that was counts for later starts

    @property
    def marks(self) -> tuple[int, ...]:
        """Issues that get the label, so that the wish is not lost with this start."""
        return self.issues if self.do == "run" and self.label and not self.marked else ()


def wish(event: str, payload: Mapping[str, Any], label: str) -> Wish:
    """What ``event`` asks for where issues with ``label`` are worked on. Raises UserError for what is none."""
    if event not in _EVENTS:
        return Wish("nothing", f"{event} starts nothing here")
    return _EVENTS[event](payload, label)


def _nothing(reason: str) -> Wish:
    return Wish("nothing", reason)


def _labeled(payload: Mapping[str, Any], label: str) -> Wish:
    issue = _part(payload, "issue")
    number = _number(issue, "number")
    if payload.get("action") != "labeled" or _text(_part(payload, "label"), "name").lower() != label.lower():
        return _nothing(f"#{number} got another label than {label!r}")
    if issue.get("state") != "open":
        return _nothing(f"#{number} is closed")
    reason = f"#{number} got the label {label!r}"
    until, who = _time(issue, "updated_at"), _person(payload, "sender")
    return Wish("run", reason, (number,), label, until=until, who=who, marked=True)


def _comment(payload: Mapping[str, Any], label: str) -> Wish:
    issue, comment = _part(payload, "issue"), _part(payload, "comment")
    number = _number(issue, "number")
    if payload.get("action") != "created":
        return _nothing("only new comments count, not edited ones")
    verb = command(_text(comment, "body"))
    if verb is None:
        return _nothing("the comment has no command at the start of a line")
    who, until = _person(comment, "user"), _time(comment, "created_at")
    if who != _person(payload, "sender"):
        return _nothing("somebody else than its author sent the comment")
    said = f"/spinney {verb} on #{number}"
    if verb == "stop":
        return Wish("stop", said, who=who)
    if issue.get("pull_request") is not None:
        return Wish("follow", said, label=label, pulls=(number,), who=who)
    if issue.get("state") != "open":
        return _nothing(f"#{number} is closed")
    return Wish(verb, said, (number,), label if verb == "run" else "", until=until, who=who)


def _dispatch(payload: Mapping[str, Any], label: str) -> Wish:
    named = _part(payload, "inputs").get("issues") if payload.get("inputs") else None
    who = _person(payload, "sender")
    numbers = _numbers(named) if isinstance(named, str) else ()
    listed = ", ".join(f"#{number}" for number in numbers)
    return Wish(
        "run", f"started by hand for {listed or f'all issues with {label!r}'}", numbers, label, who=who
    )


def _numbers(text: str) -> tuple[int, ...]:
    words = [word for word in re.split(r"[\s,;]+", text[:10_000]) if word]
    for word in words:
        if not re.fullmatch(r"#?[1-9][0-9]{0,9}", word, re.ASCII):
            raise UserError(f"{word[:60]!r} is no issue", "name them by their numbers: #12, #15")
    return tuple(dict.fromkeys(int(word.removeprefix("#")) for word in words))


def _schedule(payload: Mapping[str, Any], label: str) -> Wish:
    del payload
    return Wish("run", f"it is time to look at all issues with {label!r}", label=label)


def _checks(kind: str) -> Callable[[Mapping[str, Any], str], Wish]:
    def look(payload: Mapping[str, Any], label: str) -> Wish:
        suite = _part(payload, kind)
        if payload.get("action") != "completed" or suite.get("conclusion") not in _SETTLED:
            return _nothing("the checks are not over")
        pulls = suite.get("pull_requests")
        ours = [_number(pull, "number") for pull in pulls or () if isinstance(pull, dict) and _is_ours(pull)]
        if not ours:
            return _nothing("the checks are of no pull request of ours")
        listed = ", ".join(f"#{number}" for number in ours)
        return Wish("follow", f"checks of {listed} are over", label=label, pulls=tuple(ours))

    return look


def _is_ours(pull: Mapping[str, Any]) -> bool:
    """By its branch, which must be in this repository: anybody can call one so in a fork."""
    head, base = _part(pull, "head"), _part(pull, "base")
    same = (
        _number(_part(head, "repo"), "id") == _number(_part(base, "repo"), "id")
        if head.get("repo")
        else False
    )
    return same and _text(head, "ref").startswith(BRANCHES)


# Of those only that take workflows from the default branch: the others are of what agents may have written.
_EVENTS: dict[str, Callable[[Mapping[str, Any], str], Wish]] = {
    "issues": _labeled,
    "issue_comment": _comment,
    "workflow_dispatch": _dispatch,
    "schedule": _schedule,
    "check_suite": _checks("check_suite"),
    "workflow_run": _checks("workflow_run"),
}


# --- reading


def _person(payload: Mapping[str, Any], key: str) -> Person:
    user = _part(payload, key)
    login = _text(user, "login")
    bot = _text(user, "type") != "User" or login.lower().endswith("[bot]")
    return Person(_number(user, "id"), login, bot)


def _part(payload: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _is(payload.get(key), dict, key)


def _text(payload: Mapping[str, Any], key: str) -> str:
    return _is(payload.get(key), str, key)


def _number(payload: Mapping[str, Any], key: str) -> int:
    value = payload.get(key)
    return _is(None if isinstance(value, bool) else value, int, key)


def _time(payload: Mapping[str, Any], key: str) -> str:
    value = _text(payload, key)
    return _is(value if _TIME.match(value) else None, str, key)


def _is(value: object, kind: type[T], key: str) -> T:
    if not isinstance(value, kind):
        raise UserError(f"the event is not as GitHub sends it: {key!r} is missing or of another kind")
    return value
