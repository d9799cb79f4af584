"""Bundles of somebody else: taken in whole and sound, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from shared.errors import GitError, SpinneyError
from shared.git import bundles
from shared.git.lineage import Allowance, commit_at, differences
from shared.git.repository import open_repository
from shared.model import Oid
from tests.support.repository import Repo

pytestmark = pytest.mark.git

REF = "refs/heads/spinney/a"


@pytest.fixture
def other(repo: Repo, tmp_path: Path) -> Repo:
    """Another clone, with one more commit on the task's branch."""
    path = tmp_path / "other" / "repo"
    shutil.copytree(repo.path, path, symlinks=True)
    made = Repo(path)
    made.git("checkout", "--quiet", "-b", "spinney/a")
    made.write("made.txt", "made\n")
    made.commit("made")
    return made


def written(other: Repo, tmp_path: Path, base: str) -> Path:
    path = tmp_path / "a.bundle"
    bundles.write(str(other.git_dir), path, REF, without=Oid(base))
    return path


def objects(repo: Repo) -> list[str]:
    return sorted(str(path) for path in (repo.git_dir / "objects").rglob("*") if path.is_file())


def test_bundle_is_seen_and_comes_in_only_when_it_is_kept(repo: Repo, other: Repo, tmp_path: Path) -> None:
    path, before = written(other, tmp_path, repo.head), objects(repo)
    with bundles.unpacked(str(repo.git_dir), path) as bundle:
        assert bundle.refs == ((REF, other.head),)
        assert commit_at(bundle.repo, Oid(other.head)).message == "made\n"
        assert objects(repo) == before
    assert objects(repo) == before
    assert other.head not in open_repository(repo.git_dir)
    with bundles.unpacked(str(repo.git_dir), path) as bundle:
        bundle.keep()
    assert commit_at(open_repository(repo.git_dir), Oid(other.head)).message == "made\n"
    assert repo.git("fsck", "--strict") == f"dangling commit {other.head}"
    assert list((repo.git_dir / "spinney").iterdir()) == []


def test_bundle_is_written_where_a_relative_path_says(
    repo: Repo, other: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundles.write(str(other.git_dir), Path("a.bundle"), REF, without=Oid(repo.head))
    with bundles.unpacked(str(repo.git_dir), tmp_path / "a.bundle") as bundle:
        assert bundle.refs == ((REF, other.head),)


def test_bundle_may_come_twice(repo: Repo, other: Repo, tmp_path: Path) -> None:
    path = written(other, tmp_path, repo.head)
    for _ in range(2):
        with bundles.unpacked(str(repo.git_dir), path) as bundle:
            bundle.keep()
    assert other.head in open_repository(repo.git_dir)


def test_what_a_killed_process_left_is_swept(repo: Repo, other: Repo, tmp_path: Path) -> None:
    state = repo.git_dir / "spinney"
    for name in ("bundle-old", "bundle-new"):
        (state / name).mkdir(parents=True)
    os.utime(state / "bundle-old", (1.0, 1.0))
    with bundles.unpacked(str(repo.git_dir), written(other, tmp_path, repo.head)):
        pass
    assert [path.name for path in state.iterdir()] == ["bundle-new"]


def test_bundle_of_nothing_is_not_written(repo: Repo, tmp_path: Path) -> None:
    repo.git("branch", "spinney/a")
    with pytest.raises(GitError, match="empty bundle"):
        bundles.write(str(repo.git_dir), tmp_path / "a.bundle", REF, without=Oid(repo.head))


def test_bundle_whose_base_is_not_here_is_refused(repo: Repo, other: Repo, tmp_path: Path) -> None:
    base = other.head
    other.write("made.txt", "more\n")
    other.commit("more")
    with (
        pytest.raises(GitError, match="not sound"),
        bundles.unpacked(str(repo.git_dir), written(other, tmp_path, base)),
    ):
        pass


def test_objects_that_git_would_not_check_out_safely_are_refused(
    repo: Repo, other: Repo, tmp_path: Path
) -> None:
    blob = other.git("hash-object", "-w", "--stdin", input=b"[core]\n")
    inner = other.git("mktree", input=f"100644 blob {blob}\tconfig\n".encode())
    # `git mktree` takes the name; a check-out would write into the repository's own folder.
    raw = b"40000 .git\0" + bytes.fromhex(inner)
    tree = other.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", input=raw)
    commit = other.git("commit-tree", tree, "-p", repo.head, "-m", "bad")
    other.git("update-ref", REF, commit)
    before = objects(repo)
    with (
        pytest.raises(GitError, match=r"not sound.*hasDotgit"),
        bundles.unpacked(str(repo.git_dir), written(other, tmp_path, repo.head)),
    ):
        pass
    assert objects(repo) == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# v3 git bundle\n@filter=blob:none\n\nPACK",
        b"# v2 git bundle\nnonsense\n\nPACK",
        b"# v2 git bundle\n" + b"a" * 200_000,
        b"# v2 git bundle\n\nPACK",
    ],
)
def test_what_is_no_bundle_is_refused(repo: Repo, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bundle"
    path.write_bytes(data)
    with pytest.raises(GitError), bundles.unpacked(str(repo.git_dir), path):
        pass


def test_links_pipes_folders_and_large_files_are_not_read(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, pipe, large, folder = (tmp_path / name for name in ("link", "pipe", "large", "folder"))
    link.symlink_to("/etc/passwd")
    os.mkfifo(pipe)
    folder.mkdir()
    large.write_bytes(b"x" * 5000)
    monkeypatch.setattr(bundles, "MAXIMUM_BYTES", 4096)
    for path, why in (
        (link, "cannot be read"),
        (pipe, "not a plain file"),
        (folder, "not a plain file"),
        (large, "more than 4 KiB"),
    ):
        with pytest.raises(SpinneyError, match=why), bundles.unpacked(str(repo.git_dir), path):
            pass


def test_differences_tell_links_repositories_sizes_and_strange_names(repo: Repo) -> None:
    repo.write("big.txt", "x" * 1234)
    (repo.path / "link").symlink_to("../outside")
    (repo.path / os_name()).write_bytes(b"strange")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head},module")
    repo.git("rm", "--quiet", "README.md")
    repo.git("add", "--all", ":!module")
    repo.git("commit", "--quiet", "--message", "many")
    opened = open_repository(repo.git_dir)
    commit = commit_at(opened, Oid(repo.head))
    found = {
        d.path: (d.size, d.link, d.repository, d.new is None)
        for d in differences(opened, commit.parents[0], commit.oid, Allowance(100, 10**6))
    }
    assert found == {
        "README.md": (0, None, False, True),
        "big.txt": (1234, None, False, False),
        "link": (10, "../outside", False, False),
        "module": (0, None, True, False),
        os_name(): (7, None, False, False),
    }


def os_name() -> str:
    """A file's name that is no UTF-8."""
    return b"caf\xe9".decode(errors="surrogateescape")


def test_difference_is_told_as_git_tells_it(repo: Repo) -> None:
    """Folders and files in each other's place, links, modes, names that order differently."""
    for path in ("same", "a/b/c", "a/x", "a.b", "gone/1", "gone/2", "file"):
        repo.write(path, path)
    (repo.path / "turned").symlink_to("same")
    repo.write("folder/inner", "1")
    first = repo.commit("before")
    repo.git("rm", "-r", "--quiet", "gone", "file", "folder", "turned", "a/x")
    for path in ("file/now/a/folder", "folder", "turned", "a/b/d", "a-b"):
        repo.write(path, path)
    (repo.path / "a.b").chmod(0o755)
    second = repo.commit("after")
    for old, new in ((first, second), (second, first), (first, first)):
        told = repo.git("diff-tree", "-r", "--no-renames", old, new).splitlines()
        found = differences(open_repository(repo.git_dir), Oid(old), Oid(new), Allowance(100, 10**6))
        sides = {(d.path, d.old, d.new) for d in found}
        expected = set()
        for line in told:
            facts, path = line.split("\t")
            old_mode, new_mode, old_oid, new_oid, kind = facts[1:].split()
            was = (Oid(old_oid), int(old_mode, 8)) if kind != "A" else None
            now = (Oid(new_oid), int(new_mode, 8)) if kind != "D" else None
            expected |= {(path, was, None), (path, None, now)} if kind == "T" else {(path, was, now)}
        assert sides == expected


def tree_of_trees(repo: Repo, leaf: str, levels: int) -> str:
    """A commit on HEAD whose few trees hold each other ten times a level."""
    kind = "100644 blob" if repo.git("cat-file", "-t", leaf) == "blob" else "040000 tree"
    tree = repo.git("mktree", input="".join(f"{kind} {leaf}\tf{n}\n" for n in range(10)).encode())
    for _ in range(levels):
        tree = repo.git("mktree", input="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode())
    return repo.git("commit-tree", tree, "-p", repo.head, "-m", "bomb")


@pytest.mark.parametrize("content", ["files", "nothing"])
def test_few_trees_that_spell_out_endless_paths_are_left_early(repo: Repo, content: str) -> None:
    empty = repo.git("mktree", input=b"")
    leaf = repo.git("hash-object", "-w", "--stdin", input=b"x") if content == "files" else empty
    opened, head, bomb = open_repository(repo.git_dir), Oid(repo.head), Oid(tree_of_trees(repo, leaf, 40))
    allowance = Allowance(1000, 10**6)
    with pytest.raises(GitError, match="it changes too many paths"):
        list(differences(opened, head, bomb, allowance))
    assert allowance.paths == -1


def test_one_large_file_under_many_names_counts_each_time(repo: Repo) -> None:
    leaf = repo.git("hash-object", "-w", "--stdin", input=b"x" * 1000)
    bomb = Oid(tree_of_trees(repo, leaf, 2))
    with pytest.raises(GitError, match="it changes too much"):
        list(differences(open_repository(repo.git_dir), Oid(repo.head), bomb, Allowance(10**6, 500_000)))


def test_endless_path_is_refused(repo: Repo) -> None:
    leaf = repo.git("hash-object", "-w", "--stdin", input=b"x")
    tree = repo.git("mktree", input=f"100644 blob {leaf}\tf\n".encode())
    for _ in range(20):
        tree = repo.git("mktree", input=f"040000 tree {tree}\t{'d' * 250}\n".encode())
    commit = repo.git("commit-tree", tree, "-p", repo.head, "-m", "deep")
    with pytest.raises(GitError, match="more than 4096 bytes"):
        list(differences(open_repository(repo.git_dir), Oid(repo.head), Oid(commit), Allowance(100, 10**6)))


def test_a_commit_that_is_not_there_is_said(repo: Repo) -> None:
    opened = open_repository(repo.git_dir)
    with pytest.raises(GitError, match="is not there"):
        commit_at(opened, Oid("12" * 20))
    with pytest.raises(GitError, match="is not a commit"):
        commit_at(opened, Oid(repo.git("rev-parse", "HEAD^{tree}")))
