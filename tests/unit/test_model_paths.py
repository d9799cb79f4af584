"""Where an agent may read and write: hostile names, links, and what is swapped while we look."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from workflow_manager import beneath
from workflow_manager.backends.anthropic.places import Places
from workflow_manager.beneath import Unreachable

HOME = Places(Path("/w/tree"), Path("/w/tree/.tasks"), "CODER")


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.py", ("a.py",)),
        ("./src//a.py", ("src", "a.py")),
        ("/w/tree/src/a.py", ("src", "a.py")),
        ("/w/tree", ()),
        (".", ()),
        (".github/x", (".github", "x")),
        ("a b/ü\n.txt", ("a b", "ü\n.txt")),
        (".gitignore", (".gitignore",)),
    ],
)
def test_paths_in_the_worktree(path: str, parts: tuple[str, ...]) -> None:
    place = HOME.find(path)
    assert (place.root, place.parts) == (HOME.worktree, parts)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../other/a.py", "goes up"),
        ("src/../../x", "goes up"),
        ("src/..", "goes up"),
        ("/etc/passwd", "outside the worktree"),
        ("/w/tree2/a", "outside the worktree"),
        ("/w/tree/../x", "goes up"),
        ("~/x/../../y", "goes up"),
        ("", "empty"),
        ("  ", "empty"),
        ("a\0b", "NUL"),
        (".git", "belongs to git"),
        (".git/config", "belongs to git"),
        ("sub/.git/hooks/x", "belongs to git"),
        (".GIT/config", "belongs to git"),
        ("GIT~1/config", "belongs to git"),
    ],
)
def test_hostile_paths_are_refused(path: str, why: str) -> None:
    with pytest.raises(Unreachable, match=why):
        HOME.find(path)


def test_task_folder_is_where_the_task_has_it() -> None:
    places = Places(Path("/w/scratch"), Path("/w/tree/.tasks"), "CODER")
    place = places.find(".tasks/PM/output.json")
    assert (place.root, place.parts) == (Path("/w/tree/.tasks"), ("PM", "output.json"))


@pytest.mark.parametrize(
    ("agent", "writes", "path", "allowed"),
    [
        ("CODER", None, "anything.py", True),
        ("CODER", ("src/**",), "src/deep/a.py", True),
        ("CODER", ("src/**",), "docs/a.md", False),
        ("CODER", (), "a.py", False),
        ("CODER", (), ".tasks/CODER/output.json", True),
        ("CODER", None, ".tasks/PM/output.json", False),
        ("CODER", None, ".tasks/manifest.json", False),
        ("CODER", None, ".tasks/CODER", False),
        ("CODER/docs", None, ".tasks/CODER/docs.md", True),
        ("CODER", None, ".", False),
    ],
)
def test_what_may_be_written(agent: str, writes: tuple[str, ...] | None, path: str, allowed: bool) -> None:
    places = Places(Path("/w/tree"), Path("/w/tree/.tasks"), agent, writes)
    if allowed:
        assert places.find_to_write(path).shown == path
    else:
        with pytest.raises(Unreachable):
            places.find_to_write(path)


# --- beneath a folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    outside, inside = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_text("secret")
    (inside / "real").mkdir()
    (inside / "real" / "a.txt").write_text("a")
    (inside / "out").symlink_to(outside)
    (inside / "in").symlink_to("real")
    (inside / "file").symlink_to(outside / "secret")
    os.mkfifo(inside / "pipe")
    return inside


def test_file_is_read_with_its_whole_size(root: Path) -> None:
    (root / "big").write_bytes(b"x" * 100)
    assert beneath.read(root, ("real", "a.txt"), 10) == (b"a", 1)
    assert beneath.read(root, ("big",), 10) == (b"x" * 10, 100)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (("out", "secret"), "out is a link to .*outside"),
        (("in", "a.txt"), "in is a link to real"),
        (("file",), "file is a link to .*secret"),
        (("pipe",), "no ordinary file"),
        (("real",), "is a folder"),
        (("nowhere", "x"), "there is no nowhere"),
        (("real", "x"), "there is no real/x"),
        (("real", "a.txt", "x"), "real/a.txt is no folder"),
    ],
)
def test_nothing_else_is_read(root: Path, parts: tuple[str, ...], why: str) -> None:
    with pytest.raises(Unreachable, match=why):
        beneath.read(root, parts, 10)


@pytest.mark.parametrize("parts", [("out", "new"), ("in", "new"), ("file",), ("pipe",), ("real",), ("out",)])
def test_nothing_is_written_through_links_or_over_what_is_no_file(root: Path, parts: tuple[str, ...]) -> None:
    before = sorted(path.name for path in root.parent.rglob("*"))
    with pytest.raises(Unreachable):
        beneath.write(root, parts, b"x")
    assert sorted(path.name for path in root.parent.rglob("*")) == before
    assert (root.parent / "outside" / "secret").read_text() == "secret"


def test_file_is_made_with_its_folders_and_replaced_with_its_mode(root: Path) -> None:
    assert beneath.write(root, ("new", "deep", "run.sh"), b"one")
    path = root / "new" / "deep" / "run.sh"
    path.chmod(0o750)
    assert not beneath.write(root, ("new", "deep", "run.sh"), b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o750)
    assert [one.name for one in path.parent.iterdir()] == ["run.sh"]


def test_other_name_of_a_file_keeps_its_content(root: Path) -> None:
    os.link(root.parent / "outside" / "secret", root / "same")
    beneath.write(root, ("same",), b"changed")
    assert (root.parent / "outside" / "secret").read_text() == "secret"


def test_name_as_long_as_the_system_allows_is_written(root: Path) -> None:
    assert beneath.write(root, ("n" * 255,), b"x")
    with pytest.raises(Unreachable, match="cannot be written"):
        beneath.write(root, ("n" * 256,), b"x")


def test_folder_swapped_for_a_link_never_leads_out(root: Path) -> None:
    """Somebody swaps a folder for a link out as fast as it can; each write lands inside or is refused."""
    over = threading.Event()
    outside = root.parent / "outside"
    (root / "spot").mkdir()

    def swap() -> None:
        spot, aside = root / "spot", root / "aside"
        while not over.is_set():
            # The writer makes the folder anew where it finds none, and then a step here fails.
            for step in (
                lambda: spot.rename(aside),
                lambda: spot.symlink_to(outside),
                spot.unlink,
                lambda: aside.rename(spot),
                lambda: shutil.rmtree(aside),
            ):
                with contextlib.suppress(OSError):
                    step()

    thread = threading.Thread(target=swap)
    thread.start()
    refused = 0
    for number in range(2000):
        try:
            beneath.write(root, ("spot", f"f{number % 7}"), b"x")
        except Unreachable:
            refused += 1
    over.set()
    thread.join()
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert refused < 2000


def test_walk_lists_links_but_does_not_follow_them(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "config").touch()
    found = list(beneath.walk(root, (), 100, frozenset({".git"})))
    assert found == ["file", "in", "out", "pipe", "real/", "real/a.txt"]
    assert list(beneath.walk(root, ("real",), 100, frozenset())) == ["real/a.txt"]
    assert len(list(beneath.walk(root, (), 3, frozenset()))) == 3


def test_walk_of_a_link_is_refused(root: Path) -> None:
    with pytest.raises(Unreachable, match="out is a link"):
        list(beneath.walk(root, ("out",), 100, frozenset()))
