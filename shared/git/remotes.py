"""The remote repository on a forge: listing, fetching and pushing Spinney's refs, and nothing else.

Each command runs in a git directory of its own that is made for it: it has the repository's objects and none of its
configuration. So neither a ``url.….insteadOf`` nor a credential helper, a proxy or a header that somebody left in
``.git/config`` leads anywhere, and what is pushed is a commit by its id, never what a ref says by then.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from shared import process
from shared.errors import GitError, SpinneyError
from shared.forge.errors import AnswerLost
from shared.forge.port import Sent
from shared.git import transfers
from shared.git.program import Git, user_git
from shared.git.repository import Repository, move_ref, open_repository, read_ref
from shared.git.transfers import MOVED
from shared.model import Oid
from shared.retry import trying

_LONGEST = 3600.0  # seconds of one transfer; one that stands still is given up sooner
_AT_ONCE = 200  # refs in one command
_KNOWN = 2000  # refs of ours that a fetch tells the server about
_DEEPER = (64, 512, 4096)  # commits; then everything
_Item = TypeVar("_Item")
_COUNTED = ("refs/heads/", "refs/remotes/", "refs/spinney/")


class Remote:
    """One remote repository, by its address; what the user has configured for a remote plays no part.

    Addresses are https; http on this machine, and file, are for tests and mirrors.
    """

    def __init__(
        self,
        git_dir: str | Path,
        url: str,
        header: Callable[[], str] | None = None,
        environ: Mapping[str, str] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``header`` gives the HTTP header by which the server knows us; it is asked before each command.

        Of ``environ`` the proxies and certificates are taken. ``check`` is asked before each push; it raises
        Interrupted where nothing may be pushed any more.
        """
        self._check = check
        self.git_dir, self.url = Path(git_dir), url
        self._header, self._environ = header, transfers.surroundings(environ or {})
        self._settings = transfers.settings(url)

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"

    # --- looking

    def tips(self, *patterns: str) -> Mapping[str, Oid]:
        """Full names of the refs there that match, such as ``refs/heads/spinney/*``, and where they are."""
        with self._aside() as aside:
            listed = self._ran(aside, "ls-remote", "--refs", "--quiet", self.url, *patterns)
        return transfers.listed(listed)

    # --- fetching

    def fetch(self, refs: Mapping[str, str], *, deepen_to: Sequence[Oid] = ()) -> Mapping[str, Oid]:
        """Bring refs of the remote here: full name there → full name here, below ``refs/spinney/``.

        Returns where each is now; those that are not there are missing. In a shallow clone as much history comes
        with them as is needed for each to have a common ancestor with each of ``deepen_to``. Raises GitError where
        that is not to be had.
        """
        for name in refs.values():
            transfers.refuse_foreign(name, "refs/spinney/")
        repo = open_repository(self.git_dir)
        there: dict[str, Oid] = {}
        for names in _batched(sorted(refs), _AT_ONCE):
            known = {name: oid for name, oid in self.tips(*names).items() if name in refs}
            there |= self._fetched(repo, known)
        if deepen_to:
            self._deepen(repo, there, deepen_to)
        for name, oid in there.items():
            old = read_ref(repo, refs[name])
            if old != oid:
                move_ref(repo, refs[name], oid, old=old, why="spinney: fetched")
        return there

    def _fetched(self, repo: Repository, known: Mapping[str, Oid], *how: str) -> dict[str, Oid]:
        if not known:
            return {}
        specs = {f"refs/fetched/{number}": name for number, name in enumerate(sorted(known))}
        with self._aside(repo) as aside:
            self._ran(
                aside, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
                "--no-auto-maintenance", "--refmap=", *how, self.url,
                *(f"+{name}:{to}" for to, name in specs.items()),
            )  # fmt: skip
            listed = Git(aside).run("for-each-ref", "--format=%(objectname)%09%(refname)", "refs/fetched/")
        return {specs[to]: oid for to, oid in transfers.listed(listed).items()}

    def _deepen(self, repo: Repository, there: Mapping[str, Oid], wanted: Sequence[Oid]) -> None:
        def apart() -> bool:
            fresh = open_repository(self.git_dir)  # the boundary of a shallow clone is read once
            return not all(_related(fresh, oid, tip) for tip in there.values() for oid in wanted)

        shallow = self.git_dir / "shallow"
        for how in (*(f"--deepen={count}" for count in _DEEPER), "--unshallow"):
            if not apart() or not shallow.exists():
                break
            with self._aside(repo) as aside:
                self._ran(
                    aside, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
                    "--no-auto-maintenance", "--refmap=", how, self.url, *there, *wanted,
                )  # fmt: skip
        if apart():
            raise GitError(
                "branches on the remote have no history in common with what is checked out here",
                "if this is a shallow clone: git fetch --unshallow",
            )

    # --- pushing

    def push(self, refs: Sequence[Sent]) -> Mapping[str, str]:
        """Move all refs there in one push; the reason for each that stays where it is. See ``Forge.send``.

        Raises AnswerLost where it cannot be found out what was done, GitError where nothing was.
        """
        for sent in refs:
            transfers.refuse_foreign(sent.ref, "refs/heads/spinney/", "refs/spinney/")
        refused: dict[str, str] = {}
        for some in _batched(refs, _AT_ONCE):
            refused |= self._pushed(some)
        return refused

    def _pushed(self, refs: Sequence[Sent]) -> dict[str, str]:
        refused = trying("git", transfers.Passing)(self._together, refs)
        others = [sent for sent in refs if refused.get(sent.ref, MOVED) != MOVED]
        if len(refs) == 1 or not others:
            return refused
        # A hook or a rule that finds fault with one refuses all that came with it.
        return {ref: why for ref, why in refused.items() if why == MOVED} | self._one_by_one(others)

    def _one_by_one(self, refs: Sequence[Sent]) -> dict[str, str]:
        refused: dict[str, str] = {}
        for sent in refs:
            try:
                refused |= self._together([sent])
            except GitError as error:
                refused[sent.ref] = error.message
        return refused

    def _together(self, refs: Sequence[Sent]) -> dict[str, str]:
        """Raises Passing where none moved and another time may do."""
        self._check()
        done = self._push_once(refs)
        told = transfers.pushed(done.stdout)
        refused = {sent.ref: reason for sent in refs if (reason := told.get(sent.ref)) and reason != MOVED}
        if len(refs) == 1:
            refused = {ref: why + transfers.said_why(why, done.stderr) for ref, why in refused.items()}
        # No answer, or half of one; or it came twice and was refused the second time, since libcurl sends again
        # what a connection that was closed took with it. What is there now tells what was done.
        unknown = [sent for sent in refs if told.get(sent.ref) in (None, MOVED)]
        if not unknown:
            return refused
        failure = transfers.failure(done.stderr, self.url)
        open_, moved = self._looked_up(unknown, failure)
        if len(open_) == len(refs):
            raise failure
        return refused | moved | {sent.ref: failure.message for sent in open_}

    def _push_once(self, refs: Sequence[Sent]) -> process.Completed:
        leases = (f"--force-with-lease={sent.ref}:{sent.expected or ''}" for sent in refs)
        specs = (f"{sent.tip or ''}:{sent.ref}" for sent in refs)
        with self._aside() as aside:
            return self._attempted(
                aside, "push", "--porcelain", "--no-verify", "--no-signed", "--no-follow-tags",
                "--recurse-submodules=no", *leases, self.url, *specs,
            )  # fmt: skip

    def _looked_up(self, refs: Sequence[Sent], failure: SpinneyError) -> tuple[list[Sent], dict[str, str]]:
        """Of refs whose answer was lost: those that were not moved at all, and those somebody else has moved."""
        try:
            now = self.tips(*(sent.ref for sent in refs))
        except SpinneyError as error:
            if isinstance(failure, transfers.Denied | transfers.NotReached):
                raise failure from error
            raise AnswerLost(
                f"branches were pushed and no answer came: {failure.message}", *failure.hints
            ) from error
        left = [sent for sent in refs if now.get(sent.ref) != sent.tip]
        open_ = [sent for sent in left if now.get(sent.ref) == sent.expected]
        return open_, {sent.ref: MOVED for sent in left if sent not in open_}

    # --- running git

    def _ran(self, aside: str, *arguments: str) -> bytes:
        """For what changes nothing there: again where the server or the way to it is in trouble."""

        def run() -> bytes:
            done = self._attempted(aside, *arguments)
            if done.status != 0:
                raise transfers.failure(done.stderr, self.url)
            return done.stdout

        return trying("git", transfers.Passing)(run)

    def _attempted(self, aside: str, *arguments: str) -> process.Completed:
        extra = {**self._environ, "GIT_OBJECT_DIRECTORY": str(self.git_dir / "objects")}
        secret = self._header() if self._header is not None else ""
        if secret:
            extra |= transfers.with_header(self.url, secret)
        done = Git(aside).attempt(*self._settings, *arguments, extra=extra, timeout=_LONGEST)
        return replace(
            done,
            stdout=transfers.without(done.stdout, secret),
            stderr=transfers.without(done.stderr, secret),
        )

    @contextmanager
    def _aside(self, repo: Repository | None = None) -> Iterator[str]:
        """A git directory with our objects; with ``repo``, also with what it has, of which a fetch tells."""
        with tempfile.TemporaryDirectory(prefix="spinney-remote-") as folder:
            place = Path(folder)
            (place / "refs").mkdir()
            (place / "objects").mkdir()
            (place / "HEAD").write_text("ref: refs/heads/none\n")
            (place / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
            shallow, ours = place / "shallow", self.git_dir / "shallow"
            linked = ours.exists()
            if linked:
                # git writes through the link, and takes it away when nothing is missing any more
                shallow.symlink_to(ours)
            if repo is not None:
                (place / "packed-refs").write_text(_packed(repo))
            yield folder
            if linked and not shallow.is_symlink():
                ours.unlink(missing_ok=True)


def _packed(repo: Repository) -> str:
    tips = (
        str(ref.target)
        for ref in repo.references.iterator()
        if ref.name.startswith(_COUNTED) and not isinstance(ref.target, str)
    )
    known = itertools.islice(dict.fromkeys(tips), _KNOWN)
    return "".join(f"{oid} refs/known/{number:06}\n" for number, oid in enumerate(known))


def _related(repo: Repository, one: Oid, other: Oid) -> bool:
    return one in repo and other in repo and repo.merge_base(one, other) is not None


def _batched(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def address_of(git_dir: str | Path, name: str) -> str:
    """The address of the remote ``name`` as this repository's own configuration has it; empty where there is none."""
    config = open_repository(git_dir).config
    key = f"remote.{name}.url"
    return str(config[key]).strip() if key in config else ""


def rewritten_address(checkout: Path, name: str) -> str:
    """The same as the user's own git reads it, ``url.….insteadOf`` included; empty where that says nothing.

    For finding out what is meant by a short form. Nothing is fetched from or pushed to it.
    """
    return user_git(checkout, "remote", "get-url", "--", name) or ""


def remote_names(git_dir: str | Path) -> tuple[str, ...]:
    return tuple(sorted(name for name in open_repository(git_dir).remotes.names() if name))
