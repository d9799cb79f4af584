import json
import re
import time
from pathlib import Path

import pytest

from shared.journal import FORMAT, Journal
from shared.lock import RepositoryLock
from tests.cli.conftest import Spinney
from tests.support.story import Story

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


def test_run_that_goes_on_shows_who_works_in_whatever_phases(project: Path, spinney: Spinney) -> None:
    story = Story("api", "docs", "late", needs={"late": ("api",)}, begun=time.time() - 60).sized(4)
    story.start("api").start("docs").wants("api", "PLAN", "TEST").gets("api", "PLAN", "TEST")
    story.agent_begins("api", "PLAN", phase="plan").agent_begins("api", "TEST", phase="test")
    story.returns("api", "PLAN").wants("api", "PLAN/c1", "PLAN/c2").gets("api", "PLAN/c1")
    story.agent_begins("api", "PLAN/c1", phase="plan").wants("docs", "WRITER")
    state = project / ".git" / "spinney"
    run = story.write(state)
    with RepositoryLock(state) as lock:
        lock.announce(run)
        done = spinney("status")
    shown = re.sub(r" +[0-9.m]+s(?=$| )", " T", done.stdout.split(" · ")[0], flags=re.MULTILINE)
    assert [" ".join(line.split()) for line in shown.splitlines()] == [
        f"run {run} is going on",
        "",
        "▶ api running PLAN+TEST T",
        "└ PLAN/c1 T",
        "▶ docs running WRITER waiting for a slot T",
        "· late waiting needs api",
        "",
        "1 waiting, 2 running",
    ]
    assert " · 2 of 4 slots · " in done.stdout
    assert done.stdout.endswith("\nfollow it: spinney watch\nend it:    spinney stop\n")
