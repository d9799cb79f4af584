"""Whole runs with sandboxes: the work comes back as ever, and nothing else is there to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.running import Spinney, snapshot, until
from tests.support.sandboxes import alive

pytestmark = pytest.mark.process
CANARY = "canary-51c0de"


@pytest.fixture
def shut(held: Spinney, home: Path) -> Spinney:
    """A repository whose every agent is shut in, and a home with something to steal."""
    held.repo.write("spinney.yaml", "version: 1\nsandbox: on\npull_requests: none\n")
    held.repo.commit()
    (home / ".netrc").write_text(CANARY)
    held.extra.update(HOME=str(home), GITHUB_TOKEN=CANARY, WHATEVER=CANARY)
    return held


def test_a_command_in_a_sandbox_leaves_its_work_and_takes_nothing(shut: Spinney) -> None:
    batch = shut.batch(
        """\
version: 1
gate: test -f one.txt
tasks:
  - id: one
    title: One
    evidence: test -f one.txt && ! test -e ~/.netrc
    run: "cat ~/.netrc > one.txt; env >> one.txt; cat /proc/*/environ >> one.txt; git log --format=%s >> one.txt"
"""
    )
    done = shut("run", batch, "--json")
    assert done.statuses == {"one": "merged"}, done
    text = shut.repo.read("spinney/one", "one.txt")
    assert CANARY not in text
    assert "SPINNEY_TASK=one" in text
    assert "first" in text


WORKFLOW = """\
name: two
phases:
  - name: work
    agents:
      - {name: A, run: "echo a > a.txt; cat ~/.netrc; echo '{\\"summary\\": \\"left a\\"}' > $SPINNEY_TASKS_DIR/A/output.json"}
      - {name: B, run: "echo b > b.txt; ls .. > seen.txt; git status --porcelain >> seen.txt"}
"""


def test_agents_with_worktrees_of_their_own_are_shut_into_these(shut: Spinney) -> None:
    shut.repo.write("two.yaml", WORKFLOW)
    shut.repo.commit()
    batch = shut.batch(f"version: 1\ntasks:\n  - {{id: t, title: T, workflow: {shut.repo.path}/two.yaml}}\n")
    done = shut("run", batch, "--json")
    assert done.statuses == {"t": "merged"}, done
    assert {"a.txt", "b.txt", "seen.txt"} <= set(shut.repo.files("spinney/t"))
    assert "left a" in shut.repo.git("log", "-1", "--format=%B", "spinney/t")
    seen = shut.repo.read("spinney/t", "seen.txt").split()
    assert "t@b" in seen
    assert set(seen) <= {"t", "t@b", "??", ".tasks", "b.txt", "seen.txt"}


def test_nothing_of_a_sandbox_outlives_its_run(shut: Spinney) -> None:
    """Killed outright; the agent has left its session, its group and its parent."""
    batch = shut.batch(
        """\
version: 1
tasks:
  - id: stay
    title: Stay
    run: "(setsid nohup sleep 16180 >/dev/null 2>&1 &); echo at work; sleep 16180"
"""
    )
    process = shut.start("run", batch)
    until(lambda: len(alive("sleep 16180")) >= 3, "the agent")  # it, what it left behind, and its shell
    process.kill()
    process.wait()
    until(lambda: not alive("sleep 16180"), "the end of everything", seconds=5.0)
    shut.gone()


def test_without_bubblewrap_such_a_run_is_refused_and_nothing_is_written(free: Spinney) -> None:
    free.repo.write("spinney.yaml", "version: 1\nsandbox: on\n")
    free.repo.commit()
    before = snapshot(free.repo.path.parent)
    done = free("run", "-c", "true")
    assert done.code == 2
    assert "`sandbox: on` asks for sandboxes, and there can be none" in done.err
    assert "--unsafe-no-sandbox" in done.err
    assert snapshot(free.repo.path.parent).keys() == before.keys()
