from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

import pytest

from orchestrator.capacity import Disk, measure_load, megabytes, open_tasks, refuse_full_disk, sizes
from shared.errors import UserError

MEGABYTE = 1024 * 1024


def test_at_least_one_agent_can_work_anywhere() -> None:
    first = sizes(0, None).first
    assert min(first.total, first.model, first.cpu, first.gate) >= 1


@pytest.mark.parametrize(("jobs", "tasks"), [(1, 2), (2, 4), (8, 16), (16, 24), (64, 72)])
def test_more_tasks_are_open_than_can_work_but_not_many_more(jobs: int, tasks: int) -> None:
    assert open_tasks(jobs) == tasks


def test_worktrees_that_do_not_fit_are_refused_with_both_figures() -> None:
    with pytest.raises(UserError) as caught:
        refuse_full_disk(Disk(100 * MEGABYTE, 1000 * MEGABYTE), 8)
    assert caught.value.message == "8 worktrees need 800.0 MB, and 1000.0 MB are free"
    assert caught.value.hints == ("free some disk, or run fewer at a time: --jobs 1",)


def test_worktrees_that_fit_are_not_refused() -> None:
    refuse_full_disk(Disk(100 * MEGABYTE, 1000 * MEGABYTE), 7)


def test_sizes_are_in_megabytes() -> None:
    assert megabytes(1536 * 1024) == "1.5 MB"


def test_looking_at_the_machine_needs_no_folder_for_worktrees(tmp_path: Path) -> None:
    gone = tmp_path / "removed" / "worktrees"
    assert measure_load(gone).disk_free == pytest.approx(measure_load(tmp_path).disk_free, rel=0.2)


def test_folder_that_may_not_be_looked_at_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(_: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.disk_usage", refused)
    assert measure_load(tmp_path).disk_free > 1024**4


def test_a_look_at_the_machine_costs_less_than_two_milliseconds(tmp_path: Path) -> None:
    begin = time.process_time()
    for _ in range(20):
        measure_load(tmp_path)
    assert (time.process_time() - begin) / 20 < 0.002
