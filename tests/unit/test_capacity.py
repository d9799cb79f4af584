from __future__ import annotations

import pytest

from orchestrator.capacity import Disk, megabytes, open_tasks, refuse_full_disk, sizes
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
