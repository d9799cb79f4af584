"""``spinney report``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from orchestrator.cli.session import here
from orchestrator.cli.status import look, pick, run_option, show

if TYPE_CHECKING:
    from orchestrator.runs import Place
    from orchestrator.view import RunView

_SLOWEST = 5
_MARKDOWN = 1 << 24  # characters; all of it, that is


@click.command()
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the one of `run --json`.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
def command(run: str | None, as_json: bool, as_markdown: bool) -> None:
    """Report on a run: results, time, slowest agents, what was merged, pull requests. All of it measured."""
    from orchestrator.report import to_json, to_markdown
    from shared.text import printable

    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    place = here()
    standing = look(place, pick(place, run))
    view = standing.view
    if as_json:
        click.echo(json.dumps(to_json(view, time.time()), indent=2, ensure_ascii=False))
    elif as_markdown:
        click.echo(printable(to_markdown(view, time.time()), limit=_MARKDOWN), nl=False)
    else:
        show(place, standing)
        _times(view)
        _slowest(view)
        _merged(place, view)
        _pulls(view)


def _times(view: RunView) -> None:
    from orchestrator.metrics import metrics

    figures = metrics(view, time.time())
    click.echo("\ntime")
    for name, value in (
        ("in all", f"{figures['total_time_seconds']:.1f} s"),
        ("one after another", f"{figures['sequential_time_seconds']:.1f} s"),
        ("speedup", f"{figures['speedup']:.2f}"),
        (
            "efficiency",
            f"{figures['parallel_efficiency']:.2f} of {max(1, min(view.jobs, len(view.tasks)))} slots",
        ),
        ("overhead", f"{figures['overhead_seconds']:.1f} s beyond the longest chain of agents"),
        ("gate", _gates(view)),
        ("tokens", _tokens(view)),
    ):
        if value:
            click.echo(f"  {name:<18} {value}")


def _gates(view: RunView) -> str:
    if not view.gates:
        return ""
    failed = sum(not passed for _, _, passed in view.gates)
    times = f"{len(view.gates)} time{'s' if len(view.gates) != 1 else ''}"
    return f"{sum(seconds for _, seconds, _ in view.gates):.1f} s, {times}, {failed} failed"


def _tokens(view: RunView) -> str:
    agents = [agent for task in view.tasks.values() for agent in task.agents]
    read, written = sum(agent.input_tokens for agent in agents), sum(agent.output_tokens for agent in agents)
    if not read + written:
        return ""
    return f"{read} read, {written} written, {sum(agent.cost_usd for agent in agents):.2f} USD"


def _slowest(view: RunView) -> None:
    agents = [agent for task in view.tasks.values() for agent in task.agents if agent.ended is not None]
    agents.sort(key=lambda agent: -agent.seconds)
    if agents:
        click.echo("\nslowest agents")
    for agent in agents[:_SLOWEST]:
        attempt = f", try {agent.attempt}" if agent.attempt > 1 else ""
        click.echo(f"  {agent.seconds:>8.1f} s  {agent.task}: {agent.phase} / {agent.name}{attempt}")


def _merged(place: Place, view: RunView) -> None:
    from orchestrator.composition import history
    from shared.text import printable

    merged = history(place, view)
    if merged:
        click.echo(f"\nmerged into {view.merged_ref.removeprefix('refs/heads/')}, in this order")
    for oid, subject in merged:
        click.echo(f"  {oid[:10]}  {printable(subject)}")


def _pulls(view: RunView) -> None:
    from shared.text import first_sentence

    pulls = [(task.pull, task.branch, task.title) for task in view.tasks.values() if task.pull]
    pulls += (
        [(view.pull, view.merged_ref.removeprefix("refs/heads/"), "the whole batch")] if view.pull else []
    )
    if pulls:
        click.echo("\npull requests")
    width = max((len(branch) for _, branch, _ in pulls), default=0)
    for (number, url), branch, title in pulls:
        where = f"  {url}" if url.startswith("http") else ""
        click.echo(f"  #{number:<4} {branch:<{width}}  {first_sentence(title)}{where}")
