"""A lease on a ref of the remote: who has it, until when, and moving it from an exact place.

The ref points to a commit with an empty tree whose message is JSON. Only one of two who push at once finds the ref
where it was, so only one has the lease.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pygit2

from shared.forge.port import Sent
from shared.git.commits import write_with_contents
from shared.git.remotes import Remote
from shared.git.repository import open_repository
from shared.model import Identity, Oid
from shared.text import printable

LOCK, STOP = "refs/spinney/lock", "refs/spinney/stop"
_HERE = "refs/spinney/remote/lock"
_LONGEST = 4096  # characters of a message that is read


@dataclass(frozen=True, slots=True)
class Lease:
    """``until`` is seconds since the epoch by the forge's clock; ``seconds`` is how long a lease is."""

    holder: str
    run: str
    machine: str
    since: float
    until: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the refs are: of the lock, and of a wish that its holder ends, which points to what the lock was then."""

    lock: Oid | None
    stop: Oid | None


class Leases:
    def __init__(self, remote: Remote, identity: Identity) -> None:
        self._remote, self._identity = remote, identity

    def look(self) -> Standing:
        tips: Mapping[str, Oid] = self._remote.tips(LOCK, STOP)
        return Standing(tips.get(LOCK), tips.get(STOP))

    def read(self) -> tuple[Oid, Lease | None] | None:
        """Where the lock is and what it says: None of that where it cannot be read; None where there is no lock."""
        found = self._remote.fetch({LOCK: _HERE}).get(LOCK)
        if found is None:
            return None
        try:
            message = open_repository(self._remote.git_dir)[found].peel(pygit2.Commit).message
        except (pygit2.InvalidSpecError, pygit2.GitError, LookupError):  # no commit of ours
            return found, None
        return found, parsed(message)

    def make(self, lease: Lease) -> Oid:
        """The commit that says so; no two are the same."""
        repo = open_repository(self._remote.git_dir)
        tree = Oid(str(repo.TreeBuilder().write()))
        text = json.dumps({**asdict(lease), "once": secrets.token_hex(8)}, sort_keys=True)
        return write_with_contents(repo, tree, (), text + "\n", self._identity)

    def move(self, new: Oid | None, old: Oid | None) -> bool:
        """Move the lock; False where it is not at ``old`` any more."""
        return not self._remote.push([Sent(LOCK, new, old)])

    def wish_stop(self, lock: Oid, old: Oid | None) -> bool:
        """Ask whoever has the lock that is, or was, at ``lock`` to end."""
        return lock == old or not self._remote.push([Sent(STOP, lock, old)])

    def clear_stop(self, old: Oid) -> None:
        self._remote.push([Sent(STOP, None, old)])


def parsed(message: str) -> Lease | None:
    """What a lock's message says; None where it was not written by us."""
    try:
        told = json.loads(message[:_LONGEST])
        return Lease(
            holder=printable(str(told["holder"]), limit=200),
            run=printable(str(told["run"]), limit=100),
            machine=str(told["machine"]),
            since=float(told["since"]),
            until=float(told["until"]),
            seconds=min(max(float(told["seconds"]), 1.0), 3600.0),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
