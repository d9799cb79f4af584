import json
from pathlib import Path

import pytest

from orchestrator import history
from orchestrator.history.past_runs import PastRun
from shared.lock import RepositoryLock
from tests.cli.conftest import Spinney
from tests.support.past import execution, past_run

pytestmark = pytest.mark.git


def remember(project: Path, *runs: PastRun) -> None:
    state = project / ".git" / "spinney"
    with RepositoryLock(state):
        history.write(state / history.FILE, runs)


def known() -> list[PastRun]:
    """Four runs in which the planner is slow, and then the coder became slower, and once took very long."""
    coder = (10.0, 11.0, 60.0, 10.0, 10.5)
    before = [
        past_run(
            number, execution(seconds, task=f"t{number}"), execution(30.0 + number, "PLANNER", tier="deep")
        )
        for number, seconds in enumerate(coder)
    ]
    last = (execution(20.0, task="last"), execution(0.5, "COMMAND", workflow="command", task="format"))
    return [*before, past_run(5, *last, status="failed", tasks=2, merged=1, speedup=1.85, efficiency=0.925)]


def test_history_compares_runs_and_names_what_is_slow(project: Path, spinney: Spinney) -> None:
    remember(project, *known())
    done = spinney("history", "--limit", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """\
the latest 3 of 6 runs
  run                   begun (UTC)       tasks  merged  seconds  speedup  efficiency  status
  20231114-000003-abcd  2023-11-15 01:13      1       1     43.0     1.00        1.00  succeeded
  20231114-000004-abcd  2023-11-15 02:13      1       1     44.5     1.00        1.00  succeeded
  20231114-000005-abcd  2023-11-15 03:13      2       1     20.5     1.85        0.93  failed

slowest agents
  workflow  agent    tier      median    95 %  times  latest task
  autodev   PLANNER  deep      32.0 s  34.0 s      5  t
  autodev   CODER    balanced  10.8 s  60.0 s      6  last
  command   COMMAND  balanced   0.5 s   0.5 s      1  format

slower than before
  autodev CODER (balanced): 20.0 s in run 20231114-000005-abcd, task last; 10.5 s before

outliers
  autodev CODER (balanced): 60.0 s in run 20231114-000002-abcd, task t2; 10.8 s is usual
"""
    )


def test_history_of_one_workflow_is_a_part_of_all(project: Path, spinney: Spinney) -> None:
    remember(project, *known())
    assert (
        spinney("history", "--workflow", "command").stdout
        == """\
runs
  run                   begun (UTC)       tasks  merged  seconds  speedup  efficiency  status
  20231114-000005-abcd  2023-11-15 03:13      2       1     20.5     1.85        0.93  failed

slowest agents
  workflow  agent    tier      median   95 %  times  latest task
  command   COMMAND  balanced   0.5 s  0.5 s      1  format
"""
    )
    other = spinney("history", "--workflow", "full-app")
    assert other.returncode == 0
    assert other.stdout == "no recorded run has used the workflow 'full-app'; known: autodev, command\n"


def test_history_for_machines_has_the_same_figures(project: Path, spinney: Spinney) -> None:
    remember(project, *known())
    shown = json.loads(spinney("history", "--json", "--limit", "1").stdout)
    assert shown["runs"] == [
        {
            "run": "20231114-000005-abcd",
            "begun": "2023-11-15T03:13:20Z",
            "status": "failed",
            "workflows": ["autodev", "command"],
            "tasks": 2,
            "merged": 1,
            "total_time_seconds": 20.5,
            "speedup": 1.85,
            "parallel_efficiency": 0.925,
            "waiting": {
                "start": 0.0,
                "needs": 0.0,
                "slot": 0.0,
                "gate": 0.0,
                "merge": 0.0,
                "rate_limit": 0.0,
            },
            "executions": 2,
        }
    ]
    key = {"workflow": "autodev", "agent": "CODER", "tier": "balanced", "backend": "scripted"}
    assert [agent["agent"] for agent in shown["agents"]] == ["PLANNER", "CODER", "COMMAND"]
    assert shown["regressions"] == [
        {**key, "task": "last", "run": "20231114-000005-abcd", "latest": 20.0, "before": 10.5}
    ]
    assert shown["outliers"] == [
        {**key, "run": "20231114-000002-abcd", "task": "t2", "seconds": 60.0, "median": 10.75}
    ]


def test_repository_without_a_history_says_how_to_get_one(project: Path, spinney: Spinney) -> None:
    done = spinney("history")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no run has been recorded in this repository yet; start one: spinney run\n"
    assert json.loads(spinney("history", "--json").stdout)["runs"] == []


def test_damaged_record_is_told_and_the_others_are_shown(project: Path, spinney: Spinney) -> None:
    remember(project, *known())
    path = project / ".git" / "spinney" / history.FILE
    path.write_bytes(path.read_bytes().replace(b'"seconds":43.0', b'"seconds":44.0'))
    done = spinney("history")
    assert done.stderr == (
        "note: the history of earlier runs holds one damaged record, which is passed over\n"
    )
    assert "20231114-000003-abcd" not in done.stdout
    assert "20231114-000004-abcd" in done.stdout


def test_limit_must_be_a_number_of_runs(spinney: Spinney) -> None:
    done = spinney("history", "--limit", "0")
    assert done.returncode == 2
    assert "0 is not in the range x>=1" in done.stderr


@pytest.mark.process
def test_run_that_is_over_is_in_the_history(finished: object, spinney: Spinney) -> None:
    shown = json.loads(spinney("history", "--json").stdout)
    (run,) = shown["runs"]
    assert (run["status"], run["tasks"], run["merged"], run["executions"]) == ("failed", 3, 1, 3)
    assert {agent["agent"] for agent in shown["agents"]} == {"COMMAND"}
    assert [agent["backend"] for agent in shown["agents"]] == ["command", "command"]
