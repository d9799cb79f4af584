"""GitHub: what can be measured of its limits without a network, on a clock that is only counted."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from shared.forge.github.limits import Kind
from tests.benchmarks.measure import Figure
from tests.support.github_limits import Limits, Outcome, ideal, simulate

_TASKS, _ROUNDS = 100, 9
_READ, _WRITE, _CREATE = Kind(), Kind(points=5), Kind(points=5, creates=True)
# Comment made, pull request looked up and opened, labels, status, comment edited.
_TASK = (_CREATE, _READ, _CREATE, _WRITE, _WRITE, _WRITE)


def limits(_: Path) -> Figure:
    """A batch of 100 tasks, all at once, against GitHub's real limits; answers take 0.1 to 1 second."""
    tasks = [_TASK] * _TASKS
    done: list[Outcome] = []
    tripped = 0
    for seed in range(_ROUNDS):
        server = Limits()
        done.append(simulate(tasks, server, seed))
        tripped += len(server.trespasses)
    assert not tripped, f"{tripped} limits were hit"
    seconds, best = statistics.median(one.seconds for one in done), ideal(tasks)
    detail = (
        f"{seconds:.0f} s where the ideal is {best:.0f} s; {len(tasks) * len(_TASK)} requests, no limit hit"
    )
    return Figure(
        f"GitHub: {_TASKS} tasks against its real limits, by the ideal schedule",
        seconds / best,
        1.1,
        "×",
        detail,
    )


ALL: dict[str, Callable[[Path], Figure]] = {"github-limits": limits}
