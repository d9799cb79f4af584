"""``spinney workflow``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import finish

if TYPE_CHECKING:
    from shared.errors import Problem


@click.group()
def command() -> None:
    """List, show and check workflows: the phases and agents that a task goes through.

    A workflow is a preset's name or the path of a .yaml file. To make your own, start from a preset:
    spinney workflow show feature > my.yaml
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(as_json: bool) -> None:
    """List the presets."""
    from orchestrator.composition import find_workflow, workflow_names

    found = [find_workflow(name, Path.cwd()) for name in workflow_names()]
    if as_json:
        shown = [
            {"name": w.name, "description": w.description, "phases": [phase.name for phase in w.phases]}
            for w in found
        ]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    width = max(len(workflow.name) for workflow in found)
    for workflow in found:
        click.echo(f"{workflow.name:<{width}}  {workflow.description}")


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON instead of YAML.")
def show(name: str, as_json: bool) -> None:
    """Print a workflow as a workflow file, without the defaults."""
    from orchestrator.composition import find_workflow, workflow_text

    text = workflow_text(find_workflow(name, _root(name)))
    if as_json:
        from ruamel.yaml import YAML

        text = json.dumps(YAML(typ="safe", pure=True).load(text), indent=2, ensure_ascii=False) + "\n"
    click.echo(text, nl=False)


def _root(name: str) -> Path:
    """Where the path is looked up: here, otherwise at the repository's root, as a run does."""
    from orchestrator.cli.session import here
    from shared.errors import UserError

    if not (Path.cwd() / name).is_file():
        try:
            return here().checkout
        except UserError:  # presets need no repository
            pass
    return Path.cwd()


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check(files: tuple[str, ...]) -> None:
    """Check workflow files; every mistake of every file is reported."""
    mistakes = 0
    for file in files:
        problems = _problems(file)
        mistakes += len(problems)
        for problem in problems:
            click.echo(str(problem), err=True)
        if not problems:
            click.echo(f"{file}: ok")
    if mistakes:
        click.echo(f"{mistakes} mistake{'s' if mistakes != 1 else ''}", err=True)
        finish(2)


def _problems(file: str) -> list[Problem]:
    from orchestrator.composition import read_workflow
    from shared.config.document import MAXIMUM_BYTES
    from shared.errors import InvalidInput, Problem

    try:
        with Path(file).open("rb") as source:
            data = source.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        return [Problem(file, 0, 0, f"cannot be read: {error.strerror}")]
    try:
        read_workflow(data, file)
    except InvalidInput as error:
        return error.problems
    return []
