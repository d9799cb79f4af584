"""What the parts of the GitHub forge ask of the one client of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Host:
    """Where a GitHub is reached."""

    name: str  # github.com, or an Enterprise server's, with its port where it has one
    api: str  # https://api.github.com, https://HOST/api/v3
    graphql: str  # https://api.github.com/graphql, https://HOST/api/graphql
    web: str  # https://github.com


class Api(Protocol):
    """One client for the process: one limiter, one set of connections, used by several threads.

    Paths begin with a slash and are relative to the host's API; what is filled into them is quoted by the caller with
    ``quoted``. Questions are tried again inside where that is safe, and nowhere else. Raises ``Refused`` where GitHub
    says no, ``AnswerLost`` where a write may or may not have been done, ``Unreachable`` where nothing was,
    ``Interrupted`` where the run was stopped while it waited.
    """

    host: Host

    def get(self, path: str, **query: str | int) -> Any:
        """The data; from the cache where GitHub says that nothing has changed."""

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """The items of all pages, each page asked for when it is needed."""

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, creates: bool = False
    ) -> Any:
        """``creates``: makes content that others are told of, of which GitHub allows 80 a minute."""

    def graphql(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        mutates: bool = False,
        hidden: Callable[[tuple[str | int, ...]], object] = lambda path: None,
    ) -> Mapping[str, Any]:
        """The ``data`` of the answer. A part that is not to be had is None in it; ``hidden`` is told the path of each
        that is there or may be there, and was refused. An answer that is only errors raises ``Refused``, one that
        would be too large ``TooMuch``."""

    def download(self, path: str, *, limit: int) -> bytes:
        """The last ``limit`` bytes of what the path leads to, on another host without the token."""

    def pause(self, seconds: float) -> None:
        """Wait before something is tried again that GitHub refused because it is not so far."""
