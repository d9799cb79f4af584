"""What was asked, for tests to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(slots=True)
class Call:
    """``status`` 0: no answer was sent. ``counts``: against the primary limit, as answers that say that nothing has
    changed do not."""

    kind: Literal["rest", "graphql", "git", "storage"]
    method: str
    path: str  # of GraphQL the operation's name, of git the service
    at: float  # seconds since the epoch, by the stand-in's clock
    user: str = ""
    query: str = ""  # of the address
    body: Any = None
    status: int = 0
    counts: bool = True
    template: str = ""
    agent: str = ""  # User-Agent
    changed: tuple[tuple[str, str, str], ...] = ()  # by a push: ref, old and new id, as they were asked for

    @property
    def write(self) -> bool:
        return self.method not in ("GET", "HEAD") if self.kind == "rest" else self.method == "MUTATION"


class Calls(list[Call]):
    """In order of arrival."""

    def api(self) -> Calls:
        return Calls(one for one in self if one.kind in ("rest", "graphql"))

    def counting(self) -> Calls:
        return Calls(one for one in self.api() if one.counts)

    def writes(self) -> Calls:
        return Calls(one for one in self.api() if one.write)

    def pushes(self) -> Calls:
        return Calls(one for one in self if one.kind == "git" and one.path == "git-receive-pack")

    def of(self, method: str, template: str = "") -> Calls:
        """Those of REST by method and the end of the described path."""
        return Calls(one for one in self if one.method == method and one.template.endswith(template))

    def kinds(self) -> Counter[str]:
        return Counter(_name(one) for one in self)


def _name(call: Call) -> str:
    return f"{call.method} {call.template or call.path}"


def listing(calls: Iterable[Call]) -> str:
    """One a line, for a test's message."""
    return "\n".join(f"{one.method} {one.path} {one.status}" for one in calls)
