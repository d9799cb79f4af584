"""A worktree that grows without end is told, and others pay nothing for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow_manager.growth import Growth, free_bytes, size_of

GIB = 1024**3


@pytest.mark.parametrize(
    ("free", "held", "problem"),
    [
        ((100, 95), 0, ""),
        ((100, 84), 0, ""),  # somebody has written much, but it is not there
        ((100, 84), 15, ""),
        ((100, 84), 17, "its worktree has grown to 17.0 GB, which is all that one may have"),
        ((10, 3), 8, ""),  # nobody can have written four fifths of what was free
        ((10, 2), 8, "its worktree has grown to 8.0 GB, which is all that one may have"),
        ((100, 120), 0, ""),
    ],
)
def test_when_an_agent_is_stopped(free: tuple[int, int], held: int, problem: str) -> None:
    told = iter([value * GIB for value in free])
    growth = Growth("/w", 16 * GIB, free=lambda place: next(told), size=lambda place, enough: held * GIB)
    assert growth.problem() == problem


def test_nothing_is_counted_without_a_reason() -> None:
    growth = Growth(
        "/w", 16 * GIB, free=lambda place: 100 * GIB, size=lambda place, enough: pytest.fail("counted")
    )
    assert growth.problem() == ""


def test_a_folder_is_counted_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/file").write_bytes(b"x" * 100_000)
    before = size_of(str(tmp_path), GIB)
    (tmp_path / "out").symlink_to("/usr")
    (tmp_path / "deep/loop").symlink_to("..")
    assert 100_000 <= before <= size_of(str(tmp_path), GIB) < 300_000
    assert size_of(str(tmp_path / "gone"), GIB) == 0
    assert size_of(str(tmp_path), 1) < before
    assert free_bytes(str(tmp_path)) > 0


def test_a_worktree_that_is_gone_is_no_problem(tmp_path: Path) -> None:
    place = tmp_path / "w"
    place.mkdir()
    growth = Growth(str(place))
    place.rmdir()
    assert growth.problem() == ""
    assert Growth(str(place)).problem() == ""
