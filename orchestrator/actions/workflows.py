"""The workflows and the action that ``spinney init --github`` writes. This repository's own are the same texts."""

from __future__ import annotations

import json
import re
from importlib.resources import files

ACTION = ".github/actions/spinney/action.yml"
TRIGGERS = ".github/workflows/spinney.yml"
PATHS = {
    ACTION: "action",
    TRIGGERS: "spinney",
    ".github/workflows/spinney-run.yml": "spinney-run",
    ".github/workflows/spinney-fan-out.yml": "spinney-fan-out",
    ".github/workflows/spinney-wave.yml": "spinney-wave",
    ".github/workflows/spinney-follow.yml": "spinney-follow",
}
_REQUIREMENT = re.compile(r"[A-Za-z0-9][ -~]{0,400}\Z")  # and so never an option of pip's


def written(*, install: str = "", fan_out: bool = False, enterprise: bool = False) -> dict[str, str]:
    """The texts by path. ``install`` is what pip installs where the caller of the action says nothing.

    With ``fan_out`` each task gets a job of its own. An ``enterprise`` server does not know ``$/``, which names the
    workflow's own repository at the workflow's own commit.
    """
    return {
        path: _changed(path, _template(name), install, fan_out, enterprise) for path, name in PATHS.items()
    }


def valid_requirement(text: str) -> bool:
    return bool(_REQUIREMENT.match(text))


def requirement(direct_url: str | None) -> str | None:
    """What pip must install to get the Spinney that is running, by its record of where that came from (PEP 610).

    None where it came from no git repository: a runner cannot reach a folder of this machine, and the name on PyPI is
    not ours.
    """
    if direct_url is None:
        return None
    origin = json.loads(direct_url)
    source = origin.get("vcs_info")
    if isinstance(source, dict) and source.get("vcs") == "git":
        return f"git+{origin['url']}@{source['commit_id']}"
    return None


def _template(name: str) -> str:
    return (files("orchestrator.actions") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def _changed(path: str, text: str, install: str, fan_out: bool, enterprise: bool) -> str:
    if path == ACTION and install:
        text = re.sub(
            r'(?ms)^(  install:\n.*?    default: )""$',
            lambda found: found[1] + json.dumps(install),
            text,
            count=1,
        )
    if path == TRIGGERS and fan_out:
        text = text.replace("/spinney-run.yml", "/spinney-fan-out.yml")
    return text.replace("uses: $/", "uses: ./") if enterprise else text
