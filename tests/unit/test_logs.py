from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.logs import BoundedLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "task" / "CODER.log"


def logged(path: Path, *writes: bytes, head: int = 10, tail: int = 5) -> bytes:
    log = BoundedLog(path, head=head, tail=tail)
    for data in writes:
        log.write(data)
    log.close()
    return path.read_bytes()


def test_short_output_is_kept_whole(path: Path) -> None:
    assert logged(path, b"one\n", b"two\n") == b"one\ntwo\n"


def test_output_up_to_head_and_tail_is_kept_whole(path: Path) -> None:
    assert logged(path, b"0123456789abcde") == b"0123456789abcde"


def test_beginning_and_end_of_long_output_are_kept_with_a_note_between(path: Path) -> None:
    data = b"0123456789" + b"." * 100 + b"abcde"
    assert logged(path, data) == "0123456789\n[… 100 bytes left out …]\nabcde".encode()


def test_beginning_is_on_disk_while_the_agent_still_runs(path: Path) -> None:
    log = BoundedLog(path, head=10, tail=5)
    log.write(b"so far")
    assert path.read_bytes() == b"so far"
    log.close()


def test_second_try_goes_on_in_the_same_file(path: Path) -> None:
    logged(path, b"first\n")
    assert logged(path, b"second\n") == b"first\nsecon" + b"d\n"


def test_second_try_after_a_full_file_still_leaves_its_end(path: Path) -> None:
    logged(path, b"x" * 100)
    assert logged(path, b"y" * 100).endswith("\n[… 95 bytes left out …]\nyyyyy".encode())


def test_gigabyte_line_costs_neither_memory_nor_disk(path: Path) -> None:
    log = BoundedLog(path)
    chunk = b"x" * (1 << 20)
    for _ in range(64):
        log.write(chunk)
    assert len(log._tail) <= 256 * 1024
    log.close()
    assert path.stat().st_size < 9 * 1024 * 1024


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=12), max_size=12), st.integers(0, 8), st.integers(0, 8))
def test_however_output_arrives_the_log_is_the_same(
    path: Path, writes: list[bytes], head: int, tail: int
) -> None:
    path.unlink(missing_ok=True)
    pieces = logged(path, *writes, head=head, tail=tail)
    path.unlink(missing_ok=True)
    assert pieces == logged(path, b"".join(writes), head=head, tail=tail)
