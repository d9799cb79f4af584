import pytest

from tests.cli.conftest import Spinney

pytestmark = [pytest.mark.git, pytest.mark.process]


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
