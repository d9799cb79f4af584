"""The remote repository on a forge: listing, fetching and pushing Spinney's refs, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shared.forge.port import Sent
from shared.model import Oid


class Remote:
    """One remote repository, by its address; what the user has configured for a remote plays no part."""

    def __init__(self, git_dir: str | Path, url: str, header: Callable[[], str] | None = None) -> None:
        """``header`` gives the HTTP header by which the server knows us; it is asked before each command."""
        self.git_dir, self.url = str(git_dir), url
        self._header = header

    def tips(self, *patterns: str) -> Mapping[str, Oid]:
        """Full names of the refs there that match, such as ``refs/heads/spinney/*``, and where they are."""
        raise NotImplementedError

    def fetch(self, refs: Mapping[str, str], *, deepen_to: Sequence[Oid] = ()) -> Mapping[str, Oid]:
        """Bring refs of the remote here: full name there → full name here, below ``refs/spinney/``.

        Returns where each is now; those that are not there are missing. In a shallow clone as much history comes
        with them as is needed for ``deepen_to`` to be in it.
        """
        raise NotImplementedError

    def push(self, refs: Sequence[Sent]) -> Mapping[str, str]:
        """Move all refs there in one push; the reason for each that stays where it is. See ``Forge.send``."""
        raise NotImplementedError
