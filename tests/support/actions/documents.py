"""Workflow and action files as data, and the scripts in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from orchestrator.actions.workflows import ACTION, PATHS, written

ROOT = Path(__file__).parents[3]
OWN = [path for path in PATHS if path != ".github/workflows/spinney.yml"]  # that this repository has, too


@dataclass(frozen=True, slots=True)
class Script:
    """One `run:` of a step, and what its environment may hold."""

    file: str
    job: str  # empty in an action
    step: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{Path(self.file).stem}-{self.job or 'action'}-{self.step.get('name', id(self.step))}".lower().replace(
            " ", "-"
        )

    @property
    def text(self) -> str:
        return str(self.step["run"])


def load(text: str) -> dict[str, Any]:
    data = YAML(typ="safe", pure=True).load(text)
    assert isinstance(data, dict)
    return data


def jobs(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow; an action counts as one without a name."""
    if "runs" in document:
        return {"": {"steps": document["runs"]["steps"]}}
    return dict(document["jobs"])


def scripts(file: str, text: str) -> Iterator[Script]:
    for job, content in jobs(load(text)).items():
        for step in content.get("steps", []):
            if "run" in step:
                yield Script(file, job, step)


def write(folder: Path, texts: dict[str, str]) -> Path:
    """``texts`` as files of a repository at ``folder``."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def variants() -> dict[str, dict[str, str]]:
    """All that ``spinney init --github`` may write, and this repository's own, by a name."""
    own = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    pinned = "git+https://github.com/octo-org/spinney@" + "a" * 40
    return {
        "own": {str(p.relative_to(ROOT)): p.read_text() for p in [*own, ROOT / ACTION]},
        "init": written(install=pinned),
        "fan-out": written(install="spinney==1.2.3", fan_out=True),
    }
