"""What is gathered about a command while its parts are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from workflow_manager.commands.paths import EVERYTHING, above, is_pattern, resolve, strictly_below
from workflow_manager.commands.syntax import Unclear, Word

_DEVICES = (
    "/dev/fd", "/dev/full", "/dev/null", "/dev/random", "/dev/stderr", "/dev/stdin", "/dev/stdout", "/dev/tty",
    "/dev/urandom", "/dev/zero",
)  # fmt: skip
_MOST_FOLDERS = 4  # in which a command can be


@dataclass(frozen=True, slots=True)
class Effects:
    """What a command does to files. Where ``unclear`` says why it cannot be told, the rest means nothing."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    makes: frozenset[str] = (
        frozenset()
    )  # folders, unless they are there: several commands may do that at once
    links: frozenset[tuple[str, str]] = frozenset()  # what it makes another name for: name, target
    unclear: str = ""

    def __or__(self, other: Effects) -> Effects:
        return Effects(
            self.reads | other.reads,
            self.writes | other.writes,
            self.makes | other.makes,
            self.links | other.links,
            self.unclear or other.unclear,
        )


class Touching:
    """The effects of one command so far, and the folders in which it can be now."""

    def __init__(self, root: str, folders: tuple[str, ...], *, surely: bool) -> None:
        self.root, self.folders = root, folders
        self._surely = surely  # whether what is made is there for all that follows in the command
        self._reads: set[str] = set()
        self._writes: set[str] = set()
        self._makes: set[str] = set()
        self._links: set[tuple[str, str]] = set()

    def effects(self) -> Effects:
        return Effects(
            frozenset(self._reads), frozenset(self._writes), frozenset(self._makes), frozenset(self._links)
        )

    def paths(self, word: Word) -> list[str]:
        """Where ``word`` leads, from each folder in which the command can be; nothing for a device."""
        found = [resolve(word.text, folder) for folder in self.folders]
        return [path for path in found if not path.startswith(_DEVICES)]

    def read(self, word: Word) -> None:
        if not word.known:
            self._reads.add(EVERYTHING)
        elif word.text not in ("", "-"):
            self._reads.update(self.paths(word))

    def read_everything(self) -> None:
        self._reads.add(EVERYTHING)

    def write(self, word: Word) -> None:
        """Raises Unclear where the file cannot be told."""
        self._told(word)
        if word.text:
            for path in self.paths(word):
                self.write_path(path)

    def write_path(self, path: str) -> None:
        if path == EVERYTHING:
            raise Unclear("writes what cannot be told")
        self._writes.add(path)

    def make(self, word: Word) -> None:
        """A folder and those above it, where they are not there."""
        self._told(word)
        for path in self.paths(word):
            if path == EVERYTHING:
                raise Unclear("writes what cannot be told")
            folders = [folder for folder in above(path) if not _around(folder, self.root)]
            touched = self._reads | self._writes
            late = any(strictly_below(other, folder) for other in touched for folder in folders)
            plain = not any(is_pattern(folder) for folder in folders)
            (self._makes if self._surely and plain and not late else self._writes).update(folders)

    def link(self, name: str, target: str) -> None:
        self._links.add((name, target))

    def enter(self, word: Word) -> tuple[str, ...]:
        """The folders in which the command can be after it went to ``word``, which must be there."""
        if not word.known or word.pattern or word.text in ("", "-"):
            raise Unclear("goes to a folder that cannot be told")
        found = self.paths(word)
        if EVERYTHING in found:
            raise Unclear("goes to a folder that cannot be told")
        self._reads.update(f"{path}/." for path in found)
        return tuple(dict.fromkeys(found))

    def be_in(self, folders: tuple[str, ...]) -> None:
        self.folders = tuple(dict.fromkeys(folders))
        if len(self.folders) > _MOST_FOLDERS:
            raise Unclear("works in a folder that cannot be told")

    def _told(self, word: Word) -> None:
        if not word.known:
            raise Unclear("writes a file whose name cannot be told")


def _around(folder: str, path: str) -> bool:
    return folder == EVERYTHING or path == folder or path.startswith(folder + "/")
