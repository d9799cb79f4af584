"""``spinney demo``."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import click

from orchestrator.cli.boundary import finish
from orchestrator.cli.session import mark_session


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where to make the project.  [default: a temporary one]",
)
@click.option(
    "--jobs", "-j", type=click.IntRange(1, 64), default=4, show_default=True, help="Agents at once."
)
def command(directory: Path | None, jobs: int) -> None:
    """Run a batch of ten tasks on a small made-up project, and check what became of each.

    Independent tasks, two chains, one that changes nothing, two that conflict, one that breaks the tests.
    Exit code 0 only if every task ended as it should. The project stays, for you to look around in.
    """
    mark_session()
    from orchestrator.cli import output
    from orchestrator.composition.carrying import start
    from orchestrator.composition.looking import history, repository
    from orchestrator.composition.parts import local_forge
    from orchestrator.composition.ready import Asked, get_ready
    from orchestrator.demo import EXPECTED, make_project
    from orchestrator.executors import make_executor
    from orchestrator.runs import find_place

    executor = make_executor(in_process=False)
    executor.warm_up()
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    folder = Path(directory or tempfile.mkdtemp(prefix="spinney-demo-")).resolve()
    project = make_project(folder)
    os.chdir(project)
    place = find_place(project)
    click.echo(f"a project of four commits at {project}, ten tasks from {folder / 'batch.yaml'}\n")
    asked = Asked([str(folder / "batch.yaml")], [], "", {"jobs": jobs})
    ready = get_ready(place, project, asked)
    with output.listener(quiet=False, machine=False, events=False) as listen:
        ended = start(ready, listen, executor=executor, fresh=False, go_on=False)
    output.final_table(ended.view)
    click.echo("\nmerged history:")
    for oid, subject in history(place, ended.view):
        click.echo(f"  {oid[:10]} {subject}")
    click.echo("\npull requests:")
    for pull in local_forge(repository(place)).list():
        click.echo(f"  #{pull.number:<3} {pull.state:<7} {pull.head} → {pull.base}  {pull.title}")
    click.echo(f"\nlook around:\n  cd {project}")
    for line in (
        "spinney report",
        "spinney explain drop-check",
        "spinney pr show 1",
        "spinney logs license-headers",
    ):
        click.echo(f"  {line}")
    wrong = [
        f"{task.id} ended as {task.status}, expected {EXPECTED[task.id]}"
        for task in ended.view.tasks.values()
        if task.status is not EXPECTED[task.id]
    ]
    if any(task.commits and task.pull is None for task in ended.view.tasks.values()):
        wrong.append("a task with commits has no pull request")
    for sentence in wrong:
        click.echo(f"not as it should be: {sentence}", err=True)
    seconds = ended.view.elapsed(time.time())
    click.echo(
        f"\n{'the demo failed' if wrong else f'all ten tasks ended as they should, in {seconds:.1f} s'}"
    )
    finish(1 if wrong else 0)
