"""``spinney plan``: who would run, and for how long."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git

BATCH = """\
version: 1
backend: scripted
tasks:
  - {id: idea, title: Make a command line tool, workflow: full-app}
  - {id: word, title: Fix a word, workflow: autodev, labels: [typo], needs: [one]}
  - {id: one, title: One command, run: echo x > x}
"""


@pytest.fixture
def batch(project: Path) -> str:
    (project / "batch.yaml").write_text(BATCH)
    return "batch.yaml"


def test_agents_and_their_time_are_told_for_each_team(spinney: Spinney, batch: str) -> None:
    lines = spinney("plan", batch).stdout.splitlines()
    [idea, word] = [line.strip() for line in lines if " agents, about " in line and "estimated" not in line]
    assert idea == (
        "10 of 41 agents, about 13m32s: layers ui-cli (the task's words; PM may decide otherwise)"
    )
    assert word == "5 of 8 agents, about 10m00s: a typo change (labelled typo)"
    [estimated] = [line for line in lines if line.startswith("estimated: ")]
    assert estimated.endswith(
        "without gate and merging (15 agents by the workflow's word, 1 agent by kind and tier)"
    )


def test_all_agents_skips_nobody(spinney: Spinney, batch: str) -> None:
    shown = spinney("plan", batch, "--all-agents").stdout
    assert "\n                           41 agents, about " in shown
    assert "\n                           8 agents, about 20m00s\n" in shown


def test_time_goes_by_earlier_runs_where_there_are_enough(spinney: Spinney, batch: str) -> None:
    for _ in range(3):
        assert spinney("run", "--quiet", batch).returncode == 0
    found = json.loads(spinney("plan", batch, "--json").stdout)
    assert found["estimate"]["agents_by"] == {"history": 16}
    assert found["estimate"]["seconds"] < 60
    word = found["tasks"][1]
    assert word["agents"] == ["PLANNER", "IMPLEMENTER", "REVIEWER", "SECURITY_AUDITOR", "DOC_MASTER"]
    assert word["skipped"]["TEST_MASTER"] == "not needed for a typo change (labelled typo)"


def test_nothing_is_said_of_a_time_that_would_only_be_a_guess(spinney: Spinney) -> None:
    shown = spinney("plan", "-c", "true").stdout
    assert "estimated" not in shown
    assert "agents" not in shown


def test_plan_names_models_and_budget_and_says_what_a_run_lacks(
    project: Path, spinney: Spinney, environment: dict[str, str]
) -> None:
    (project / "fix.md").write_text("# Fix it\n\nIt is broken.\n")
    environment.pop("ANTHROPIC_API_KEY", None)
    done = spinney("plan", "fix.md", "--backend", "anthropic", "--budget", "5")
    assert done.returncode == 0, done.stderr
    assert (
        "models: fast claude-haiku-5-5, balanced claude-sonnet-5-5, deep claude-opus-5-5; through anthropic; "
        "budget: 5.00 USD" in done.stdout
    )
    assert (
        "note: it could not be run here as it is: agents of this batch ask a model, and there is no key"
        in done.stdout
    )
