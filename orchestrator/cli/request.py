"""What is to be run, as ``run`` and ``plan`` take it from the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, get_args

import click

from orchestrator.cli.budgets import budget
from orchestrator.cli.session import waits
from shared.model import BackendName, ForgeName, Sandboxing

F = TypeVar("F", bound=Callable[..., Any])


def moment(text: str) -> datetime:
    """For options to be read by. Raises BadParameter."""
    from orchestrator.intake.issue_text import moment as read

    try:
        return read(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: 2026-11-26T18:00:00Z") from None


ISSUE_OPTIONS = [
    click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="LABEL",
        help="Open issues with this label; several: with all.",
    ),
    click.option(
        "--milestone", default="", metavar="TITLE", help="Open issues of a milestone, or of its number."
    ),
    click.option(
        "--search", default="", metavar="QUERY", help="Open issues that a search of GitHub's finds."
    ),
    click.option(
        "--assignee", default="", metavar="LOGIN", help="Open issues of somebody, of @me, or of none."
    ),
    click.option(
        "--limit",
        type=click.IntRange(1, 1000),
        default=100,
        show_default=True,
        help="Issues that these four, which narrow each other down, may find.",
    ),
    click.option(
        "--trusted-until",
        type=moment,
        metavar="TIME",
        envvar="SPINNEY_TRUSTED_UNTIL",
        help="Leave out issues, and comments, whose text was written or changed later.",
    ),
    click.option(
        "--trusted-label",
        default="",
        metavar="LABEL",
        envvar="SPINNEY_TRUSTED_LABEL",
        help="Leave out issues unless somebody who may write has put this label on since their text was changed.",
    ),
    click.option(
        "--forge",
        type=click.Choice(get_args(ForgeName)),
        help="Where pull requests go: to GitHub where tasks come from issues there (auto), or always one.",
    ),
]


def request_options(command: F) -> F:
    """Options that say what to run; shared with ``plan``."""
    for option in reversed(
        [
            click.argument("tasks", nargs=-1, metavar="[TASK]..."),
            click.option(
                "-c",
                "--command",
                "commands",
                multiple=True,
                metavar="COMMAND",
                help="A task that runs COMMAND.",
            ),
            click.option("--title", "titles", multiple=True, help="The title of a -c task, in their order."),
            *ISSUE_OPTIONS,
            click.option(
                "--base", help="What to start from: a branch, tag or commit.  [default: the current commit]"
            ),
            click.option(
                "--into",
                metavar="BRANCH",
                help="Where tested merges land.  [default: only spinney/batch/<run>]",
            ),
            click.option("--gate", metavar="COMMAND", help="Must pass on the merged tree before it lands."),
            click.option(
                "--jobs",
                "-j",
                type=click.IntRange(1, 1024),
                help="Agents at once.  [default: what the machine can carry]",
            ),
            click.option(
                "--pull-requests",
                type=click.Choice(["per-task", "stacked", "batch", "none"]),
                help="Which pull requests to open.  [default: per-task]",
            ),
            click.option(
                "--workflow", default="", metavar="NAME", help="A preset or a workflow file, for all tasks."
            ),
            click.option(
                "--backend",
                type=click.Choice(get_args(BackendName)),
                help="What executes agents that name none: `anthropic` asks a model; `scripted` tries a workflow "
                "without any.",
            ),
            click.option(
                "--budget",
                type=budget,
                metavar="BUDGET",
                help="What the run may spend on models: 5 (US dollars), 500ktokens, or both with a comma.",
            ),
            click.option(
                "--task-budget",
                type=budget,
                metavar="BUDGET",
                help="The same for each task that names no budget.",
            ),
            click.option(
                "--sandbox",
                type=click.Choice(get_args(Sandboxing)),
                help="Shut agents into a sandbox: models and text of strangers (auto), all (on), or none (off).",
            ),
            click.option(
                "--all-agents",
                is_flag=True,
                default=None,
                help="Run those agents, too, that the kind of change does not need.",
            ),
            click.option(
                "--unsafe-no-sandbox",
                is_flag=True,
                default=None,
                help="Let models and text of strangers do whatever you may do. Refused in CI for text of strangers.",
            ),
            click.option(
                "--profile", metavar="NAME", help="A resource profile of the workflow, such as small."
            ),
        ]
    ):
        command = option(command)
    return command


def refuse_both(*, fresh: bool, go_on: bool) -> None:
    """Raises UsageError: one begins anew where the other goes on."""
    if fresh and go_on:
        raise click.UsageError(
            "--continue goes on with what was done before, and --fresh begins anew: say one"
        )


def asked(
    tasks: tuple[str, ...],
    commands: tuple[str, ...],
    titles: tuple[str, ...],
    workflow: str,
    settings: dict[str, Any],
    keys: Mapping[str, str] | None = None,
    replays: str = "",
    *,
    fresh: bool = False,
    go_on: bool = False,
    quiet: bool = False,
) -> Any:
    """The request, which takes the options about issues out of ``settings``; raises UsageError for what contradicts
    itself."""
    from orchestrator.composition.ready import Asked
    from orchestrator.intake.reader import CommandLine
    from orchestrator.intake.standing import Terms
    from shared.forge.tracker import IssueQuery

    refuse_both(fresh=fresh, go_on=go_on)
    if len(titles) > len(commands):
        raise click.UsageError("--title belongs to -c: there are more titles than commands")
    padded = [*titles, *([""] * (len(commands) - len(titles)))]
    lines = [CommandLine(text, title) for text, title in zip(commands, padded, strict=True)]
    query = IssueQuery(
        labels=settings.pop("labels", ()),
        milestone=settings.pop("milestone", ""),
        search=settings.pop("search", ""),
        assignee=settings.pop("assignee", ""),
        limit=settings.pop("limit", 100),
    )
    terms = Terms(
        fresh=fresh,
        go_on=go_on,
        trusted_until=settings.pop("trusted_until", None),
        trusted_label=settings.pop("trusted_label", ""),
    )
    return Asked(tasks, lines, workflow, settings, keys or {}, replays, query, terms, waits(quiet=quiet))
