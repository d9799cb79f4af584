"""The entry point. Knows every command's name and summary without importing any of them."""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

_COMMANDS = {  # name → (module, summary)
    "init": ("init", "Write a commented spinney.yaml."),
    "plan": ("plan", "Show what a run would do; write nothing."),
    "run": ("run", "Run a batch of tasks in parallel worktrees."),
    "run-task": ("run_task", "Run one task of a plan as a job of its own."),
    "integrate": ("integrate", "Take in what such jobs handed back."),
    "status": ("status", "Show how a run stands."),
    "watch": ("watch", "Follow a run on a live board."),
    "logs": ("logs", "Show the output of a task's agents."),
    "explain": ("explain", "Say why a task is where it is."),
    "resume": ("resume", "Go on with an interrupted run."),
    "stop": ("stop", "End the running batch in good order."),
    "merge": ("merge", "Integrate what was left out, after it was resolved."),
    "pr": ("pr", "List, show, merge and close pull requests."),
    "follow": ("follow", "Follow pull requests on GitHub: answer checks and reviews."),
    "report": ("report", "Report on a finished run."),
    "history": ("history", "Compare runs; name slow and slower agents."),
    "clean": ("clean", "Remove what finished runs left behind."),
    "doctor": ("doctor", "Check this machine and repository."),
    "workflow": ("workflow", "List, show and check workflows."),
    "event": ("event", "Say what an event of GitHub Actions asks for."),
    "schema": ("schema", "Print the JSON Schema of an input file."),
    "demo": ("demo", "Run a batch of ten tasks on a small made-up project."),
}


class _Commands(click.Group):
    """Commands that are imported when they are asked for: help must not pay for what it only names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"orchestrator.cli.{_COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], list(_COMMANDS), 1, 0.6)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from orchestrator import __version__

        click.echo(f"spinney {__version__}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all as asked, 1 something failed or conflicts, 2 wrong request, 3 repository held, "
    "4 interrupted (130 by a signal), 70 a bug.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Give each task of a batch its own git worktree and process, and bring the results back tested.

    \b
    spinney run tasks.yaml          a batch file
    spinney run fix-login.md        one task from a Markdown file
    spinney run -c 'make fmt' --title 'Format everything'
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def _shut_log() -> None:
    """Let nothing that is printed from here on be a command in a log of GitHub Actions.

    Agents' words are printed, and the runner looks for ``##[add-mask]`` and the like anywhere in a line, for ``::`` at
    its beginning. A word that nobody knows ends that for the rest of the step; annotations have a step of their own.
    """
    speaks = sys.argv[1:2] == ["report"] and "--annotations" in sys.argv
    if os.environ.get("GITHUB_ACTIONS") == "true" and not speaks:
        print(f"::stop-commands::{os.urandom(16).hex()}", file=sys.stderr, flush=True)


def main() -> None:
    # Children must never import packages from the user's directory: ours have names that theirs may have too.
    os.environ["PYTHONSAFEPATH"] = "1"
    _shut_log()
    # Looking for garbage among modules that were being loaded, and again at the end, was a quarter of a command's time.
    gc.set_threshold(50_000, 20, 20)
    from orchestrator.cli.boundary import run

    code = run(cli)
    gc.freeze()
    sys.exit(code)
