"""What goes wrong on purpose, and where tests step in between a request and its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "act",  # call ``act``, then go on as ever
    "drop",  # close the connection; nothing was done
    "lose",  # do it, then close the connection without an answer
    "status",  # answer with ``status``; nothing was done
    "late-status",  # do it, then answer with ``status`` all the same
    "secondary",  # a secondary limit, in GitHub's words, with ``headers`` (Retry-After: 60 where they are empty)
    "slow",  # wait ``seconds`` before it is done
    "junk",  # do it, then answer with something that is no JSON
    "redirect",  # send the client to ``address``
]


@dataclass(slots=True)
class Fault:
    """For the requests that ``match`` (a regular expression, searched in ``METHOD /path``, in ``GRAPHQL text`` and in
    ``GIT service``), of these the ``at``-th and ``times`` in all; ``times`` 0: from then on always."""

    kind: Kind
    match: str
    at: int = 1
    times: int = 1
    status: int = 502
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    address: str = ""
    act: Callable[[], object] | None = None
    when: Literal["before", "after"] = "before"  # of ``act``
    seen: int = 0
    hits: int = 0


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def pick(self, request: str) -> list[Fault]:
        """What happens to this request; counted as seen."""
        picked = []
        for fault in self._faults:
            if re.search(fault.match, request):
                fault.seen += 1
                if fault.seen >= fault.at and (not fault.times or fault.hits < fault.times):
                    fault.hits += 1
                    picked.append(fault)
        return picked
