"""The bare repository that pushes go to, read and written in this process: what is asked often must be quick."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pygit2

from tests.support.repository import git_environment

_SETTINGS = (
    ("http.receivepack", "true"), ("receive.denyDeleteCurrent", "ignore"), ("receive.denyNonFastForwards", "false"),
    ("transfer.hideRefs", "refs/hidden"), ("receive.hideRefs", "refs/pull"),
    ("uploadpack.allowFilter", "true"), ("uploadpack.allowAnySHA1InWant", "true"),
    ("gc.auto", "0"), ("receive.autogc", "false"), ("core.fsync", "none"),
)  # fmt: skip
_SORTED = pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE


class Conflict(Exception):
    """Two commits that do not merge by themselves."""


class Bare:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._git = pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.BARE)

    @classmethod
    def copy(cls, source: Path, path: Path) -> Bare:
        """Of the branches of ``source``, a checkout or its git directory."""
        _run("git", "clone", "--quiet", "--bare", "--template=", "--no-hardlinks", str(source), str(path))
        config = pygit2.Config(str(path / "config"))
        for key, value in _SETTINGS:
            config[key] = value
        del config["remote.origin.url"]
        return cls(path)

    def heads(self) -> dict[str, str]:
        prefix = "refs/heads/"
        return {name.removeprefix(prefix): oid for name, oid in self.refs(prefix).items()}

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        found = {}
        for reference in self._git.references.iterator():
            if reference.name.startswith(prefix):
                found[reference.name] = str(reference.resolve().target)
        return found

    def get(self, ref: str) -> str | None:
        reference = self._git.references.get(ref)
        return None if reference is None else str(reference.resolve().target)

    def set(self, ref: str, oid: str) -> None:
        self._git.references.create(ref, oid, force=True)

    def delete(self, ref: str) -> None:
        self._git.references.delete(ref)

    def commit(self, oid: str) -> pygit2.Commit | None:
        try:
            found = self._git.get(oid)
        except ValueError:
            return None
        return found if isinstance(found, pygit2.Commit) else None

    def find(self, revision: str) -> str | None:
        """The full id of a commit by its id, a short one, a branch, or a tag."""
        for ref in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if ref.startswith("refs/") and (oid := self.get(ref)):
                return oid
        try:
            found = self._git.revparse_single(revision)
        except (KeyError, ValueError):
            return None
        return str(found.id) if isinstance(found, pygit2.Commit) else None

    def contains(self, tip: str, oid: str) -> bool:
        """Whether ``oid`` is ``tip`` or an ancestor of it."""
        return tip == oid or self._git.descendant_of(tip, oid)

    def between(self, base: str, head: str) -> list[pygit2.Commit]:
        """The commits of ``head`` that ``base`` has not, oldest first."""
        walker = self._git.walk(head, _SORTED)
        walker.hide(base)
        return list(walker)

    def diff(self, base: str, head: str) -> pygit2.Diff:
        """What ``head`` changed since it left ``base``."""
        start = self._git.merge_base(base, head)
        new = self._git[head].tree
        if start is None:
            return new.diff_to_tree(swap=True)
        return self._git.diff(self._git[start].tree, new)

    def conflicts(self, base: str, head: str) -> bool:
        return bool(self._git.merge_commits(base, head).conflicts)

    # --- merges, as the button makes them

    def merge(self, base: str, head: str, message: str, who: pygit2.Signature) -> str:
        return self._commit(self._merged_tree(base, head), [base, head], message, who, who)

    def squash(self, base: str, head: str, message: str, who: pygit2.Signature) -> str:
        return self._commit(self._merged_tree(base, head), [base], message, who, who)

    def rebase(self, base: str, head: str, who: pygit2.Signature) -> str:
        tip = base
        for commit in self.between(base, head):
            if len(commit.parents) != 1:
                raise Conflict
            index = self._git.merge_trees(commit.parents[0].tree, self._git[tip].tree, commit.tree)
            if index.conflicts:
                raise Conflict
            tip = self._commit(index.write_tree(self._git), [tip], commit.message, commit.author, who)
        return tip

    def _merged_tree(self, base: str, head: str) -> pygit2.Oid:
        index = self._git.merge_commits(base, head)
        if index.conflicts:
            raise Conflict
        return index.write_tree(self._git)

    def _commit(
        self,
        tree: pygit2.Oid,
        parents: Iterable[str],
        message: str,
        author: pygit2.Signature,
        committer: pygit2.Signature,
    ) -> str:
        return str(self._git.create_commit(None, author, committer, message, tree, list(parents)))

    def write(
        self,
        branch: str,
        path: str,
        content: str | None,
        message: str,
        who: pygit2.Signature,
        start: str = "",
    ) -> str:
        """A commit of one file (None deletes it) on ``branch``, which is made from ``start`` where it is missing."""
        parent = self.get(f"refs/heads/{branch}") or self.find(start or "HEAD")
        assert parent is not None, f"no commit called {start or 'HEAD'}"
        index = pygit2.Index()
        index.read_tree(self._git[parent].tree)
        if content is None:
            index.remove(path)
        else:
            blob = self._git.create_blob(content.encode())
            index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
        oid = self._commit(index.write_tree(self._git), [parent], message, who, who)
        self.set(f"refs/heads/{branch}", oid)
        return oid

    def read(self, revision: str, path: str) -> str | None:
        """A file's text at ``revision``; None where it is not there."""
        oid = self.find(revision)
        try:
            return None if oid is None else self._git[oid].tree[path].data.decode()
        except KeyError:
            return None


def _run(*command: str) -> None:
    done = subprocess.run(command, env=git_environment(), capture_output=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode(errors='replace')}"
