"""Issues as people write them: ``#12``, ``12``, ``owner/repo#12``, or the address of one. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.errors import UserError
from shared.forge.tracker import IssueRef

REPOSITORY = r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}"  # what GitHub lets these be called
_PLAIN = re.compile(r"#?(?P<number>\d{1,18})\Z", re.ASCII)
_QUALIFIED = re.compile(rf"(?P<repository>{REPOSITORY})#(?P<number>\d{{1,18}})\Z", re.ASCII)
_ADDRESS = re.compile(
    rf"https?://(?P<host>[^/\s?#@]{{1,255}})/(?P<repository>{REPOSITORY})"
    r"/(?P<kind>issues|pulls?|discussions)/(?P<number>\d{1,18})(?:[/?#]\S*)?\Z",
    re.ASCII,
)
_KINDS = {"pull": "a pull request", "pulls": "a pull request", "discussions": "a discussion"}


@dataclass(frozen=True, slots=True)
class Reference:
    """An issue as it was asked for."""

    ref: IssueRef
    text: str  # as written
    host: str = ""  # where an address leads; empty: wherever the run's repository is

    def refuse_elsewhere(self, host: str) -> None:
        """Raise UserError where this is an address on another host than the run's."""
        if self.host and _bare(self.host) != _bare(host):
            raise UserError(
                f"{self.text} is on {self.host}, and this repository is on {host}",
                "issues can be read from one host; set `github: {repository: …, api: …}` to use another",
            )


def reference(text: str) -> Reference | None:
    """The issue that ``text`` names; None where it is written like none.

    Raises UserError for the address of something else, which cannot become a task.
    """
    match = _PLAIN.match(text) or _QUALIFIED.match(text) or _ADDRESS.match(text)
    if match is None:
        return None
    parts = match.groupdict()
    if what := _KINDS.get(parts.get("kind", "")):
        raise UserError(f"{text} is {what}, and a task is made of an issue", "name the issue: '#12'")
    if not int(parts["number"]):
        raise UserError(f"there is no issue {text}: they are counted from 1")
    ref = IssueRef(int(parts["number"]), parts.get("repository") or "")
    return Reference(ref, text, parts.get("host") or "")


def certain(text: str) -> bool:
    """Whether ``text`` names an issue whatever lies in the folder; a bare number may also be a folder's name."""
    return not text.isdigit() and reference(text) is not None


def shown(ref: IssueRef, repository: str) -> str:
    """``ref`` as people in ``repository`` write it."""
    elsewhere = ref.repository and ref.repository.lower() != repository.lower()
    return f"{ref.repository}#{ref.number}" if elsewhere else f"#{ref.number}"


def whole(ref: IssueRef, repository: str) -> IssueRef:
    """``ref`` with its repository, in lower case as GitHub compares them; equal for the same issue."""
    return IssueRef(ref.number, (ref.repository or repository).lower())


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.")
