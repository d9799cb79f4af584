"""Whether two commands may run at the same time, and in words why not."""

from __future__ import annotations

from workflow_manager.commands.paths import EVERYTHING, Paths, strictly_below
from workflow_manager.commands.touching import Effects


class Footprint:
    """A command's effects, ready to be compared with those of many others."""

    def __init__(self, number: int, effects: Effects, root: str) -> None:
        self.number, self.unclear, self._root = number, effects.unclear, root
        self._reads, self._writes = Paths(effects.reads), Paths(effects.writes)
        self._makes = Paths(effects.makes)
        self._touches = Paths(effects.reads | effects.writes)
        # Who makes a folder itself relies on nobody else for it.
        self._relies_on = (
            self._touches.folders.keys() - self._makes.plain.keys()
        ) | self._touches.plain.keys()

    def follows(self, earlier: Footprint) -> str:
        """Why this command may only begin when ``earlier`` has ended; empty where it need not wait."""
        if self.unclear:
            return f"it {self.unclear}"
        if earlier.unclear:
            return f"{earlier.number} {earlier.unclear}"
        for verb, mine, theirs, done in (
            ("reads", self._reads, earlier._writes, "writes"),
            ("writes", self._writes, earlier._writes, "writes"),
            ("writes", self._writes, earlier._reads, "reads"),
        ):
            if met := mine.meeting(theirs):
                return self._said(verb, met[0], earlier.number, done, met[1])
        if folder := earlier._makes_for(self):
            return f"needs the folder {self._shown(folder)}, which {earlier.number} makes"
        if folder := self._makes_for(earlier):
            return f"makes the folder {self._shown(folder)}, which {earlier.number} looks at"
        return ""

    def _makes_for(self, other: Footprint) -> str:
        """A folder that this command makes and ``other`` relies on, or looks at from above."""
        makes = self._makes
        if not makes.paths:
            return ""
        if not makes.plain.keys().isdisjoint(other._relies_on):
            return makes.plain[min(makes.plain.keys() & other._relies_on)]
        if not makes.folders.keys().isdisjoint(other._touches.plain):
            return makes.folders[min(makes.folders.keys() & other._touches.plain.keys())]
        for pattern in other._touches.patterns.values():
            own = {folder for folder in other._makes.paths if strictly_below(pattern, folder)}
            if met := Paths(makes.paths - own).meeting(Paths(frozenset({pattern}))):
                return met[0]
        return ""

    def _said(self, verb: str, path: str, other: int, done: str, there: str) -> str:
        also = " too" if verb == done else ""
        if path == EVERYTHING:
            return f"may read anything; {other} {done} {self._shown(there)}"
        if path == there:
            return f"{verb} {self._shown(path)}, which {other} {done}{also}"
        return f"{verb} {self._shown(path)}; {other} {done} {self._shown(there)}"

    def _shown(self, path: str) -> str:
        if path == EVERYTHING:
            return "anything"
        path = path.removesuffix("/.")
        if path == self._root:
            return "the tree"
        return path.removeprefix(self._root + "/")
