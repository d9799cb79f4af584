"""``spinney clean``."""

from __future__ import annotations

import click

from orchestrator.cli.session import here
from orchestrator.runs import Place
from shared.model import RunId


@click.command()
@click.option("--run", metavar="RUN", help="This run, whatever it left unmerged or unfinished.")
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Keep the latest N runs.",
    show_default=True,
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(run: str | None, keep: int, dry_run: bool) -> None:
    """Remove worktrees, merged branches and folders of runs that left nothing unmerged.

    A run with unmerged work stays until it is named with --run: then its branches are moved to
    refs/spinney/archive, never deleted. Merged results (spinney/batch/...) and pull requests stay.
    """
    from orchestrator.cleaning import carry_out, find
    from shared.git.repository import open_repository
    from shared.lock import RepositoryLock

    place = here()
    repo = open_repository(place.git_dir)
    runs = [place.pick(run)] if run is not None else _done_with(place, keep)
    if dry_run:
        for removal in find(place, repo, runs):
            click.echo(f"would remove {removal.kind} {removal.name}: {removal.why}")
        return
    with RepositoryLock(place.state) as lock:
        removals = find(place, repo, runs)
        for line in carry_out(place, repo, removals, lock):
            click.echo(line)
    click.echo(
        f"removed {len(removals)} thing{'s' if len(removals) != 1 else ''}"
        if removals
        else "there is nothing to remove"
    )


def _done_with(place: Place, keep: int) -> list[RunId]:
    """Finished runs, without the latest ``keep``, whose every commit is merged; says which others stay."""
    runs = place.runs()
    found = []
    for run in runs[: len(runs) - keep] if keep else runs:
        status = place.status(run)
        if status == "damaged":
            click.echo(
                f"the journal of run {run} is damaged, and it stays: spinney clean --run {run} removes it"
            )
            continue
        view = place.view(run)
        left = [task.id for task in view.tasks.values() if task.commits and not task.status.good]
        if status in ("running", "interrupted"):
            click.echo(f"run {run} is not finished and stays: spinney resume, or spinney clean --run {run}")
        elif left:
            click.echo(
                f"run {run} has unmerged work ({', '.join(left)}) and stays: spinney clean --run {run} archives it"
            )
        else:
            found.append(run)
    return found
