"""What is ours gets into a folder of an agent's, which has put something in the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from workflow_manager import insisting


def test_closed_folder_is_opened_and_a_link_opens_nothing(tmp_path: Path) -> None:
    outside, closed = tmp_path / "outside", tmp_path / "closed"
    for place in (outside, closed):
        place.mkdir()
        place.chmod(0)
    (tmp_path / "link").symlink_to(outside)
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        insisting._open_up(parent, "closed")
        if os.chmod not in os.supports_follow_symlinks:
            with pytest.raises(OSError, match="link"):
                insisting._open_up(parent, "link")
    finally:
        os.close(parent)
    assert stat.S_IMODE(closed.stat().st_mode) == stat.S_IRWXU
    assert stat.S_IMODE(outside.stat().st_mode) == 0


def test_folder_in_a_file_s_place_is_put_aside_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a/file/deep").mkdir(parents=True)
    insisting.replace(tmp_path, tmp_path / "a/file", "text")
    assert (tmp_path / "a/file").read_text() == "text"
    [aside] = [path for path in (tmp_path / "a").iterdir() if path.is_dir()]
    assert [path.name for path in aside.iterdir()] == ["deep"]


@pytest.mark.parametrize("depth", [1, 2])
def test_file_link_or_pipe_in_a_folder_s_place_gives_way(tmp_path: Path, depth: int) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    place = root / "a/b"
    for number, plant in enumerate((Path.touch, os.mkfifo, lambda path: path.symlink_to(outside))):
        at = [root / "a", place][depth - 1]
        at.parent.mkdir(parents=True, exist_ok=True)
        if at.exists():
            at.rename(tmp_path / f"before{number}")
        plant(at)
        insisting.replace(root, place / "file", "text")
        assert (place / "file").read_text() == "text"
    assert list(outside.iterdir()) == []


def test_what_cannot_be_is_said_and_not_tried_for_ever(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        insisting.replace(tmp_path, tmp_path / "a" / ("n" * 300), "text")
    with pytest.raises(FileNotFoundError):
        insisting.replace(tmp_path / "gone", tmp_path / "gone/a/b", "text")
