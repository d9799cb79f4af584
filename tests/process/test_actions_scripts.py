"""What the scripts pass on, whatever is in their inputs: arguments, never commands, never options of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.actions.workflows import ACTION, written
from tests.support.actions.documents import load, scripts

pytestmark = pytest.mark.process

PROGRAM = f"""\
#!{sys.executable}
import json, os, sys
keys = ("ANTHROPIC_API_KEY", "GITHUB_TOKEN")
print(json.dumps({{"pid": os.getpid(), "argv": sys.argv[1:], "env": {{k: os.environ[k] for k in keys if k in os.environ}}}}))
"""
HOSTILE = "$(touch pwned)`touch pwned`; touch pwned & '\" --fresh\n::error::x"


def run(tmp_path: Path, path: str, step: str, **env: str) -> dict[str, Any]:
    """What a script started, with all inputs empty but those given."""
    program = tmp_path / "temp/spinney/bin/spinney"
    if not program.exists():
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM)
        program.chmod(0o755)
    (script,) = [one for one in scripts(path, written()[path]) if one.step["name"] == step]
    inputs = {**dict.fromkeys(script.step["env"], ""), **env}
    assert inputs.keys() == script.step["env"].keys()
    started = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script.text],
        cwd=tmp_path,
        env={
            **inputs,
            "PATH": os.environ["PATH"],
            "RUNNER_TEMP": str(tmp_path / "temp"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = started.communicate(timeout=30)
    assert started.returncode == 0
    assert not list(tmp_path.rglob("pwned"))
    told = json.loads(out)
    assert isinstance(told, dict)
    return told | {"same": told["pid"] == started.pid}


def work(tmp_path: Path, **env: str) -> dict[str, Any]:
    return run(tmp_path, ACTION, "Work", **{"COMMAND": "run", **env})


def test_empty_inputs_are_no_options(tmp_path: Path) -> None:
    told = work(tmp_path)
    assert told["argv"] == ["run", "--forge=github", "--"]
    assert "ANTHROPIC_API_KEY" not in told["env"]  # an empty key would be one


def test_the_signal_of_a_cancelled_job_reaches_spinney(tmp_path: Path) -> None:
    assert work(tmp_path)["same"]
    assert work(tmp_path, COMMAND="follow")["same"]
    assert run(tmp_path, ".github/workflows/spinney-wave.yml", "Run the task", TASK="issue-1", DIGEST="d")[
        "same"
    ]
    assert run(tmp_path, ".github/workflows/spinney-fan-out.yml", "Integrate", DIGEST="d")["same"]


def test_inputs_are_options_with_their_values(tmp_path: Path) -> None:
    told = work(
        tmp_path,
        ISSUES="#12, 15\n#16 tasks/fix.md",
        LABEL="ready,good first issue",
        UNTIL="2026-11-20T09:00:00Z",
        TRUSTED_LABEL="ready",
        FRESH="true",
        BUDGET="5",
        GATE="make test && echo 'ok'",
        ANTHROPIC_API_KEY="key",
        GITHUB_TOKEN="token",
    )
    assert told["argv"] == [
        *("run", "--forge=github", "--budget=5", "--trusted-until=2026-11-20T09:00:00Z"),
        *("--trusted-label=ready", "--gate=make test && echo 'ok'"),
        *("--label=ready", "--label=good first issue", "--fresh"),
        *("--", "#12", "15", "#16", "tasks/fix.md"),
    ]
    assert told["env"] == {"ANTHROPIC_API_KEY": "key", "GITHUB_TOKEN": "token"}


@pytest.mark.parametrize(
    "name",
    [
        "LABEL",
        "MILESTONE",
        "UNTIL",
        "TRUSTED_LABEL",
        "WORKFLOW",
        "BACKEND",
        "JOBS",
        "BUDGET",
        "GATE",
        "SANDBOX",
    ],
)
def test_a_hostile_value_is_one_argument(tmp_path: Path, name: str) -> None:
    argv = work(tmp_path, **{name: HOSTILE})["argv"]
    assert len(argv) == 4
    assert argv[2].partition("=")[2] == (HOSTILE if name != "LABEL" else HOSTILE.splitlines()[0])
    assert argv[3] == "--"


def test_hostile_issues_are_words_after_the_options(tmp_path: Path) -> None:
    argv = work(tmp_path, ISSUES="--fresh " + HOSTILE + " * ~")["argv"]
    assert argv[:3] == ["run", "--forge=github", "--"]
    assert {"--fresh", "*", "~", "$(touch"} <= set(argv[3:])


def test_other_values_of_fresh_are_not_true(tmp_path: Path) -> None:
    for value in ("false", "TRUE", "1", "true; id"):
        assert "--fresh" not in work(tmp_path, FRESH=value)["argv"]


def test_the_action_has_an_input_for_each_variable() -> None:
    document = load(written()[ACTION])
    text = json.dumps(document["runs"])
    for name in document["inputs"]:
        assert f"inputs.{name}" in text
