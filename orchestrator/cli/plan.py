"""``spinney plan``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.request import asked, request_options
from orchestrator.cli.session import here

if TYPE_CHECKING:
    from orchestrator.composition.outlook import Outlook, TaskOutlook
    from orchestrator.estimates import Basis
    from shared.model import Issue


@click.command()
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--dot", "as_dot", is_flag=True, help="Print the graph for Graphviz.")
@click.option(
    "--commands", "with_commands", is_flag=True, help="Show which commands of a list run at once, and why."
)
@click.option(
    "--github-matrix",
    is_flag=True,
    help="Write the plan to --out, and print one line of JSON: which `spinney run-task` jobs to start, in waves.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="For --github-matrix.")
@click.option(
    "--waves",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    help="For --github-matrix: deeper tasks are left for the next run.",
)
@click.option(
    "--continue",
    "go_on",
    is_flag=True,
    help="As of `run`: go on with what earlier runs left, or have in review.",
)
@click.option("--fresh", is_flag=True, help="As of `run`: begin anew, whatever was done before.")
def command(
    tasks: tuple[str, ...],
    commands: tuple[str, ...],
    titles: tuple[str, ...],
    workflow: str,
    as_json: bool,
    as_dot: bool,
    with_commands: bool,
    github_matrix: bool,
    out: Path | None,
    waves: int,
    go_on: bool,
    fresh: bool,
    **settings: Any,
) -> None:
    """Show what a run would do: graph, order, agents, time, likely conflicts, disk. Writes nothing at all.

    Which agents run is told by what is known now; the run looks again once an agent has decided the
    layers, and once there is a diff.

    With --github-matrix the plan is written to a file, which `spinney run-task` jobs and `spinney integrate` get.
    """
    if github_matrix is (out is None):
        raise click.UsageError("--github-matrix and --out FILE belong together")
    shown = {"--json": as_json, "--dot": as_dot, "--commands": with_commands}
    if github_matrix and (more := [option for option, given in shown.items() if given]):
        raise click.UsageError(f"--github-matrix prints a line of its own: leave out {', '.join(more)}")
    from orchestrator.composition.ready import get_ready

    request = asked(tasks, commands, titles, workflow, settings, os.environ, fresh=fresh, go_on=go_on)
    ready = get_ready(here(), Path.cwd(), request, to_run=False)
    if out is not None:
        from orchestrator.cli import matrix

        matrix.write(ready, out, waves, fresh=fresh, go_on=go_on)
        return
    lists = None
    if with_commands:
        from orchestrator.composition.commands import command_lists

        lists = command_lists(ready.plan, ready.place.worktrees)
    show(ready, as_json=as_json, as_dot=as_dot, lists=lists)


def show(ready: Any, *, as_json: bool, as_dot: bool, lists: list[dict[str, Any]] | None = None) -> None:
    """``lists``: the commands of each agent that has several, where they were asked for."""
    from orchestrator import left_out
    from orchestrator.capacity import megabytes, open_tasks
    from orchestrator.composition.models import model_backends
    from orchestrator.composition.outlook import outlook
    from orchestrator.plan import to_dot
    from shared.text import printable

    plan, settings = ready.plan, ready.plan.settings
    worktrees = min(open_tasks(ready.jobs), len(plan.tasks)) + (1 if settings.gate else 0)
    if as_dot:
        click.echo(to_dot(plan), nl=False)
        return
    foreseen = outlook(ready)
    if as_json:
        shown = _json(ready, worktrees, foreseen) | ({} if lists is None else {"commands": lists})
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    if not plan.tasks:
        from orchestrator.cli.run import nothing_to_do

        nothing_to_do(ready, as_json=False, quiet=False)
        return
    plural = "s" if len(plan.tasks) != 1 else ""
    click.echo(f"{len(plan.tasks)} task{plural}, {ready.jobs} at once, from {ready.base[:10]}")
    click.echo(
        f"into: {settings.into or 'spinney/batch/<run> only'}; gate: {settings.gate or 'none'}; "
        f"pull requests: {settings.pull_requests}"
    )
    if asking := sorted(model_backends(plan)):
        click.echo(f"models: {_models(settings)}; through {', '.join(asking)}; budget: {_budget(settings)}")
    for number, wave in enumerate(plan.waves, 1):
        click.echo(f"\nwave {number}")
        for task_id in wave:
            task = plan.task(task_id)
            needs = f"  (needs {', '.join(need.task for need in task.needs)})" if task.needs else ""
            click.echo(f"  {task.id:<24} {task.workflow.name:<10} {task.title}{needs}")
            if len(task.workflow.agents) > 1:
                click.echo(f"  {'':<24} {_agents(foreseen.tasks[task.id])}")
    click.echo(f"\nmerged in this order: {', '.join(plan.order)}")
    for line in left_out.lines(plan.left_out):
        click.echo(line)
    for forecast in plan.forecasts:
        click.echo(f"may conflict: {forecast.first} and {forecast.second}, both touch {forecast.pattern}")
    click.echo(
        f"worktrees: {worktrees} at a time below {ready.place.worktrees}, "
        f"{megabytes(ready.disk.needed(worktrees))} of {megabytes(ready.disk.free)} free"
    )
    if foreseen.known:
        click.echo(_time(foreseen))
    for note in ready.notes:
        click.echo(f"note: {printable(note)}")
    if lists is not None:
        click.echo(
            "\nno agent has a list of commands" if not lists else "".join(map(_list, lists)), nl=not lists
        )


def _models(settings: Any) -> str:
    from shared.model import TIERS

    return ", ".join(f"{tier} {settings.models.of(tier)}" for tier in TIERS)


def _budget(settings: Any) -> str:
    from orchestrator.reporting.bills import limit

    whole, each = limit(settings.budget), limit(settings.task_budget)
    return (whole or "none") + (f", {each} a task" if each else "")


def _agents(task: TaskOutlook) -> str:
    """Such as ``5 of 8 agents, about 9m40s: a typo change (labelled typo)``."""
    from orchestrator.reporting.times import duration

    of = f" of {len(task.agents) + len(task.skipped)}" if task.skipped else ""
    why = f": {'; '.join(task.why)}" if task.why else ""
    return f"{len(task.agents)}{of} agents, about {duration(task.seconds)}{why}"


def _time(foreseen: Outlook) -> str:
    """How long the agents take at least, and what that goes by."""
    from orchestrator.reporting.times import duration

    sources: dict[Basis, str] = {
        "history": "earlier runs",
        "workflow": "the workflow's word",
        "guess": "kind and tier",
    }
    counts = [(foreseen.basis.get(basis, 0), source) for basis, source in sources.items()]
    told = [f"{_count(count, 'agent')} by {source}" for count, source in counts if count]
    return (
        f"estimated: {duration(foreseen.seconds)} at least for {duration(foreseen.work)} of work, "
        f"without gate and merging ({', '.join(told)})"
    )


def _list(entry: dict[str, Any]) -> str:
    """One agent's commands in batches, each with what it comes after."""
    title = f"\n{entry['task']} / {entry['agent']}: "
    if "planned" in entry:
        return f"{title}{entry['planned']['part']} are {entry['note']}\n"
    by_number = {command["number"]: command for command in entry["commands"]}
    lines = [
        f"{title}{_count(sum(map(len, entry['batches'])), 'command')} in {_count(len(entry['batches']), 'batch')}"
    ]
    for number, command in by_number.items():
        if command["batch"] is None:
            lines.append(f"  {number:>4}  {_line(command['command'])}  (in front of each later command)")
    for place, batch in enumerate(entry["batches"], 1):
        lines.append(f"  batch {place}")
        for number in batch:
            rest = "  (and all after it, in one shell)" if by_number[number]["rest"] else ""
            lines.append(f"  {number:>4}  {_line(by_number[number]['command'])}{rest}")
            lines += [
                f"          after {need['number']}: {need['reason']}" for need in by_number[number]["after"]
            ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    from shared.text import first_sentence

    return first_sentence(text, 100)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "es" if what.endswith("ch") else "s")


def _json(ready: Any, worktrees: int, foreseen: Outlook) -> dict[str, Any]:
    from orchestrator import left_out

    plan = ready.plan
    return {
        "base": ready.base,
        "into": plan.settings.into or None,
        "gate": plan.settings.gate or None,
        "jobs": ready.jobs,
        "tasks": [
            {
                "id": task.id,
                "title": task.title,
                "branch": task.branch,
                "workflow": task.workflow.name,
                "issue": _issue(task.issue),
                "needs": [
                    {"task": need.task, "when": "always" if need.always else "done"} for need in task.needs
                ],
                "touches": list(task.touches),
                "agents": list(foreseen.tasks[task.id].agents),
                "skipped": dict(foreseen.tasks[task.id].skipped),
                "estimated_seconds": round(foreseen.tasks[task.id].seconds, 3),
            }
            for task in plan.tasks
        ],
        "order": list(plan.order),
        "waves": [list(wave) for wave in plan.waves],
        "forecast": [{"tasks": [f.first, f.second], "pattern": f.pattern} for f in plan.forecasts],
        "worktrees": {
            "count": worktrees,
            "folder": str(ready.place.worktrees),
            "bytes": ready.disk.needed(worktrees),
            "free": ready.disk.free,
        },
        "estimate": {
            "seconds": round(foreseen.seconds, 3),
            "work_seconds": round(foreseen.work, 3),
            "agents_by": dict(foreseen.basis),
        },
        "left_out": left_out.to_data(plan.left_out),
        "notes": list(ready.notes),
    }


def _issue(issue: Issue | None) -> dict[str, Any] | None:
    """Where a task's text comes from, and what was left out of it."""
    if issue is None:
        return None
    names = ("repository", "number", "url", "author", "updated", "digest", "hidden", "cut", "comments")
    return {name: getattr(issue, name) for name in names}
