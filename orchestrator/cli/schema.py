"""``spinney schema``."""

from __future__ import annotations

import json

import click

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLES = {
    "config": "spinney.yaml: defaults for every run in this repository",
    "batch": "A Spinney batch file: tasks, and settings that override spinney.yaml",
    "task": "The front matter of a Spinney task file",
    "workflow": "A Spinney workflow file: phases and their agents",
}


@click.command()
@click.argument("kind", type=click.Choice(list(_TITLES)), default="config")
def command(kind: str) -> None:
    """Print the JSON Schema of spinney.yaml, a batch file, a task file's front matter or a workflow file.

    An editor with a YAML language server checks and completes by it:

    \b
    spinney schema batch > .git/batch.schema.json
    # yaml-language-server: $schema=.git/batch.schema.json    (first line of the batch file)
    """
    from pydantic.json_schema import GenerateJsonSchema

    from shared.config import schema
    from shared.config.validation import Strict

    class Plain(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: object) -> bool:
            return False  # a title that only repeats the key

    models: dict[str, type[Strict]] = {
        "config": schema.ConfigurationModel,
        "batch": schema.BatchModel,
        "task": schema.TaskFields,
        "workflow": schema.WorkflowModel,
    }
    made = models[kind].model_json_schema(schema_generator=Plain)
    made.pop("description", None)
    click.echo(
        json.dumps({"$schema": _DIALECT, **made, "title": _TITLES[kind]}, indent=2, ensure_ascii=False)
    )
