"""Trees edited in memory are the trees that git writes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.git.repository import Repository, open_repository
from shared.git.trees import Entry, changed_paths, edit_tree, entries_of, merge_trees
from shared.model import Oid
from tests.support.repository import Repo

pytestmark = pytest.mark.git

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000


@pytest.fixture
def blob(repo: Repo) -> Entry:
    return Oid(repo.git("hash-object", "-w", "README.md")), FILE


def names(repo: Repo, tree: str) -> list[str]:
    return repo.git("ls-tree", "-r", "-z", "--name-only", tree).rstrip("\0").split("\0")


def edited(repo: Repo, opened: Repository, edits: dict[str, Entry | None], base: str = "HEAD") -> list[str]:
    tree = opened[repo.git("rev-parse", f"{base}^{{tree}}")]
    found = edit_tree(opened, tree, edits)
    assert repo.git("fsck", "--strict", "--no-dangling", found) == ""
    return names(repo, found)


def test_files_are_added_changed_and_removed(repo: Repo, opened: Repository, blob: Entry) -> None:
    assert edited(repo, opened, {"new": blob, "a/b/c": blob, "README.md": None}) == [
        "a/b/c",
        "new",
        "src/app.py",
    ]


def test_emptied_folders_disappear(repo: Repo, opened: Repository, blob: Entry) -> None:
    assert edited(repo, opened, {"src/app.py": None}) == ["README.md"]
    assert edited(repo, opened, {"src/app.py": None, "README.md": None}) == [""]


def test_a_file_becomes_a_folder(repo: Repo, opened: Repository, blob: Entry) -> None:
    assert edited(repo, opened, {"README.md": None, "README.md/x": blob}) == ["README.md/x", "src/app.py"]
    assert edited(repo, opened, {"README.md/x": blob, "README.md": None}) == ["README.md/x", "src/app.py"]


def test_a_folder_becomes_a_file(repo: Repo, opened: Repository, blob: Entry) -> None:
    assert edited(repo, opened, {"src": blob, "src/app.py": None}) == ["README.md", "src"]
    assert edited(repo, opened, {"src/app.py": None, "src": blob}) == ["README.md", "src"]


def test_removing_what_is_not_there_changes_nothing(repo: Repo, opened: Repository) -> None:
    assert edited(repo, opened, {"x": None, "src/y": None, "a/b/c": None, "README.md/z": None}) == [
        "README.md",
        "src/app.py",
    ]


def test_from_nothing(repo: Repo, opened: Repository, blob: Entry) -> None:
    assert edit_tree(opened, None, {}) == repo.git("hash-object", "-t", "tree", "/dev/null")
    assert names(repo, edit_tree(opened, None, {"a/b": blob})) == ["a/b"]


def test_changed_paths_are_both_sides_of_a_rename(repo: Repo, opened: Repository) -> None:
    before = Oid(repo.head)
    repo.git("mv", "src/app.py", "moved.py")
    repo.write("a b\né", "x")
    after = Oid(repo.commit())
    assert changed_paths(opened, before, after) == ("a b\né", "moved.py", "src/app.py")


def test_entries_are_files_as_they_are_and_a_folder_is_none(repo: Repo, opened: Repository) -> None:
    (repo.path / "link").symlink_to("README.md")
    repo.write("run.sh", "x").chmod(0o755)
    found = entries_of(opened, Oid(repo.commit()), ["link", "run.sh", "README.md", "no/where", "src"])
    assert {path: entry and oct(entry[1]) for path, entry in found.items()} == {
        "link": "0o120000", "run.sh": "0o100755", "README.md": "0o100644", "no/where": None, "src": None,
    }  # fmt: skip


def test_trees_merge_over_their_base_or_name_the_conflict(
    repo: Repo, opened: Repository, blob: Entry
) -> None:
    base = opened[repo.git("rev-parse", "HEAD^{tree}")]
    ours = edit_tree(opened, base, {"ours": blob})
    theirs = edit_tree(opened, base, {"theirs": blob})
    merged, conflicts = merge_trees(opened, Oid(str(base.id)), ours, theirs)
    assert merged is not None
    assert conflicts == ()
    assert names(repo, merged) == ["README.md", "ours", "src/app.py", "theirs"]
    other = (Oid(repo.git("hash-object", "-w", "--stdin", input=b"other")), FILE)
    merged, conflicts = merge_trees(opened, Oid(str(base.id)), ours, edit_tree(opened, base, {"ours": other}))
    assert (merged, conflicts) == (None, ("ours",))


# --- against git, on random edits

_NAME = st.sampled_from(["a", "b", "c.txt", "d e", "é", "A"])
_PATH = st.lists(_NAME, min_size=1, max_size=3).map("/".join)
_FILES = st.dictionaries(
    _PATH, st.tuples(st.integers(0, 3), st.sampled_from([FILE, PROGRAM, LINK])), max_size=6
)


def whole(files: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Without paths that lie below another one, which no tree can hold."""
    return {
        path: entry
        for path, entry in files.items()
        if not any(path.startswith(f"{other}/") for other in files if other != path)
    }


@pytest.fixture(scope="module")
def scratch() -> Repo:
    path = Path(tempfile.mkdtemp(prefix="trees-"))
    repo = Repo(path)
    repo.git("init", "--quiet", "--template=")
    return repo


@settings(max_examples=40)
@given(_FILES.map(whole), _FILES.map(whole))
def test_any_edit_gives_the_tree_that_git_writes(
    scratch: Repo, before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> None:
    opened = open_repository(scratch.git_dir)
    blobs = [Oid(str(opened.create_blob(str(number).encode()))) for number in range(4)]

    def entries(files: dict[str, tuple[int, int]]) -> dict[str, Entry | None]:
        return {path: (blobs[number], mode) for path, (number, mode) in files.items()}

    def by_git(files: dict[str, tuple[int, int]]) -> str:
        scratch.git("read-tree", "--empty")
        lines = "".join(f"{mode:o} {blobs[number]}\t{path}\0" for path, (number, mode) in files.items())
        scratch.git("update-index", "-z", "--index-info", input=lines.encode())
        return scratch.git("write-tree")

    base = edit_tree(opened, None, entries(before))
    assert base == by_git(before)
    edits = {path: None for path in before if path not in after} | entries(after)
    assert edit_tree(opened, opened[base], edits) == by_git(after)
