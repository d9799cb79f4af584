"""Merges in memory give what git gives, one after another from one process."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import GitError
from shared.git.merges import Clean, Conflicting, Merger, parse_record
from shared.model import Oid
from tests.support.repository import Repo, git_environment

pytestmark = pytest.mark.git


@pytest.fixture
def merger(repo: Repo) -> Iterator[Merger]:
    with Merger(str(repo.git_dir)) as it:
        yield it


def branch(repo: Repo, name: str, files: dict[str, str | None], start: str = "main") -> Oid:
    repo.git("switch", "--quiet", "--create", name, start)
    for path, text in files.items():
        if text is None:
            repo.git("rm", "--quiet", path)
        else:
            repo.write(path, text)
    oid = repo.commit(name)
    repo.git("switch", "--quiet", "main")
    return Oid(oid)


def by_git(repo: Repo, ours: str, theirs: str) -> tuple[bool, str, list[str]]:
    done = subprocess.run(
        ["git", "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs],
        cwd=repo.path, env=git_environment(), capture_output=True,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    tree, *paths = done.stdout.decode(errors="surrogateescape").rstrip("\0").split("\0")
    return done.returncode == 0, tree, paths


def test_branches_apart_merge_cleanly(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"a.txt": "a"}), branch(repo, "b", {"b.txt": "b"})
    merge = merger.merge(a, b)
    assert merge == Clean(Oid(by_git(repo, a, b)[1]))


AWKWARD = ["a b.txt", "new\nline.txt", "tab\t.txt", '"quotes".txt', "ünï/cödé.txt", "-x", "deep/er/file"]


@pytest.mark.parametrize("name", AWKWARD)
def test_a_conflict_names_its_file_whatever_it_is_called(repo: Repo, merger: Merger, name: str) -> None:
    a, b = branch(repo, "a", {name: "a\n"}), branch(repo, "b", {name: "b\n"})
    merge = merger.merge(a, b)
    assert isinstance(merge, Conflicting)
    assert merge.paths == (name,)
    assert merge.messages == (f"CONFLICT (add/add): Merge conflict in {name}",)
    assert "<<<<<<<" in repo.read(merge.tree, name)


def test_deleted_here_and_changed_there_is_a_conflict(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"README.md": None}), branch(repo, "b", {"README.md": "b\n"})
    merge = merger.merge(a, b)
    assert isinstance(merge, Conflicting)
    assert merge.paths == ("README.md",)


def test_a_file_against_a_folder_is_a_conflict(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"x": "file"}), branch(repo, "b", {"x/y": "in a folder"})
    merge = merger.merge(a, b)
    assert isinstance(merge, Conflicting)
    assert merge.paths


def test_many_conflicts_come_whole(repo: Repo, merger: Merger) -> None:
    """More than a pseudo-terminal holds at a time."""
    names = [f"some/long/folder/name/of/a/file/number/{number:04}.txt" for number in range(1500)]
    a = branch(repo, "a", dict.fromkeys(names, "a"))
    b = branch(repo, "b", dict.fromkeys(names, "b"))
    for _ in range(2):
        merge = merger.merge(a, b)
        assert isinstance(merge, Conflicting)
        assert list(merge.paths) == names
    assert isinstance(merger.merge(a, a), Clean)


def test_unrelated_histories_are_an_error_and_the_next_merge_works(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"a.txt": "a"}), branch(repo, "b", {"b.txt": "b"})
    alien = Oid(repo.git("commit-tree", "-m", "alien", f"{a}^{{tree}}"))
    with pytest.raises(GitError, match="refusing to merge unrelated histories"):
        merger.merge(a, alien)
    assert isinstance(merger.merge(a, b), Clean)


def test_a_missing_commit_is_an_error_and_the_next_merge_works(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"a.txt": "a"}), branch(repo, "b", {"b.txt": "b"})
    with pytest.raises(GitError, match="cannot merge 1111111111 into"):
        merger.merge(a, Oid("1" * 40))
    assert isinstance(merger.merge(a, b), Clean)


def test_a_process_that_died_is_an_error_and_the_next_merge_works(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"a.txt": "a"}), branch(repo, "b", {"b.txt": "b"})
    merger.merge(a, b)
    assert merger._process is not None
    merger._process.kill()
    merger._process.wait()
    with pytest.raises(GitError):
        merger.merge(a, b)
    assert isinstance(merger.merge(a, b), Clean)


def test_commits_made_after_the_process_began_are_seen(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"a.txt": "a"}), branch(repo, "b", {"b.txt": "b"})
    merger.merge(a, b)
    c = branch(repo, "c", {"c.txt": "c"})
    repo.git("repack", "-adq")
    d = branch(repo, "d", {"d.txt": "d"})
    assert merger.merge(c, d) == Clean(Oid(by_git(repo, c, d)[1]))


def test_closing_ends_the_process(repo: Repo) -> None:
    merger = Merger(str(repo.git_dir))
    head = Oid(repo.head)
    merger.merge(head, head)
    process = merger._process
    assert process is not None
    merger.close()
    assert process.poll() is not None
    merger.close()


@pytest.mark.parametrize("seed", range(3))
def test_random_histories_merge_as_git_merges_them(repo: Repo, merger: Merger, seed: int) -> None:
    chance = random.Random(seed)
    names = ["a.txt", "b c.txt", "d/e.txt", "d/ü.txt"]
    for name in names:
        repo.write(name, "".join(f"line {number}\n" for number in range(12)))
    repo.commit("base")
    tips = []
    for number in range(5):
        files: dict[str, str | None] = {}
        for name in chance.sample(names, 2):
            lines = (repo.path / name).read_text().splitlines()
            lines[chance.randrange(12)] = f"changed by {number}"
            files[name] = None if chance.random() < 0.15 else "\n".join(lines) + "\n"
        if chance.random() < 0.3:
            files["moved/" + chance.choice(names)] = "new\n"
        tips.append(
            branch(
                repo,
                f"branch-{number}",
                files,
                chance.choice(["main", *[f"branch-{n}" for n in range(number)]]),
            )
        )
    outcomes = set()
    for ours in tips:
        for theirs in tips:
            clean, tree, paths = by_git(repo, ours, theirs)
            merge = merger.merge(ours, theirs)
            assert merge.tree == tree
            assert isinstance(merge, Clean) == clean
            if isinstance(merge, Conflicting):
                assert sorted(merge.paths) == sorted(paths)
            outcomes.add(clean)
    assert True in outcomes


def test_half_a_record_is_waited_for() -> None:
    whole = ["0", "a" * 40, f"100644 {'b' * 40} 1\tx", f"100644 {'c' * 40} 2\tx", "", "1", "x", "CONFLICT (contents)",
             "CONFLICT (content): Merge conflict in x\n", ""]  # fmt: skip
    for length in range(len(whole)):
        assert parse_record(whole[:length]) is None
    assert parse_record([*whole, "1", "next"]) == (
        Conflicting(Oid("a" * 40), ("x",), ("CONFLICT (content): Merge conflict in x",)),
        len(whole),
    )


def test_nothing_is_written_beside_the_objects(repo: Repo, merger: Merger) -> None:
    a, b = branch(repo, "a", {"README.md": "a\n"}), branch(repo, "b", {"README.md": "b\n"})
    before = sorted(path for path in repo.path.rglob("*") if Path("objects") not in path.parents and path.is_file()
                    and "objects" not in path.parts)  # fmt: skip
    merger.merge(a, b)
    after = sorted(path for path in repo.path.rglob("*") if path.is_file() and "objects" not in path.parts)
    assert after == before
