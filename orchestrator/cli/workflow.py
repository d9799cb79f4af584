"""``spinney workflow``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.boundary import finish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.errors import Problem


@click.group()
def command() -> None:
    """List, show, draw and check workflows: the phases and agents that a task goes through.

    A workflow is a preset, a file NAME.yaml at the repository's root, or the path of a .yaml file. To make
    your own, write `name: mine` and `extends: feature` and give what differs, or start from a copy:
    spinney workflow show feature > mine.yaml
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(as_json: bool) -> None:
    """List the presets and the project's own workflows."""
    rows = list(_rows(_checkout()))
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {_line(row)}".rstrip())


def _rows(root: Path) -> Iterator[dict[str, Any]]:
    """The presets, then the files at the root; a name that is taken means what had it first."""
    from orchestrator.composition.looking import own_workflow_files, workflow_names

    taken = set(workflow_names())
    for name in workflow_names():
        yield _row(name, None, root)
    for file in own_workflow_files(root):
        yield _row(file if Path(file).stem in taken else Path(file).stem, file, root)
        taken.add(Path(file).stem)


def _row(name: str, file: str | None, root: Path) -> dict[str, Any]:
    from orchestrator.composition.looking import find_workflow
    from shared.errors import InvalidInput

    row: dict[str, Any] = {"name": name, "file": file, "description": "", "phases": [], "mistakes": 0}
    try:
        found = find_workflow(name, root)
    except InvalidInput as error:
        return row | {"mistakes": len(error.problems)}
    return row | {"description": found.description, "phases": [phase.name for phase in found.phases]}


def _line(row: dict[str, Any]) -> str:
    if count := row["mistakes"]:
        return f"{count} mistake{'s' if count != 1 else ''}: spinney workflow check {row['file']}"
    if row["file"] is None:
        return str(row["description"])
    own = "your own" if row["name"] != row["file"] else "your own; without .yaml it is another"
    return f"{row['description']} ({own})".lstrip()


@command.command()
@click.argument("name")
@click.option("--json", "as_form", flag_value="json", help="Print it as JSON instead of YAML.")
@click.option("--dot", "as_form", flag_value="dot", help="Draw it for Graphviz.")
@click.option("--mermaid", "as_form", flag_value="mermaid", help="Draw it as a Mermaid flowchart.")
def show(name: str, as_form: str | None) -> None:
    """Print a workflow as a workflow file, without the defaults and with what it extends."""
    from orchestrator.composition.looking import draw_workflow, find_workflow, workflow_text

    root = _root(name)
    found = find_workflow(name, root)
    _say_what_is_hidden(name, root)
    if as_form in ("dot", "mermaid"):
        text = draw_workflow(found, "dot" if as_form == "dot" else "mermaid")
    else:
        text = workflow_text(found)
    if as_form == "json":
        from ruamel.yaml import YAML

        text = json.dumps(YAML(typ="safe", pure=True).load(text), indent=2, ensure_ascii=False) + "\n"
    click.echo(text, nl=False)


def _say_what_is_hidden(name: str, root: Path) -> None:
    from orchestrator.composition.looking import own_workflow_files, workflow_names

    hidden = [file for file in own_workflow_files(root) if Path(file).stem == name]
    if name in workflow_names() and hidden:
        click.echo(
            f"note: this is the preset; for your own file: spinney workflow show {hidden[0]}", err=True
        )


def _root(name: str) -> Path:
    """Where the name is looked up: here, otherwise at the repository's root, as a run does."""
    here = Path.cwd()
    return (
        here if any((here / f"{name}{suffix}").is_file() for suffix in ("", ".yaml", ".yml")) else _checkout()
    )


def _checkout() -> Path:
    """The repository's root; without a repository, which presets do not need, the folder where we are."""
    from orchestrator.cli.session import here
    from shared.errors import UserError

    try:
        return here().checkout
    except UserError:
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
    from orchestrator.composition.looking import read_workflow
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
