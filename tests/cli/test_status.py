import json
import time
from pathlib import Path

import pytest

from shared.journal import FORMAT, Journal
from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git


def make_killed_run(project: Path) -> str:
    """The journal of a run whose orchestrator died while a task was at work."""
    run = "20300101-000000-abcd"
    folder = project / ".git" / "spinney" / "runs" / run
    folder.mkdir(parents=True)
    journal = Journal(folder / "journal.jsonl")
    begun = time.time() - 3600
    task = {"id": "slow", "title": "Slow", "needs": [], "branch": "spinney/slow"}
    common = {"run": run, "base": "0" * 40, "into": "", "gate": "", "jobs": 1, "tasks": [task]}
    journal.append("run.started", begun, {"format": FORMAT, **common})
    journal.append(
        "task.started", begun + 1, {"task": "slow", "attempt": 1, "base": "0" * 40, "worktree": "/w"}
    )
    journal.append("agent.started", begun + 2, {"task": "slow", "phase": "p", "agent": "A", "attempt": 1})
    journal.close()
    return run


def test_killed_run_is_told_from_one_that_goes_on(project: Path, spinney: Spinney) -> None:
    run = make_killed_run(project)

    done = spinney("status", "--run", "2030")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"run {run} was killed: the process that ran it is gone. What was committed is safe."
    assert lines[-2:] == [f"1 waiting in 2.0s · run {run}: interrupted", "to go on: spinney resume"]
    shown = json.loads(spinney("status", "--json").stdout)
    assert (shown["status"], shown["alive"]) == ("interrupted", False)


@pytest.mark.process
def test_status_of_a_finished_run_is_the_table_at_its_end(finished, spinney: Spinney) -> None:
    done = spinney("status")
    assert done.returncode == 0
    assert done.stdout == finished.stdout[finished.stdout.index("\n\n") + 1 :]

    unknown = spinney("status", "--run", "1999")
    assert unknown.returncode == 2
    assert "there is no run '1999'" in unknown.stderr
