from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.gateway.sockets import NAME, private_folder, remove_dead


@pytest.fixture
def place() -> Iterator[Path]:
    """With a short name, as sockets need."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def made(place: Path, name: str, *, age: float = 3600.0) -> tuple[Path, socket.socket]:
    folder = place / f"spinney-{name}"
    folder.mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / NAME))
    made_at = time.time() - age
    os.utime(folder / NAME, (made_at, made_at))
    return folder, server


def test_socket_at_which_nobody_listens_any_more_is_removed_with_its_folder(place: Path) -> None:
    folder, server = made(place, "dead")
    server.close()
    remove_dead([place])
    assert not folder.exists()


def test_socket_of_a_gateway_that_works_stays(place: Path) -> None:
    folder, server = made(place, "alive")
    with server:
        server.listen(1)
        for _ in range(3):  # more than it has room for
            remove_dead([place])
        assert (folder / NAME).is_socket()


def test_socket_that_was_made_just_now_stays_until_somebody_listens(place: Path) -> None:
    folder, server = made(place, "young", age=1.0)
    with server:
        remove_dead([place])
        assert (folder / NAME).is_socket()


def test_nothing_else_is_ever_removed(place: Path) -> None:
    (place / "spinney-home").mkdir()
    (place / "spinney-home" / NAME).write_text("a file")
    (place / "spinney-link").symlink_to(place / "elsewhere")
    folder, server = made(place, "kept")
    server.close()
    (folder / "notes").write_text("of somebody")
    elsewhere, other = made(place, "x")
    other.close()
    elsewhere.rename(place / "elsewhere")
    remove_dead([place, place / "no such place"])
    assert (place / "spinney-home" / NAME).read_text() == "a file"
    assert (folder / "notes").read_text() == "of somebody"
    assert (place / "elsewhere" / NAME).is_socket()


def test_folder_is_private_and_its_name_is_short(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = place / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = private_folder()
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder)) < 90
        assert list(long.iterdir()) == []
    finally:
        folder.rmdir()
