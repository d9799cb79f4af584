"""Earlier runs beside each other: which agents are slow, slower than before, or were once much slower. Pure.

What an agent asked for itself is left out: it has other work each time.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.estimates import Key, percentile
from orchestrator.history.past_runs import Execution, PastRun

ENOUGH = 3  # earlier executions that make a comparison
_SLOWER = 1.5  # times the median before
_NOTICED = 1.0  # seconds
_SPREADS = 10.0  # median absolute deviations beyond which an execution is an outlier


@dataclass(frozen=True, slots=True)
class Usual:
    """What an agent takes, in seconds of its own work, when it does well."""

    key: Key
    task: str  # the latest it worked for
    count: int
    median: float
    percentile_95: float


@dataclass(frozen=True, slots=True)
class Regression:
    key: Key
    task: str
    run: str
    latest: float  # seconds, the median of that run
    before: float  # seconds, the median of all earlier ones


@dataclass(frozen=True, slots=True)
class Outlier:
    key: Key
    run: str
    task: str
    seconds: float
    median: float  # of all


def of_workflow(runs: Iterable[PastRun], workflow: str) -> list[PastRun]:
    """Runs in which a workflow was used; all of them where it is empty."""
    return [run for run in runs if not workflow or workflow in run.workflows]


def slowest(runs: Sequence[PastRun], workflow: str = "") -> list[Usual]:
    """By their medians, slowest first; of one workflow, or of all."""
    found = [
        Usual(key, each[-1][1].task, len(each), statistics.median(times), percentile(times, 0.95))
        for key, each in _by_key(runs, workflow).items()
        if (times := _works(each))
    ]
    return sorted(found, key=lambda usual: -usual.median)


def regressions(runs: Sequence[PastRun], workflow: str = "") -> list[Regression]:
    """Agents whose latest run took more than 1.5 times what they took before, and more than a second more."""
    found = []
    for key, each in _by_key(runs, workflow).items():
        run = each[-1][0].run
        latest = _works((past, execution) for past, execution in each if past.run == run)
        before = _works((past, execution) for past, execution in each if past.run != run)
        if len(before) < ENOUGH:
            continue
        now, then = statistics.median(latest), statistics.median(before)
        if now > _SLOWER * then and now - then > _NOTICED:
            found.append(Regression(key, each[-1][1].task, run, now, then))
    return sorted(found, key=lambda regression: regression.before - regression.latest)


def outliers(runs: Sequence[PastRun], workflow: str = "") -> list[Outlier]:
    """Executions that took more than twice the median, and lie far outside the spread of the others."""
    found = []
    for key, each in _by_key(runs, workflow).items():
        times = _works(each)
        if len(times) < ENOUGH + 2:
            continue
        median = statistics.median(times)
        spread = statistics.median(abs(seconds - median) for seconds in times)
        limit = median + max(_SPREADS * spread, median, _NOTICED)
        found += [
            Outlier(key, past.run, execution.task, execution.work, median)
            for past, execution in each
            if execution.work > limit
        ]
    return sorted(found, key=lambda outlier: outlier.median - outlier.seconds)


_Entries = Iterable[tuple[PastRun, Execution]]


def _by_key(runs: Sequence[PastRun], workflow: str) -> Mapping[Key, list[tuple[PastRun, Execution]]]:
    """Good executions of the agents of a workflow, oldest first."""
    found: dict[Key, list[tuple[PastRun, Execution]]] = {}
    for run in runs:
        for execution in run.executions:
            key = execution.key
            if execution.ok and "/" not in key.agent and (not workflow or key.workflow == workflow):
                found.setdefault(key, []).append((run, execution))
    return found


def _works(entries: _Entries) -> list[float]:
    return [execution.work for _, execution in entries]
