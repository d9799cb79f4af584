import json
from pathlib import Path

import pytest

from orchestrator.reporting.figures import figures
from tests.cli.conftest import Spinney
from tests.unit.test_figures import whole

pytestmark = pytest.mark.git


@pytest.mark.process
def test_report_tells_what_was_merged_and_what_it_took(finished, spinney: Spinney) -> None:
    text = spinney("report").stdout
    for heading in ("\ntime\n", "\nmerged into spinney/batch/", "\npull requests\n"):
        assert heading in text
    assert "Merge spinney/good: A good one" in text
    assert "2 times, 1 failed" in text

    shown = json.loads(spinney("report", "--json").stdout)
    assert {task["id"]: task["status"] for task in shown["tasks"]} == {
        "good": "merged",
        "refused": "unmerged",
        "broken": "failed",
    }
    assert spinney("report", "--markdown").stdout.startswith(f"# Spinney run {shown['run']}: failed\n")


def test_figures_of_a_report_are_those_of_the_journal(project: Path, spinney: Spinney) -> None:
    story = whole()
    story.write(project / ".git" / "spinney")
    text = spinney("report").stdout
    assert "\n".join(figures(story.view, story.now)) + "\n" in text
    shown = json.loads(spinney("report", "--json").stdout)["metrics"]
    assert shown["skipped"] == {"not needed for a typo": 2}
    assert shown["waiting"] == {
        "start": 3.25,
        "needs": 37.5,
        "slot": 4.5,
        "gate": 2.25,
        "merge": 1.5,
        "rate_limit": 0.0,
    }
    assert [step["agent"] for step in shown["critical_path"]] == [
        "PLANNER", "CODER", "CODER/c1", "CODER/c2", "CODER", "CODER", "MENDER", "WRITER"
    ]  # fmt: skip
