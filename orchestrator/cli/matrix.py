"""``spinney plan --github-matrix``: the plan as a file, and a line that says which jobs to start."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click


def write(ready: Any, out: Path, waves: int, *, fresh: bool, go_on: bool) -> None:
    """Standard output has the one line and nothing else; it is ASCII, whatever titles hold."""
    from orchestrator.fan_out import plan_file
    from orchestrator.fan_out.waves import first_waves, matrix
    from shared.text import first_sentence

    plan = first_waves(ready.plan, waves)
    file = plan_file.write(
        out, plan, ready.base, time.time(), fresh=fresh, go_on=go_on, identity=ready.identity
    )
    for note in ready.notes:
        click.echo(f"note: {first_sentence(note, 500)}", err=True)
    for one in plan.left_out:
        click.echo(f"left out: {first_sentence(one.source)}: {first_sentence(one.reason, 500)}", err=True)
    click.echo(json.dumps(matrix(plan, file.digest), separators=(",", ":")))
