import json

import pytest

from tests.cli.conftest import Spinney

pytestmark = [pytest.mark.git, pytest.mark.process]


def test_report_tells_what_was_merged_and_what_it_took(finished, spinney: Spinney) -> None:
    text = spinney("report").stdout
    for heading in ("\ntime\n", "\nslowest agents\n", "\nmerged into spinney/batch/", "\npull requests\n"):
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
