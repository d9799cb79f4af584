from pathlib import Path

import pytest

from orchestrator.reporting.explanation import explain
from tests.cli.conftest import Spinney
from tests.unit.test_figures import whole

pytestmark = pytest.mark.git


@pytest.mark.process
def test_explanation_ends_with_the_log_that_says_why(finished, spinney: Spinney) -> None:
    refused = spinney("explain", "refused").stdout
    assert "why: the gate failed, exit status 1: gating\n" in refused
    assert refused.endswith(
        "the end of the gate's output:\n  | gating\nall of it: spinney logs refused gate\n"
    )

    both = spinney("explain").stdout  # what is merged needs no explanation
    assert [line for line in both.splitlines() if line.startswith("status:")] == [
        "status: unmerged",
        "status: failed",
    ]
    shown = [line for line in both.splitlines() if line.startswith("  | line")]
    assert shown == [f"  | line {number}" for number in range(11, 31)]


def test_explanation_is_the_same_as_that_of_the_journal(project: Path, spinney: Spinney) -> None:
    story = whole()
    story.write(project / ".git" / "spinney")
    view = story.view
    assert spinney("explain", "api").stdout == "\n".join(explain(view, view.tasks["api"])) + "\n"


@pytest.mark.process
def test_every_skipped_agent_is_named_with_its_reason(project: Path, spinney: Spinney) -> None:
    (project / "typo.md").write_text("---\nworkflow: autodev\nchange: typo\n---\n# Fix a typo\n")
    (project / "spinney.yaml").write_text("version: 1\nbackend: scripted\n")
    assert spinney("run", "typo.md", "--quiet").returncode == 0
    text = spinney("explain", "typo").stdout
    skipped = [line.split()[0] for line in text.splitlines() if " skipped: " in line]
    ran = [line.split()[2] for line in text.splitlines() if " / " in line]
    assert skipped == ["RESEARCHER_LOCAL", "RESEARCHER_WEB", "TEST_MASTER"]
    assert ran == ["PLANNER", "IMPLEMENTER", "REVIEWER", "SECURITY_AUDITOR", "DOC_MASTER"]
    assert text.count(" skipped: not needed for a typo change (declared by the task)\n") == 3
    assert "\n    context: " in text

    report = spinney("report").stdout
    assert (
        "\nskipped agents\n     3  not needed for a typo change (declared by the task): "
        "RESEARCHER_LOCAL, RESEARCHER_WEB, TEST_MASTER\n" in report
    )
    assert "of 8000 tokens for 5 agents" in report
