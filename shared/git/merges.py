"""Merges in memory by one long-lived ``git merge-tree --stdin``.

Measured against a process a merge: a quarter of the time; against ``git merge`` in a worktree: a tenth and
less. git buffers its answers unless it talks to a terminal, so both ends are a pseudo-terminal: the C
library then flushes standard output before it waits for input.
"""

from __future__ import annotations

import os
import pty
import select
import tty
from dataclasses import dataclass
from types import TracebackType

from shared import process
from shared.errors import GitError
from shared.git.program import Git, environment
from shared.model import Oid

_ANSWER_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Clean:
    tree: Oid


@dataclass(frozen=True, slots=True)
class Conflicting:
    """``tree`` holds the conflict markers; ``paths`` are the files to resolve."""

    tree: Oid
    paths: tuple[str, ...]
    messages: tuple[str, ...]


Merge = Clean | Conflicting


def parse_record(tokens: list[str]) -> tuple[Merge, int] | None:
    """The first whole record of NUL-separated ``tokens`` and how many it took; None if more must come.

    A record is a status, a tree, one entry a conflicted stage, an empty token, then for each message the
    number of its paths, the paths, its type and its text, and an empty token (git-merge-tree(1), OUTPUT).
    A clean one has no message section.
    """
    try:
        status, tree = tokens[0], Oid(tokens[1])
        at = 2
        paths: dict[str, None] = {}
        while tokens[at]:
            paths[tokens[at].partition("\t")[2]] = None
            at += 1
        at += 1
        if status == "1":
            return Clean(tree), at
        messages: list[str] = []
        while tokens[at]:
            count = int(tokens[at])
            kind, text = tokens[at + count + 1], tokens[at + count + 2]
            if kind.startswith("CONFLICT"):
                messages.append(text.strip())
                for path in tokens[at + 1 : at + 1 + count]:
                    paths.setdefault(path)
            at += count + 3
        return Conflicting(tree, tuple(paths), tuple(messages)), at + 1
    except IndexError:
        return None


class Merger:
    """A context manager; ``merge`` may be called from one thread at a time."""

    def __init__(self, git_dir: str) -> None:
        self._git = Git(git_dir)
        self._process: process.Conversation | None = None
        self._terminal = -1

    def __enter__(self) -> Merger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None:
            os.close(self._terminal)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        outer, inner = pty.openpty()
        tty.setraw(inner)
        try:
            self._process = process.converse(
                self._git.argv("merge-tree", "--stdin", "-z"),
                cwd=self._git.git_dir,
                env=environment(),
                terminal=inner,
            )
        finally:
            os.close(inner)
        self._terminal = outer

    def merge(self, ours: Oid, theirs: Oid) -> Merge:
        """Merge two commits. Raises GitError when git cannot, for instance for unrelated histories."""
        if self._process is None:
            self._start()
        os.write(self._terminal, f"{ours} {theirs}\n".encode())
        received = b""
        while True:
            data = self._read(ours, theirs)
            received += data
            if not received.endswith(b"\0"):
                continue
            tokens = received.decode(errors="surrogateescape").split("\0")[:-1]
            record = parse_record(tokens)
            if record is not None:
                return record[0]

    def _read(self, ours: Oid, theirs: Oid) -> bytes:
        ready, _, _ = select.select([self._terminal], [], [], _ANSWER_SECONDS)
        try:
            data = os.read(self._terminal, 65536) if ready else b""
        except OSError:  # a pseudo-terminal whose other end is closed
            data = b""
        if data:
            return data
        self.close()
        done = self._git.attempt("merge-tree", "--write-tree", "--end-of-options", ours, theirs)
        words = done.stderr.decode(errors="replace").strip() or "git merge-tree gave no answer"
        raise GitError(f"cannot merge {theirs[:10]} into {ours[:10]}: {words}")
