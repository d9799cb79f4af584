"""Trees edited in memory: only the folders on the way to a changed path are read and written.

Measured on 27,674 files: 0.04 × the time of ``git add -A && git commit``, where an index costs 0.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from shared.model import Oid

# A path's new content, or None where it is gone.
Entry = tuple[Oid, int]
Changes = Mapping[str, Entry | None]
_Stage = pygit2.IndexEntry | None  # one side of a conflict


def edit_tree(repo: pygit2.Repository, base: pygit2.Tree | None, changes: Changes) -> Oid:
    """The id of ``base`` with ``changes`` applied; folders left empty disappear, as git has it."""
    oid = _edit(repo, base, dict(changes))
    return Oid(str(oid if oid is not None else repo.TreeBuilder().write()))


def _edit(
    repo: pygit2.Repository, base: pygit2.Tree | None, changes: dict[str, Entry | None]
) -> pygit2.Oid | None:
    """The edited tree's id, or None where nothing is left in it."""
    builder = repo.TreeBuilder(base) if base is not None else repo.TreeBuilder()
    below: dict[str, dict[str, Entry | None]] = {}
    for path, entry in changes.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        elif entry is not None:
            builder.insert(name, pygit2.Oid(hex=entry[0]), FileMode(entry[1]))
        elif _present(builder, name) and builder.get(name).filemode != FileMode.TREE:
            builder.remove(name)  # a folder in its place stays, but for what is named of it
    for name, nested in below.items():
        old = repo[builder.get(name).id] if _present(builder, name) else None
        subtree = old if isinstance(old, pygit2.Tree) else None
        oid = _edit(repo, subtree, nested)
        if oid is not None:
            builder.insert(name, oid, FileMode.TREE)
        elif subtree is not None:  # a file in its place stays: only what was below it is gone
            builder.remove(name)
    return builder.write() if len(builder) else None


def _present(builder: pygit2.TreeBuilder, name: str) -> bool:
    found: pygit2.Object | None = builder.get(name)
    return found is not None


def changed_paths(repo: pygit2.Repository, old: Oid, new: Oid) -> tuple[str, ...]:
    """Paths that differ between two trees or commits, sorted."""
    diff = repo[old].peel(pygit2.Tree).diff_to_tree(repo[new].peel(pygit2.Tree))
    paths: set[str] = set()
    for delta in diff.deltas:
        paths.add(delta.old_file.path)
        paths.add(delta.new_file.path)
    return tuple(sorted(paths))


def entry_at(tree: pygit2.Tree, path: str) -> Entry | None:
    """The file at ``path`` in ``tree``, or None; a folder counts as nothing, as it does in a worktree."""
    try:
        found = tree[path]
    except KeyError:
        return None
    if found.filemode == FileMode.TREE:
        return None
    return Oid(str(found.id)), int(found.filemode)


def entries_at(tree: pygit2.Tree, paths: Iterable[str]) -> dict[str, Entry | None]:
    return {path: entry_at(tree, path) for path in paths}


def merge_trees(
    repo: pygit2.Repository, base: Oid, ours: Oid, theirs: Oid
) -> tuple[Oid | None, tuple[str, ...]]:
    """The merge of two trees over their common ``base``, or None and the paths in conflict."""
    ancestor, left, right = (repo[oid].peel(pygit2.Tree) for oid in (base, ours, theirs))
    index = repo.merge_trees(ancestor, left, right)
    if index.conflicts is not None:
        found = {entry.path for stages in index.conflicts for entry in stages if entry is not None}
        return None, tuple(sorted(found))
    return Oid(str(index.write_tree(repo))), ()


def entries_of(repo: pygit2.Repository, treeish: Oid, paths: Iterable[str]) -> dict[str, Entry | None]:
    """What a tree or commit has at ``paths``."""
    return entries_at(repo[treeish].peel(pygit2.Tree), paths)


def edit_from(repo: pygit2.Repository, commit: Oid, changes: Changes) -> Oid:
    """The tree of ``commit`` with ``changes`` applied."""
    return edit_tree(repo, repo[commit].peel(pygit2.Tree), changes)


def content_of(repo: pygit2.Repository, entry: Entry | None) -> bytes:
    """What a file holds, or where a link leads; nothing where there is none, or another repository."""
    if entry is None or entry[1] == FileMode.COMMIT:
        return b""
    return repo[entry[0]].read_raw()


def changed_lines(repo: pygit2.Repository, old: Oid, new: Oid) -> dict[str, int]:
    """Added and removed lines by path, of the difference of two trees or commits; a binary file counts as one."""
    diff = repo[old].peel(pygit2.Tree).diff_to_tree(repo[new].peel(pygit2.Tree), context_lines=0)
    found: dict[str, int] = {}
    for patch in filter(None, diff):
        _, added, removed = patch.line_stats
        found[patch.delta.new_file.path] = max(1, added, removed)
    return found


@dataclass(frozen=True, slots=True)
class Collision:
    """Two trees merged as far as they can be, for somebody to go on from."""

    tree: Oid
    marked: tuple[str, ...]  # files with both sides between markers, or with the side that is there
    beside: tuple[str, ...]  # files with one side of what cannot stand in one place


def conflicted_tree(repo: pygit2.Repository, base: Oid, ours: Oid, theirs: Oid, who: str) -> Collision:
    """The merge of two trees with both sides of everything that collides; ``theirs`` is what ``who`` did.

    Texts hold both sides between markers. What cannot be mixed (binary files, links, a file and a folder)
    stands beside its place as ``name~WHO``, our side of a folder of theirs as ``name~others``. A file that
    one side removed and the other changed is there as it was changed.
    """
    ancestor, left, right = (repo[oid].peel(pygit2.Tree) for oid in (base, ours, theirs))
    index = repo.merge_trees(ancestor, left, right)
    conflicts = index.conflicts  # the index itself shows none any more once the last one is removed
    if conflicts is None:
        return Collision(Oid(str(index.write_tree(repo))), (), ())
    found = list(conflicts)
    for path in {stage.path for sides in found for stage in sides if stage is not None}:
        if path in conflicts:
            del conflicts[path]
    names = {entry.path for entry in index}
    names |= {side.path for _, mine, other in found for side in (mine, other) if side is not None}
    folders = {above for name in names for above in _above(name)}
    marked: set[str] = set()
    beside: set[str] = set()
    for old, mine, other in found:
        mixed = _mixed(repo, old, mine, other)
        if mixed is not None and mixed.path not in folders:
            index.add(mixed)
            marked.add(str(mixed.path))
            continue
        for side, label in ((mine, "others"), (other, who)):
            if side is not None and (side.path in folders or (side is other and mine is not None)):
                place = _free(f"{side.path}~{label}", names | folders)
                index.add(pygit2.IndexEntry(place, side.id, side.mode))
                beside.add(place)
            elif side is not None:
                index.add(pygit2.IndexEntry(side.path, side.id, side.mode))
                marked.add(str(side.path))
    return Collision(Oid(str(index.write_tree(repo))), tuple(sorted(marked)), tuple(sorted(beside)))


def _above(path: str) -> Iterator[str]:
    """The folders that ``path`` lies in."""
    while path := path.rpartition("/")[0]:
        yield path


def _free(name: str, taken: Set[str]) -> str:
    while name in taken:
        name += "~"
    return name


def _mixed(repo: pygit2.Repository, old: _Stage, mine: _Stage, other: _Stage) -> pygit2.IndexEntry | None:
    """Both sides between markers, where both are texts."""
    if mine is None or other is None or FileMode.LINK in (mine.mode, other.mode):
        return None
    blobs = [repo[side.id] for side in (mine, other)]
    if not all(isinstance(blob, pygit2.Blob) and not blob.is_binary for blob in blobs):
        return None
    try:
        merged = repo.merge_file_from_index(old, mine, other)
    except UnicodeDecodeError:  # a text in another encoding
        return None
    modes = {mine.mode, other.mode} - ({old.mode} if old is not None else set())
    mode = modes.pop() if len(modes) == 1 else mine.mode
    return pygit2.IndexEntry(mine.path, repo.create_blob(str(merged.contents).encode()), mode)
