"""Small things remembered about a repository between runs: a file of JSON lines, bounded, replaced whole.

Several agents and managers may write at once, one after the other under a lock that the kernel frees; who reads sees
the file before or after. Nothing depends on it: what is remembered saves time, and is found again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.files import replace_file

FORMAT = 1
_LARGEST = 8 * 1024 * 1024  # bytes of a file that is read

_FROZEN = "memory"  # in a run's folder

Entry = Mapping[str, Any]


class Remembered:
    """One file, the latest entries last. A file that is missing, broken, or of a newer version holds nothing."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most

    def entries(self) -> list[Entry]:
        return self._read() or []

    def put(self, entry: Entry, replaces: Callable[[Entry], bool]) -> None:
        """Add ``entry`` in place of those it ``replaces``; the oldest are dropped. Does nothing where it cannot."""
        with contextlib.suppress(OSError), self._locked():
            before = self._read()
            if before is not None:  # else it is somebody newer's, not ours to write over
                kept = [old for old in before if not replaces(old)]
                self._write([*kept, entry][-self._most :])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> list[Entry] | None:
        """The entries; None where the file is of another version."""
        try:
            if self._path.stat().st_size > _LARGEST:
                return []
            lines = self._path.read_text(errors="replace").splitlines()
        except OSError:
            return []
        head, *entries = [_parsed(line) for line in lines] or [{}]
        version = head.get("format") if head else None
        if isinstance(version, int) and version > FORMAT:
            return None
        return [entry for entry in entries if entry] if version == FORMAT else []

    def _write(self, entries: Sequence[Entry]) -> None:
        lines = (json.dumps(entry, ensure_ascii=False) for entry in ({"format": FORMAT}, *entries))
        replace_file(self._path, "\n".join(lines) + "\n")


def as_it_was(folder: Path, run_dir: Path) -> Path:
    """What is remembered in ``folder``, as it was when this run was the first to ask.

    A run reads from there and writes to ``folder``: so it can be replayed, and does not depend on which of its tasks
    was faster. Files are replaced whole, so that a second name for each is a copy of it.
    """
    frozen = run_dir / _FROZEN
    if not frozen.is_dir():
        _copy(folder, frozen)
    return frozen


def hand_over(replayed: Path, run_dir: Path) -> None:
    """The run in ``run_dir`` is to know what the one in ``replayed`` knew."""
    if not (run_dir / _FROZEN).is_dir():
        _copy(replayed / _FROZEN, run_dir / _FROZEN)


def _copy(source: Path, target: Path) -> None:
    """Make ``target`` whole or not at all: several managers of a run may be at it."""
    making = target.with_name(f"{target.name}.{secrets.token_hex(8)}")
    making.mkdir(parents=True)
    for file in source.glob("*.jsonl"):
        try:
            os.link(file, making / file.name)
        except OSError:
            with contextlib.suppress(OSError):
                shutil.copyfile(file, making / file.name)
    try:
        making.rename(target)
    except OSError:
        shutil.rmtree(making)  # another one was faster; nobody has written to it since


def _parsed(line: str) -> Entry:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    return {}
