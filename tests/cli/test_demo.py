"""The demo checks its own outcome; this checks that it says so, and what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.process


def test_demo_ends_well_and_says_where_to_look(spinney: Spinney, tmp_path: Path) -> None:
    done = spinney("demo", "--directory", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 merged, 1 unmerged, 1 no-change, 1 conflict" in done.stdout
    assert "Merge spinney/rounding-report: Round balances in reports" in done.stdout
    assert "#1 " in done.stdout
    assert f"cd {tmp_path / 'demo' / 'ledger'}" in done.stdout
    assert "all ten tasks ended as they should" in done.stdout
