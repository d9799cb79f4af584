"""Events of GitHub Actions: who caused one is asked of GitHub, and a wish is put where the next start finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.actions.triggers import Person, Wish
from orchestrator.composition.forges import open_forge
from orchestrator.runs import Place
from shared.model import Settings

if TYPE_CHECKING:
    from orchestrator.composition.forges import GitHub

_WRITING = ("admin", "maintain", "write")


def permitted(place: Place, settings: Settings, keys: Mapping[str, str], asked: Wish, *, mark: bool) -> Wish:
    """``asked``, or the wish for nothing where who caused it may not write to the repository.

    With ``mark``, issues that are named get the label first; one whose text was changed since it was asked for is left
    out. Raises SpinneyError where GitHub does not tell, and where one that was named by hand is no issue: then none
    gets it.
    """
    who = asked.who
    if asked.do == "nothing":
        return asked
    if who is not None and who.bot:
        return Wish("nothing", f"{asked.reason}, but {who.login} is a bot", who=who)
    if who is None and not (mark and asked.marks):
        return asked
    opened = open_forge(place, replace(settings, forge="github"), keys, issues=True)
    try:
        assert opened.github is not None
        if who is not None and (reason := _refusal(opened.github, who)):
            return Wish("nothing", f"{asked.reason}, but {reason}", who=who)
        if mark and asked.marks:
            return _marked(opened.github, asked)
    finally:
        opened.close()
    return asked


def _refusal(github: GitHub, who: Person) -> str:
    """Why ``who`` is not listened to: found by number, under whatever name that is today."""
    from shared.forge.github.addresses import quoted
    from shared.forge.github.errors import Refused

    try:
        user = github.api.get(f"/user/{who.id}")
        login = user["login"]
        told = github.api.get(f"/repos/{github.repository}/collaborators/{quoted(login)}/permission")
    except Refused as error:
        if error.status != 404:
            raise
        return f"{who.login} is nobody who may write here"
    if _kind(user) != "User" or _kind(told.get("user")) != "User":
        return f"{login} is a bot"
    if (told.get("user") or {}).get("id") != who.id:  # renamed between the two questions
        return f"{login} is somebody else than {who.login} was"
    return "" if told.get("permission") in _WRITING else f"{login} may not write here"


def _kind(user: Any) -> str:
    return str(user.get("type", "")) if isinstance(user, dict) else ""


def _marked(github: GitHub, asked: Wish) -> Wish:
    """The label is put on anew, so that later starts take the text as it is now; then it must still be the text that
    was asked for."""
    if not asked.until:  # named by hand; else the event itself says that it is an issue
        _refuse_what_is_no_issue(github, asked)
    for number in asked.marks:
        _take_label(github, number, asked.label)
        _put_label(github, number, asked.label)
    changed = _changed(github, asked)
    for number in changed:
        _take_label(github, number, asked.label)
    left = tuple(number for number in asked.issues if number not in changed)
    if changed and not left:
        return Wish(
            "nothing",
            f"{asked.reason}, but its text was changed since; read it, and ask again",
            who=asked.who,
        )
    return replace(asked, issues=left)


def _refuse_what_is_no_issue(github: GitHub, asked: Wish) -> None:
    from orchestrator.intake.issues import refuse_missing
    from shared.forge.tracker import IssueRef

    found = github.tracker.issues([IssueRef(number) for number in asked.marks])
    refuse_missing(found, github.repository)


def _changed(github: GitHub, asked: Wish) -> tuple[int, ...]:
    from orchestrator.intake.issue_text import changed_since, moment
    from shared.forge.tracker import IssueRef, IssueSnapshot

    if not asked.until:
        return ()
    until = moment(asked.until)
    found = github.tracker.issues([IssueRef(number) for number in asked.marks])
    return tuple(
        one.ref.number for one in found if isinstance(one, IssueSnapshot) and changed_since(one.edited, until)
    )


def _take_label(github: GitHub, number: int, label: str) -> None:
    from shared.forge.github.addresses import quoted
    from shared.forge.github.errors import Refused

    try:
        _label(github, "DELETE", number, f"/{quoted(label)}", None)
    except Refused as error:
        if error.status != 404:  # it is not on it
            raise


def _put_label(github: GitHub, number: int, label: str) -> None:
    from shared.forge.github.errors import Refused

    try:
        _label(github, "POST", number, "", {"labels": [label]})
    except Refused as error:
        if error.status not in (404, 410):
            raise
        what = f"#{number} cannot get the label {label!r}: {error.message}"
        raise Refused(error.status, what, "name issues that are there", *error.hints) from None


def _label(github: GitHub, method: str, number: int, more: str, fields: Mapping[str, Any] | None) -> None:
    """Twice is like once."""
    from shared.forge.github.errors import AnswerLost

    path = f"/repos/{github.repository}/issues/{number}/labels{more}"
    try:
        github.api.send(method, path, fields)
    except AnswerLost:
        github.api.send(method, path, fields)
