"""``spinney run-task``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.budgets import budget
from orchestrator.cli.session import here_alone, mark_session
from shared.model import BackendName

if TYPE_CHECKING:
    from orchestrator.fan_out.result import Result


@click.command()
@click.option(
    "--plan",
    "plan_path",
    required=True,
    type=click.Path(path_type=Path),
    help="What `spinney plan --github-matrix --out` wrote.",
)
@click.option("--digest", default="", metavar="SHA256", help="The plan must be the one with this digest.")
@click.option("--task", required=True, metavar="ID", help="Which task of the plan.")
@click.option(
    "--need",
    "needs",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="What the tasks that it needs handed back: the --out of each, or a folder with one folder a task.",
)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where <ID>.json and, where something was changed, <ID>.bundle are written.",
)
@click.option(
    "--backend", type=click.Choice(get_args(BackendName)), help="What executes agents that name none."
)
@click.option("--jobs", "-j", type=click.IntRange(1, 1024), help="Agents at once.")
@click.option(
    "--budget",
    type=budget,
    metavar="BUDGET",
    help="What it may spend on models: 5 (US dollars), 500ktokens, or both with a comma.  "
    "[default: its share of the plan's]",
)
@click.option(
    "--events", is_flag=True, help="Print the journal's events as they happen, one JSON object a line."
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")
@click.option("--in-process", is_flag=True, help="The manager as a thread, for a debugger.")
def command(
    plan_path: Path,
    digest: str,
    task: str,
    needs: tuple[Path, ...],
    out: Path,
    events: bool,
    quiet: bool,
    in_process: bool,
    **overrides: Any,
) -> None:
    """Run one task of a plan in this clone, and write what `spinney integrate` takes in.

    Needs no token of GitHub's: nothing is pushed, merged or opened. What is committed when it is stopped is
    handed back, too.
    """
    keys = mark_session()
    from orchestrator.executors import make_executor

    executor = make_executor(in_process=in_process)
    executor.warm_up()
    place = here_alone()
    from orchestrator.cli import output
    from orchestrator.cli.run import exit_code
    from orchestrator.composition.task_jobs import Job, run_task
    from orchestrator.fan_out import plan_file
    from shared.model import TaskId

    job = Job(plan_file.read(plan_path, digest), TaskId(task), needs, out, overrides, keys)
    with output.listener(quiet=quiet, machine=False, events=events) as listen:
        ended, result = run_task(place, job, listen, executor=executor)
    if not events and not quiet:
        _tell(result, out)
    finish(1 if ended is None else exit_code(ended.status, ended.signal))


def _tell(result: Result, out: Path) -> None:
    why = f": {result.reason}" if result.reason else ""
    click.echo(f"{result.task}: {result.outcome}{why}")
    click.echo(f"handed back in {out}")
