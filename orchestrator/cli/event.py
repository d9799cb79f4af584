"""``spinney event``."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.session import here, mark_session

_LARGEST = 32 << 20  # bytes of a payload; GitHub sends 25 MB at most
_LABEL = 50  # characters of a label, which is GitHub's own limit


@click.command()
@click.option("--label", default="spinney", show_default=True, help="Issues with this label are worked on.")
@click.option(
    "--mark",
    is_flag=True,
    help="Put the label on issues that a command names, so that later starts know of it.",
)
@click.option("--output", is_flag=True, help="Write the answer to $GITHUB_OUTPUT as well.")
def command(label: str, mark: bool, output: bool) -> None:
    """Say what an event of GitHub Actions asks for, as JSON; for use in workflows.

    Reads $GITHUB_EVENT_NAME and $GITHUB_EVENT_PATH. Whoever caused the event must have write access and be no bot,
    which is asked of GitHub. `do` is run, retry, stop, follow or nothing; `run` means: bring everything up to date.
    """
    keys = mark_session()
    from orchestrator.actions.triggers import wish
    from orchestrator.composition.triggers import permitted
    from orchestrator.intake.reader import configured
    from shared.text import printable

    if not label.strip() or len(label) > _LABEL or printable(label) != label or "," in label:
        raise click.UsageError("--label: a label has 1 to 50 printable characters, and no comma here")
    event, payload = _event()
    asked = wish(event, payload, label)
    if asked.do != "nothing":
        place = here()
        asked = permitted(place, configured(place.checkout), keys, asked, mark=mark)
    answer = {
        "do": asked.do,
        "issues": list(asked.issues),
        "label": asked.label,
        "pulls": list(asked.pulls),
        "until": asked.until,
        "fresh": asked.do == "retry",
        "reason": printable(asked.reason, limit=500),
    }
    click.echo(json.dumps(answer, ensure_ascii=False))
    if output:
        _write(answer)


def _event() -> tuple[str, dict[str, Any]]:
    from shared.errors import UserError

    name, path = os.environ.get("GITHUB_EVENT_NAME", ""), os.environ.get("GITHUB_EVENT_PATH", "")
    if not name or not path:
        raise UserError(
            "there is no event: GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are not set",
            "this command is for workflows of GitHub Actions: spinney init --github writes some",
        )
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
        payload = json.loads(data) if len(data) <= _LARGEST else None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"the event in {path} cannot be read: {error}") from error
    if not isinstance(payload, dict):
        raise UserError(f"the event in {path} is no JSON object, or too large")
    return name, payload


def _write(answer: dict[str, Any]) -> None:
    """As outputs of a step, each between marks that nothing in it can know."""
    from orchestrator.reporting.actions import delimited
    from shared.errors import UserError

    path = os.environ.get("GITHUB_OUTPUT", "")
    if not path:
        raise UserError("--output: GITHUB_OUTPUT is not set", "leave --output out to print only")
    pairs = {key: _shown(value) for key, value in answer.items()}
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(delimited(pairs, lambda: secrets.token_hex(16)))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"#{number}" for number in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
