"""``spinney history``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.session import here

if TYPE_CHECKING:
    from orchestrator.history import History
    from orchestrator.history.comparison import Outlier, Regression, Usual
    from orchestrator.history.past_runs import PastRun

_ROWS = 10  # of slowest agents and outliers


@click.command()
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Show the latest N runs; agents are compared over all.",
)
@click.option("--workflow", default="", metavar="NAME", help="Only runs and agents of this workflow.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(limit: int, workflow: str, as_json: bool) -> None:
    """Compare earlier runs, and name the slowest agents, what became slower, and outliers."""
    from orchestrator.history import FILE, History
    from orchestrator.history.comparison import of_workflow

    history = History.load(here().state / FILE)
    runs = of_workflow(history.runs, workflow)
    for note in history.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        click.echo(json.dumps(_json(runs, workflow, limit), indent=2, ensure_ascii=False))
    elif runs:
        click.echo("\n".join(_text(runs, workflow, limit)))
    else:
        click.echo(_nothing(history, workflow))


def _nothing(history: History, workflow: str) -> str:
    if not history.runs:
        return "no run has been recorded in this repository yet; start one: spinney run"
    known = sorted({name for run in history.runs for name in run.workflows})
    return f"no recorded run has used the workflow {workflow!r}; known: {', '.join(known)}"


def _text(runs: Sequence[PastRun], workflow: str, limit: int) -> Iterator[str]:
    from orchestrator.history.comparison import outliers, regressions, slowest

    shown = f"the latest {limit} of {len(runs)} runs" if len(runs) > limit else "runs"
    yield shown
    yield from _runs(runs[-limit:])
    usual = slowest(runs, workflow)
    if usual:
        yield from ("", "slowest agents", *_slowest(usual))
    if slower := regressions(runs, workflow):
        yield from ("", "slower than before", *map(_regression, slower))
    if wild := outliers(runs, workflow):
        yield from ("", "outliers", *map(_outlier, wild[:_ROWS]), *_more(len(wild)))


def _more(count: int) -> Iterator[str]:
    if count > _ROWS:
        yield f"  … and {count - _ROWS} more"


def _runs(runs: Iterable[PastRun]) -> Iterator[str]:
    head = ("run", "begun (UTC)", "tasks", "merged", "seconds", "speedup", "efficiency", "status")
    rows = [
        (
            run.run,
            datetime.fromtimestamp(run.at, UTC).strftime("%Y-%m-%d %H:%M"),
            str(run.tasks),
            str(run.merged),
            f"{run.seconds:.1f}",
            f"{run.speedup:.2f}",
            f"{run.efficiency:.2f}",
            run.status,
        )
        for run in runs
    ]
    return _table([head, *rows], left=(0, 1, 7))


def _slowest(usual: Sequence[Usual]) -> Iterator[str]:
    head = ("workflow", "agent", "tier", "median", "95 %", "times", "latest task")
    rows = [
        (
            entry.key.workflow,
            entry.key.agent,
            entry.key.tier,
            f"{entry.median:.1f} s",
            f"{entry.percentile_95:.1f} s",
            str(entry.count),
            entry.task,
        )
        for entry in usual[:_ROWS]
    ]
    yield from _table([head, *rows], left=(0, 1, 2, 6))
    yield from _more(len(usual))


def _table(rows: Sequence[tuple[str, ...]], left: Sequence[int]) -> Iterator[str]:
    """Columns of even width, numbers to the right."""
    width = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width[i]}}" if i in left else f"{cell:>{width[i]}}" for i, cell in enumerate(row))
        yield "  " + "  ".join(cells).rstrip()


def _regression(found: Regression) -> str:
    return (
        f"  {found.key.workflow} {found.key.agent} ({found.key.tier}): {found.latest:.1f} s in run {found.run}, "
        f"task {found.task}; {found.before:.1f} s before"
    )


def _outlier(found: Outlier) -> str:
    return (
        f"  {found.key.workflow} {found.key.agent} ({found.key.tier}): {found.seconds:.1f} s in run {found.run}, "
        f"task {found.task}; {found.median:.1f} s is usual"
    )


def _json(runs: Sequence[PastRun], workflow: str, limit: int) -> dict[str, Any]:
    from orchestrator.history.comparison import outliers, regressions, slowest

    return {
        "runs": [_run(run) for run in runs[-limit:]],
        "agents": [_flat(entry) for entry in slowest(runs, workflow)],
        "regressions": [_flat(entry) for entry in regressions(runs, workflow)],
        "outliers": [_flat(entry) for entry in outliers(runs, workflow)],
    }


def _run(run: PastRun) -> dict[str, Any]:
    return {
        "run": run.run,
        "begun": datetime.fromtimestamp(run.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": run.status,
        "workflows": list(run.workflows),
        "tasks": run.tasks,
        "merged": run.merged,
        "total_time_seconds": run.seconds,
        "speedup": run.speedup,
        "parallel_efficiency": run.efficiency,
        "waiting": dict(run.waiting),
        "executions": len(run.executions),
    }


def _flat(entry: Usual | Regression | Outlier) -> dict[str, Any]:
    """Workflow, agent, tier and backend beside the figures, which are in seconds."""
    shown = asdict(entry)
    key = shown.pop("key")
    del key["digest"]
    return {
        **key,
        **{name: round(value, 3) if isinstance(value, float) else value for name, value in shown.items()},
    }
