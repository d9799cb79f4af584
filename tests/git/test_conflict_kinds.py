"""Two agents that collide in things that are not lines of a text, and who resolves it sees both sides."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.git.worktrees import Worktree
from tests.support.build import agent
from workflow_manager.workspace import Refusal, Workspace

Act = Callable[[Path], object]


def text(content: str) -> Act:
    return lambda root: (root / "src/app.py").write_text(content)


def binary(content: bytes) -> Act:
    return lambda root: (root / "src/app.py").write_bytes(b"\0\xff" + content)


def removed(root: Path) -> None:
    (root / "src/app.py").unlink()


def link(target: str) -> Act:
    def act(root: Path) -> None:
        removed(root)
        (root / "src/app.py").symlink_to(target)

    return act


def folder(name: str) -> Act:
    def act(root: Path) -> None:
        removed(root)
        (root / "src/app.py").mkdir()
        (root / "src/app.py" / name).write_text(f"{name}\n")

    return act


def folder_into_file(root: Path) -> None:
    shutil.rmtree(root / "src")
    (root / "src").write_text("a file\n")


KINDS: dict[str, tuple[Act, Act]] = {
    "binary": (binary(b"A"), binary(b"B")),
    "binary and text": (binary(b"A"), text("B\n")),
    "links": (link("a"), link("b")),
    "link and text": (link("a"), text("B\n")),
    "text and link": (text("A\n"), link("b")),
    "folder and text": (folder("a"), text("B\n")),
    "text and folder": (text("A\n"), folder("b")),
    "file and changed below": (folder_into_file, text("B\n")),
    "changed below and file": (text("A\n"), folder_into_file),
    "folder and link": (folder("a"), link("b")),
    "latin": (
        lambda root: (root / "src/app.py").write_bytes(b"A \xe9\n"),
        lambda root: (root / "src/app.py").write_bytes(b"B \xe9\n"),
    ),
}


def contents(root: Path) -> set[bytes]:
    """What every file of a worktree holds, whatever its name; a link holds its target."""
    paths = [path for path in root.rglob("*") if path.name not in (".git", "README.md")]
    links = {bytes(path.readlink()) for path in paths if path.is_symlink()}
    return links | {path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()}


@pytest.mark.parametrize("kind", KINDS)
def test_who_resolves_sees_both_sides_and_cannot_lose_one_by_doing_nothing(
    make: Callable[..., Worktree], workspace: Callable[..., Workspace], kind: str
) -> None:
    work = workspace(make())
    first, second = work.scratch("one", agent("A")), work.scratch("one", agent("B"))
    wrote = set()
    for scratch, act in zip((first, second), KINDS[kind], strict=True):
        root = Path(scratch.worktree.path)
        before = contents(root)
        act(root)
        wrote |= contents(root) - before
    assert work.fold(first) is None
    work.scratches.drop(first)
    conflict = work.fold(second)
    assert conflict is not None
    fixing = work.conflicted(conflict, agent("FIXER"))
    place = Path(fixing.worktree.path)
    assert contents(place) >= wrote
    with pytest.raises(Refusal, match=r"one side of the conflict is still in src.*~(B|others)"):
        work.fold(fixing)
    for path in fixing.beside:
        (place / path).unlink()
    assert work.fold(fixing) is None
    left = contents(place)
    assert contents(work.root) == left
    assert len(left & wrote) == 1


def test_one_side_that_makes_a_colliding_text_executable_is_heard(
    make: Callable[..., Worktree], workspace: Callable[..., Workspace]
) -> None:
    work = workspace(make())
    first, second = work.scratch("one", agent("A")), work.scratch("one", agent("B"))
    text("A\n")(Path(first.worktree.path))
    text("B\n")(Path(second.worktree.path))
    Path(second.worktree.path, "src/app.py").chmod(0o755)
    assert work.fold(first) is None
    conflict = work.fold(second)
    assert conflict is not None
    shown = Path(work.conflicted(conflict, agent("FIXER")).worktree.path, "src/app.py")
    assert shown.read_text().startswith("<<<<<<<")
    assert shown.stat().st_mode & 0o100
