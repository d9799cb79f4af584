"""The one place where errors become text and exit codes."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from typing import NoReturn

import click

from shared.errors import InvalidInput, SpinneyError

BUG_EXIT_CODE = 70
SIGNAL_EXIT_CODE = 130


class Exit(Exception):
    """A command has printed what there is to say and ends with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run(cli: click.Group) -> int:
    """Run the command line and return the exit code."""
    try:
        cli.main(standalone_mode=False)
    except Exit as end:
        return end.code
    except InvalidInput as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        _say(error)
        return error.exit_code
    except SpinneyError as error:
        _say(error)
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; `spinney resume` goes on with a run", err=True)
        return SIGNAL_EXIT_CODE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:  # noqa: BLE001 - the boundary
        return _bug()
    return 0


def _say(error: SpinneyError) -> None:
    click.echo(click.style(f"{error.prefix}: ", fg="red", bold=True) + error.message, err=True)
    for hint in error.hints:
        click.echo(f"  → {hint}", err=True)


def _bug() -> int:
    """Write a report of an unexpected error and say where it is."""
    from orchestrator import __version__

    fd, path = tempfile.mkstemp(prefix="spinney-bug-", suffix=".txt")
    with os.fdopen(fd, "w") as file:
        file.write(
            f"spinney {__version__}\npython {sys.version}\n{' '.join(sys.argv)}\n\n{traceback.format_exc()}"
        )
    click.echo(
        f"this is a bug in Spinney; a report is at {path}. Please send it with what you did.", err=True
    )
    return BUG_EXIT_CODE


def finish(code: int) -> NoReturn:
    raise Exit(code)
