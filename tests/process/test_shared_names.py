"""A repository with packages of the same names as ours: never imported, by whatever process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.running import Spinney, until

pytestmark = pytest.mark.process

NAMES = (
    "shared",
    "orchestrator",
    "workflow_manager",
    "json",
    "pygit2",
    "click",
    "multiprocess",
    "sitecustomize",
)


@pytest.fixture
def trap(both: Spinney) -> Path:
    """Modules in the checkout that write to the returned file, and raise, when they are imported."""
    marker = both.repo.path.parent / "imported"
    for name in NAMES:
        both.repo.write(
            f"{name}/__init__.py",
            f"open({str(marker)!r}, 'a').write(__name__)\nraise ImportError('a trap')\n",
        )
        both.repo.write(f"{name}/journal.py", "raise ImportError('a trap')\n")
    both.repo.commit("packages with the same names")
    return marker


@pytest.mark.parametrize(
    "both", ["bubblewrap", pytest.param("bookkeeping", marks=pytest.mark.slow)], indirect=True
)
def test_a_run_imports_nothing_of_the_repository(both: Spinney, trap: Path) -> None:
    batch = both.batch(
        """\
version: 1
gate: test -e shared/__init__.py
tasks:
  - {id: one, title: One, run: "echo 1 > one.txt"}
  - {id: two, title: Two, needs: [one], run: "echo 2 > two.txt"}
"""
    )
    plan = both("plan", batch, "--json")
    assert plan.code == 0, plan
    done = both("run", batch, "--json")
    assert done.statuses == {"one": "merged", "two": "merged"}, done
    for command in (["status"], ["report"], ["explain", "one"], ["pr", "list"], ["--version"], ["doctor"]):
        assert both(*command).code in (0, 1), command
    inside = both("run", "-c", "true", "--title", "From a folder with traps", cwd=both.repo.path / "shared")
    assert inside.code == 0, inside
    assert not trap.exists(), trap.read_text()


@pytest.mark.parametrize(
    "both", ["bubblewrap", pytest.param("bookkeeping", marks=pytest.mark.slow)], indirect=True
)
def test_resume_imports_nothing_of_the_repository(both: Spinney, trap: Path, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    process = both.start("run", "-c", f"touch {started}; test -e {go} || sleep 60; touch done.txt", "--json")
    until(started.exists, "the task")
    process.send_signal(signal.SIGKILL)
    process.wait()
    both.gone()
    go.touch()
    done = both("resume", "--json")
    assert list(done.statuses.values()) == ["merged"], done
    assert not trap.exists(), trap.read_text()


def test_a_python_agent_still_imports_from_its_own_worktree(spinney: Spinney) -> None:
    """What protects us must not reach the agents: their ``python`` finds the user's packages."""
    spinney.repo.write("shared/__init__.py", "NAME = 'of the user'\n")
    spinney.repo.commit()
    done = spinney(
        "run",
        "--json",
        "-c",
        "python3 -c 'import shared; print(shared.NAME)' > found.txt",
        "--title",
        "Import",
    )
    assert list(done.statuses.values()) == ["merged"], done
    assert spinney.repo.read(done.json["merged"], "found.txt") == "of the user"
