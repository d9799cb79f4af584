from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.files import replace_file, replace_json


@pytest.mark.parametrize("durable", [False, True])
def test_file_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "f.json"
    replace_json(path, {"a": 1}, durable=durable)
    replace_json(path, {"b": "ü"}, durable=durable)
    assert path.read_text() == '{\n  "b": "ü"\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["f.json"]


def test_reader_that_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    replace_file(path, "old")
    with path.open() as reader:
        replace_file(path, b"new")
        assert reader.read() == "old"


def test_link_in_its_place_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    path = tmp_path / "f"
    path.symlink_to(target)
    replace_file(path, "new")
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("mine", "new", False)


def test_failure_leaves_the_old_file_and_no_debris(tmp_path: Path) -> None:
    folder = tmp_path / "in-the-way"
    (folder / "x").mkdir(parents=True)
    with pytest.raises(OSError, match="in-the-way"):
        replace_file(folder, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["in-the-way"]


def test_everybody_may_read_it(tmp_path: Path) -> None:
    replace_file(tmp_path / "f", "x")
    assert os.stat(tmp_path / "f").st_mode & 0o777 == 0o644


def test_text_that_is_not_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    replace_file(tmp_path / "f", "caf\udce9")
    assert (tmp_path / "f").read_text() == "caf?"
