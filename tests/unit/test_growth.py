"""A task that fills a disk is told, wherever its agents write, and others pay nothing for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workflow_manager.growth import Growth, Room, free_room, held_in

GIB = 1024**3
LIMIT = Room(16 * GIB, 1000)
PLENTY = Room(100 * GIB, 100_000)
FULL = "its worktree and homes have grown to {}, which is all that one task may have"


def growth(*told: Room, held: Room = Room(0, 0)) -> Growth:  # noqa: B008 - frozen
    """What is free from look to look, and what is found where somebody counts."""
    looks = iter(told)
    return Growth(["/w"], LIMIT, free=lambda place: next(looks), held=lambda places, enough: held)


@pytest.mark.parametrize(
    ("free", "held", "problem"),
    [
        ((100, 95), 0, ""),
        ((100, 84), 0, ""),  # somebody has written much, but it is not there
        ((100, 84), 15, ""),
        ((100, 84), 17, FULL.format("17.0 GB")),
        ((10, 3), 8, ""),  # nobody can have written four fifths of what was free
        ((10, 2), 8, FULL.format("8.0 GB")),
        ((100, 120), 0, ""),
    ],
)
def test_when_an_agent_is_stopped(free: tuple[int, int], held: int, problem: str) -> None:
    told = (Room(value * GIB, 100_000) for value in free)
    assert growth(*told, held=Room(held * GIB, 10)).problem() == problem


@pytest.mark.parametrize(
    ("free", "held", "problem"),
    [
        ((100_000, 99_100), 1000, ""),
        ((100_000, 99_000), 999, ""),
        ((100_000, 99_000), 1000, FULL.format("1,000 files and folders")),
        ((500, 101), 400, ""),
        ((500, 100), 400, FULL.format("400 files and folders")),
    ],
)
def test_empty_files_count_as_well(free: tuple[int, int], held: int, problem: str) -> None:
    told = (Room(100 * GIB, value) for value in free)
    assert growth(*told, held=Room(0, held)).problem() == problem


def test_nothing_is_counted_without_a_reason() -> None:
    one = Growth(["/w"], LIMIT, lambda place: PLENTY, lambda places, enough: pytest.fail("counted"))
    assert one.problem() == ""


def test_what_others_have_written_is_a_reason_to_count_only_once() -> None:
    looks = iter([PLENTY, *(PLENTY - Room(gone * GIB, 0) for gone in (20, 25, 33, 34))])
    counted: list[int] = []

    def held(places: object, enough: object) -> Room:
        counted.append(1)
        return Room(2 * GIB, 1)

    one = Growth(["/w"], LIMIT, free=lambda place: next(looks), held=held)
    sums = [one.problem() or len(counted) for _ in range(4)]
    assert sums == [1, 1, 1, 2]  # again once the 14 GB that were left to it are gone, too


def test_every_place_is_looked_at_and_all_count_together() -> None:
    free = {"/w": PLENTY, "/run/homes": PLENTY}
    seen: list[list[str]] = []

    def held(places: object, enough: Room) -> Room:
        assert isinstance(places, list)
        seen.append(list(places))
        return enough

    one = Growth(["/w", "/run/homes"], LIMIT, free=free.__getitem__, held=held)
    one.watch("/w@coder")
    one.watch("/w@coder")
    free["/run/homes"] = PLENTY - LIMIT
    assert one.problem() == FULL.format("16.0 GB")
    assert seen == [["/w", "/run/homes", "/w@coder"]]


def test_folders_are_counted_without_following_links(tmp_path: Path) -> None:
    enough = Room(GIB, 1000)
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/file").write_bytes(b"x" * 100_000)
    before = held_in([str(tmp_path)], enough)
    (tmp_path / "out").symlink_to("/usr")
    (tmp_path / "deep/loop").symlink_to("..")
    after = held_in([str(tmp_path)], enough)
    assert 100_000 <= before.bytes <= after.bytes < 300_000
    assert (before.entries, after.entries) == (3, 5)
    assert held_in([str(tmp_path / "gone")], enough) == Room(0, 0)
    assert held_in([str(tmp_path / "gone"), str(tmp_path)], enough) == after
    assert held_in([str(tmp_path)], Room(1, 1000)).bytes < before.bytes
    assert free_room(str(tmp_path)).reaches(Room(1, 1))


def test_a_folder_full_of_empty_files_is_counted_to_the_limit(tmp_path: Path) -> None:
    for number in range(300):
        os.close(os.open(tmp_path / str(number), os.O_CREAT))
    assert held_in([str(tmp_path)], Room(GIB, 200)).entries == 200


def test_a_place_that_is_gone_or_to_come_is_no_problem(tmp_path: Path) -> None:
    place = tmp_path / "w"
    place.mkdir()
    one = Growth([str(place), str(tmp_path / "homes/task")])
    place.rmdir()
    assert one.problem() == ""
    assert Growth([str(place)]).problem() == ""
