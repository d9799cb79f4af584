"""Bundles: a branch as one file, written here, and taken in without trusting who wrote it.

Git unpacks a bundle without looking at its objects, before 2.47 even where ``transfer.fsckObjects`` is on. So the pack
is indexed here, with every object checked, and in a folder of its own: what is refused never gets into the repository.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared import process
from shared.errors import GitError
from shared.files import read_bounded, sync_directory
from shared.git.program import Git, environment
from shared.git.repository import STATE_FOLDER, Repository, open_repository
from shared.model import Oid

MAXIMUM_BYTES = 256 * 1024 * 1024  # of a bundle's file, which is held in memory once
_HEADER_BYTES = 64 * 1024  # in which the names of its refs must end
_SECONDS = 300.0  # after which a pack that is still being indexed was made to take long
_SIGNATURE = b"# v2 git bundle\n"
_LINE = re.compile(rb"(-?)([0-9a-f]{40})(?: ([^\n]*))?\Z")


def write(git_dir: str, path: Path, ref: str, *, without: Oid) -> None:
    """Write ``ref`` and all that it has beyond the commit ``without``. Raises GitError, also where that is nothing."""
    target = str(path.absolute())  # git works in a folder of its own choice
    Git(git_dir).run("bundle", "create", "--quiet", "--version=2", target, ref, f"^{without}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that has been unpacked beside the repository and is sound as git sees it; nothing else is known."""

    refs: tuple[tuple[str, Oid], ...]
    repo: Repository  # sees the repository and, besides, what the bundle holds
    _packs: Path
    _objects: Path

    def keep(self) -> None:
        """Put its objects into the repository, durably."""
        target = self._objects / "pack"
        target.mkdir(exist_ok=True)
        found = sorted(
            self._packs.iterdir(), key=lambda file: file.suffix == ".idx"
        )  # by which it is found: last
        for file in found:
            os.replace(file, target / file.name)
        sync_directory(target)


@contextlib.contextmanager
def unpacked(git_dir: str, path: Path) -> Iterator[Bundle]:
    """The bundle at ``path``, gone again afterwards unless it was kept. Raises GitError for one that is not sound."""
    data = read_bounded(path, MAXIMUM_BYTES)
    refs, begin = _header(data)
    state = Path(git_dir, STATE_FOLDER)
    state.mkdir(exist_ok=True)
    _sweep(state)
    aside = Path(tempfile.mkdtemp(prefix="bundle-", dir=state))
    try:
        _index(git_dir, aside, data[begin:])
        repo = open_repository(git_dir)
        repo.odb.add_disk_alternate(str(aside))
        yield Bundle(refs, repo, aside / "pack", Path(git_dir, "objects"))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sweep(state: Path) -> None:
    """Remove what a process that was killed has left; a living one is done long before."""
    for left in state.glob("bundle-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 10 * _SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _index(git_dir: str, aside: Path, pack: bytes) -> None:
    """Unpack below ``aside``; every object is checked, and so is that what it names is there."""
    (aside / "pack").mkdir()
    env = environment() | {
        "GIT_OBJECT_DIRECTORY": str(aside),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(Path(git_dir, "objects")),
    }
    argv = Git(git_dir).argv(
        "-c", "core.bigFileThreshold=32m", "index-pack", "--stdin", "--fix-thin", "--strict"
    )
    done = process.run(argv, cwd=git_dir, env=env, input=pack, timeout=_SECONDS)
    if done.status != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.status}"]
        raise GitError(f"its objects are not sound: {words[0]}")


def _header(data: bytes) -> tuple[tuple[tuple[str, Oid], ...], int]:
    """The refs that a bundle names, and where its pack begins."""
    head, blank, _ = data[:_HEADER_BYTES].partition(b"\n\n")
    if not head.startswith(_SIGNATURE) or not blank:
        raise GitError("it is not a bundle of git's, version 2")
    refs = []
    for line in head[len(_SIGNATURE) :].split(b"\n"):
        found = _LINE.match(line)
        if found is None:
            raise GitError("its header is not one of git's")
        if not found[1]:
            refs.append((os.fsdecode(found[3] or b""), Oid(found[2].decode())))
    return tuple(refs), len(head) + len(blank)
