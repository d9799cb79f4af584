"""Pull requests as refs: ``refs/spinney/pulls/<n>/head`` and, beside it, a blob at ``…/meta``."""

from __future__ import annotations

import threading

import pygit2

from shared.git.repository import create_ref, move_ref, read_ref
from shared.model import Oid

PREFIX = "refs/spinney/pulls/"
_creating = threading.Lock()


class PullRefs:
    """Storage of the local forge: numbers, tips and metadata, each moved by compare-and-swap."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo

    def numbers(self) -> list[int]:
        names = (
            name.removeprefix(PREFIX).partition("/")
            for name in self._repo.references
            if name.startswith(PREFIX)
        )
        return sorted(int(number) for number, _, kind in names if kind == "meta" and number.isdigit())

    def read(self, number: int) -> tuple[Oid, str] | None:
        """The tip and the metadata of a pull request, or None."""
        meta, tip = (
            read_ref(self._repo, f"{PREFIX}{number}/meta"),
            read_ref(self._repo, f"{PREFIX}{number}/head"),
        )
        if meta is None or tip is None:
            return None
        blob = self._repo[meta]
        return tip, blob.read_raw().decode()

    def create(self, tip: Oid, meta: str) -> int:
        """A new number. The tip comes first: without metadata it counts as nothing.

        One at a time, or of two at once one would get the other's tip. Other processes are kept out by the
        repository's lock.
        """
        with _creating:
            return self._create(tip, meta)

    def _create(self, tip: Oid, meta: str) -> int:
        number = max(self.numbers(), default=0) + 1
        blob = Oid(str(self._repo.create_blob(meta.encode(errors="replace"))))
        while True:
            self._set(f"{PREFIX}{number}/head", tip)
            if create_ref(self._repo, f"{PREFIX}{number}/meta", blob):
                return number
            number += 1

    def write(self, number: int, tip: Oid, meta: str) -> None:
        self._set(f"{PREFIX}{number}/head", tip)
        self._set(f"{PREFIX}{number}/meta", Oid(str(self._repo.create_blob(meta.encode(errors="replace")))))

    def _set(self, name: str, target: Oid) -> None:
        old = read_ref(self._repo, name)
        if old != target:
            move_ref(self._repo, name, target, old=old, why="spinney: pull request")
